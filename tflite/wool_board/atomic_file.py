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


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name once the block has ended without an error: half full it would look whole.

    Arguments:
        path: of a folder that is not there, or empty.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.absolute().with_name(f".{path.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
