"""Files that are there whole or not at all, and what tells whether they are the same."""

import contextlib
import hashlib
import os
from pathlib import Path

from wool_tf.errors import Unwritable


def write(path: Path, content: bytes) -> None:
    """Writes a file under a temporary name, brings it to the disk and renames it, so that no reader sees half of it.

    The folder is made if it is missing. A link stays one: what it points to is replaced. What is no file, such as
    `/dev/stdout`, is written to as it is.

    Raises:
        Unwritable: it cannot be written (read-only folder, full disk); an older file of the name stays as it was.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.exists() and not target.is_file():
            with open(target, "wb") as device:
                device.write(content)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = error.strerror or error
        raise Unwritable(f"{path}: cannot be written ({reason}); free the disk or choose another folder") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
