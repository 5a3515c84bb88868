"""Results as plain files: one JSON document per finished unit of work. Done means that the file is there."""

import json
import os
from pathlib import Path

from wool_tf.errors import WoolError


def write(path: Path, document) -> None:
    """Writes a JSON document so that it is there whole or not at all, also if the machine stops.

    Raises:
        WoolError: the file cannot be written (read-only folder, full disk).
    """
    write_bytes(path, json.dumps(document, indent=1, allow_nan=False).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file so that it is there whole or not at all, also if the machine stops.

    Raises:
        WoolError: the file cannot be written (read-only folder, full disk).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or error
        raise WoolError(f"{path}: cannot be written ({reason}); free the disk or choose another --out") from None


def read(path: Path) -> dict | None:
    """The document of a file, or None where the file is missing or was damaged, so that its unit has to run again."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return None
