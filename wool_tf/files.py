"""Files that are there whole or not at all, and what tells whether they are the same."""

import hashlib
import os
from pathlib import Path

from wool_board import atomic_file
from wool_tf.errors import Unwritable


def write(path: Path, content: bytes) -> None:
    """Writes a file as `atomic_file.write` does, in a folder that is made if it is missing.

    Raises:
        Unwritable: it cannot be written (read-only folder, full disk); an older file of the name stays as it was.
    """
    try:
        Path(os.path.realpath(path)).parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise Unwritable(f"{path}: cannot be written ({reason}); free the disk or choose another folder") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
