"""Files that pictures are appended to, one after the other, until a file is full and the next begins.

One file for each picture would cost a card several times the picture: its entry, its inode, and a flush of the file
system's journal. Here a batch of pictures is one write and one flush. What counts of a file is as long as the database
says; bytes behind that are of a batch that was never finished, and the next one overwrites them.
"""

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = "pictures"
NAME = re.compile(r"(\d{8})\.pack", re.ASCII)


def path(folder: Path, volume: int) -> Path:
    """The file of a volume."""
    return folder / FOLDER / f"{volume:08d}.pack"


def write(folder: Path, volume: int, place: int, content: bytes) -> None:
    """Puts bytes at a place of a volume and forces them onto the disk; makes the file if needed.

    Raises:
        OSError: the disk is full or broken.
    """
    file = path(folder, volume)
    new = not file.exists()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        view = memoryview(content)
        while view:
            count = os.pwrite(descriptor, view, place)
            view, place = view[count:], place + count
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        _sync_folder(file.parent)


def read(folder: Path, volume: int, place: int, count: int) -> bytes | None:
    """Bytes of a volume; None if it is gone, or shorter."""
    try:
        with open(path(folder, volume), "rb") as file:
            file.seek(place)
            content = file.read(count)
    except FileNotFoundError:
        return None
    return content if len(content) == count else None


def remove(folder: Path, volume: int) -> None:
    """Removes a volume that the database knows no longer."""
    with contextlib.suppress(FileNotFoundError):
        path(folder, volume).unlink()


def sweep(folder: Path, known: Mapping[int, int]) -> list[int]:
    """Makes the files what the database says: removes those that it does not know, and the rest of unfinished batches.

    Arguments:
        folder: of the store.
        known: bytes of each volume.

    Returns:
        The volumes that are missing or shorter than they should be, which only a broken disk or a person does.

    Raises:
        OSError: the disk is broken or cannot be written.
    """
    (folder / FOLDER).mkdir(exist_ok=True)
    sizes = {}
    for entry in os.scandir(folder / FOLDER):
        found = NAME.fullmatch(entry.name)
        if not found:
            continue
        number, size = int(found[1]), entry.stat().st_size
        sizes[number] = size
        if number not in known:
            os.unlink(entry.path)
        elif size > known[number]:
            os.truncate(entry.path, known[number])
    return [number for number, size in known.items() if sizes.get(number, -1) < size]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
