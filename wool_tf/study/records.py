"""Results as plain files: one JSON document per finished unit of work. Done means that the file is there."""

import json
from pathlib import Path

from wool_tf import files


def write(path: Path, document) -> None:
    """Writes a JSON document, whole or not at all.

    Raises:
        WoolError: the file cannot be written (read-only folder, full disk).
        ValueError: a number is not finite.
    """
    files.write(path, json.dumps(document, indent=1, allow_nan=False).encode())


def read(path: Path, *keys: str):
    """The document of a file, or None where the file is missing or was damaged, so that its unit has to run again.

    Arguments:
        path: of the file.
        *keys: what the document must have; with any it must be an object.
    """
    try:
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if keys and not (isinstance(document, dict) and document.keys() >= set(keys)):
        return None
    return document
