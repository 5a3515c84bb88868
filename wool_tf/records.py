"""Results as plain files: one JSON document per finished unit of work. Done means that the file is there.

Documents that are read by more than their writer are dataclasses; msgspec checks every value against its type.
"""

import json
from pathlib import Path
from typing import TypeVar

import msgspec

from wool_board.json_text import parsed
from wool_tf import files
from wool_tf.errors import WoolError, in_one_line, quoted

T = TypeVar("T")


def write(path: Path, document: object) -> None:
    """Writes a dataclass, or what JSON knows, as a JSON document, whole or not at all.

    Raises:
        WoolError: the file cannot be written (read-only folder, full disk).
        ValueError: a number is not finite.
    """
    files.write(path, json.dumps(msgspec.to_builtins(document), indent=1, allow_nan=False).encode())


def plain(document: object) -> dict:
    """A dataclass as what JSON knows."""
    return msgspec.to_builtins(document)


def read(path: Path) -> object:
    """The document of a file, or None where the file is missing or was damaged, so that its unit has to run again."""
    try:
        return parse(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def parse(content: bytes) -> object:
    """A document.

    Raises:
        ValueError: `write` could not have written it.
    """
    document = parsed(content)
    # Python reads NaN, Infinity and 1e999, which are no JSON.
    json.dumps(document, allow_nan=False)
    return document


def read_object(path: Path, *keys: str) -> dict | None:
    """The document of a file as `read` gives it, or None where it is no JSON object that has these keys."""
    document = read(path)
    return document if isinstance(document, dict) and document.keys() >= set(keys) else None


def typed(document: object, kind: type[T], name: str) -> T:
    """A document as a dataclass; keys that the dataclass does not have are ignored.

    Arguments:
        document: what `read` gives.
        kind: the dataclass.
        name: of the document, for the message.

    Raises:
        WoolError: a value is missing, of another type, or breaks a rule of the dataclass.
    """
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, WoolError) as error:
        raise WoolError(f"{name}: {in_one_line(error)}; it is damaged, or of another version of wool_tf") from None


def versioned(document: dict, kind: type[T], version: int, name: str, advice: str) -> T:
    """A document that says its version, as `typed` gives it.

    Arguments:
        document: what `read_object` gives.
        kind, name: as for `typed`.
        version: that the document must have under `version`.
        advice: what to do with one that cannot be used.

    Raises:
        WoolError: it says no version, or another one, or a value is missing or of another type.
    """
    if "version" not in document:
        raise WoolError(f"{name}: is no document of wool_tf, for it says no version (expected: {version}); {advice}")
    if (found := document["version"]) != version:
        raise WoolError(f"{name}: is of version {quoted(found)}, not {version}; {advice}")
    try:
        return typed(document, kind, name)
    except WoolError as error:
        raise WoolError(f"{error}; {advice}") from None


def read_as(path: Path, kind: type[T]) -> T | None:
    """The document of a file as a dataclass, or None where the file is missing, or damaged in whatever way."""
    try:
        return msgspec.convert(read(path), kind)
    except msgspec.ValidationError:
        return None


def load(path: Path, work: str) -> dict:
    """The document of a file that somebody gave, for `versioned`.

    Arguments:
        path: of the file.
        work: what wrote it, `study`.

    Raises:
        WoolError: the file cannot be read, or is damaged.
    """
    try:
        document = parse(path.read_bytes())
    except OSError as error:
        raise WoolError(f"{path}: cannot be read ({error.strerror}); give a document of a {work}") from None
    except ValueError:
        raise WoolError(f"{path}: is damaged; run the {work} again, finished networks are kept") from None
    return document if isinstance(document, dict) else {}
