"""Files and folders that are there whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Writes a file under a temporary name, brings it to the disk and renames it, so that no reader sees half of it.

    A link stays one: what it points to is replaced. What is no file, such as `/dev/stdout`, is written to as it is.

    Raises:
        OSError: it cannot be written (no such folder, full disk); an older file of the name stays as it was.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with open(target, "wb") as device:
            device.write(content)
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def folder_flaw(path: Path) -> str | None:
    """Why an empty folder cannot be replaced by a full one, and what to do, as the rest of a sentence; or None."""
    target = os.path.realpath(path)
    if os.path.ismount(target):
        return "is a disk of its own, which cannot be replaced; give a folder on it"
    if target == os.getcwd():
        # A shell must not be left in a folder that is gone.
        return "is the folder in which this runs; give another one"
    return None


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name once the block has ended without an error: half full it would look whole.

    A link stays one: what it points to is replaced.

    Arguments:
        path: of a folder that is not there, or empty, and has no `folder_flaw`.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
