"""Files are moved out of the way: the very file that was judged, and over no other."""

import os
from pathlib import Path


def move(path: Path, target: Path, judged: os.stat_result) -> bool:
    """Moves a file, unless another one has taken its place since it was judged.

    Between a look and a move another file could come. So the file is moved first and looked at then; if it is another
    one, it is put back.

    Arguments:
        path: of the file.
        target: where to; if there is a file of this name, it stays, and this one gets its time into its name.
        judged: status of the file before it was judged.

    Returns:
        Whether it was moved.

    Raises:
        OSError: it cannot be moved.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    moved = _rename(path, target)
    try:
        found = os.stat(moved)
    except OSError:
        # A link that leads nowhere from there.
        _rename(moved, path)
        raise
    if (found.st_ino, found.st_size, found.st_mtime_ns) == (judged.st_ino, judged.st_size, judged.st_mtime_ns):
        return True
    _rename(moved, path)
    return False


def _rename(path: Path, target: Path) -> Path:
    """Gives a file a name that no other file has; returns it."""
    stamp, number, free = os.lstat(path).st_mtime_ns, 0, target
    while not _is_reserved(free):
        number += 1
        again = f"-{number}" if number > 1 else ""
        free = target.with_name(f"{target.stem}-{stamp}{again}{target.suffix}")
    try:
        os.replace(path, free)
    except OSError:
        free.unlink()
        raise
    return free


def _is_reserved(path: Path) -> bool:
    """Makes an empty file, for another to take its place, unless there is one already."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True
