"""The card that the file of a board model carries.

A board model is a TFLite file with a zip archive behind it (`unzip -p MODEL card.json` prints its one member), which
interpreters ignore. The card says what the file is, what it reads and from which score on a crop counts as defective.
"""

import hashlib
import json
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from wool_board.errors import WoolError, in_one_line

MEMBER, FORMAT = "card.json", 1
MAX_BYTES = 1 << 20
ADVICE = "take a whole copy of a file that convert.py made"


def read(path: Path) -> dict:
    """The card of a board model, see `parse`.

    Raises:
        WoolError: the file cannot be read, has no card or one of another format, or was changed.
    """
    try:
        with path.open("rb") as file:
            return parse(file, str(path))
    except OSError as error:
        raise WoolError(f"{path}: cannot be read ({error.strerror or error})") from None


def parse(file: BinaryIO, name: str = "model") -> dict:
    """The card of a board model, after a check that its network is the very one that the card was made for.

    Arguments:
        file: the model with its card, from its beginning; can be sought in.
        name: of the file, for messages.

    Raises:
        WoolError: the file has no card or one of another format, or was changed.
        OSError: it cannot be read.
    """
    if file.read(8)[4:] != b"TFL3":
        raise WoolError(f"{name}: not a TFLite file")
    card = _stated(name, file)
    _check_bytes(name, file, card)
    return card


def _stated(name: str, file: BinaryIO) -> dict:
    """The card as it stands in the file; whether the file is as long as it says."""
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.namelist() != [MEMBER]:
                raise ValueError(f"{MEMBER} must be the only member of the archive")
            entry = archive.getinfo(MEMBER)
            if entry.file_size > MAX_BYTES:
                raise ValueError(f"{entry.file_size} bytes")
            card = json.loads(archive.read(entry))
    # What zipfile raises on damaged archives: an encrypted or unknown kind of member is among it. So is what json
    # raises on nested lists without end.
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        if _is_bare(file):
            raise WoolError(f"{name}: has no card; {ADVICE}") from None
        raise WoolError(f"{name}: its card is damaged ({in_one_line(error)}); {ADVICE}") from None
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else card
        raise WoolError(f"{name}: its card must be of format {FORMAT}, got {str(found)[:40]!r}; update these programs")
    flaw = _flaw(card)
    if flaw or card["model"]["bytes"] != entry.header_offset:
        raise WoolError(f"{name}: its card is damaged ({flaw or 'model.bytes'}); {ADVICE}")
    return card


def _is_bare(file: BinaryIO) -> bool:
    """Whether there is no archive at the end of the file."""
    try:
        return not zipfile.is_zipfile(file)
    except OSError:
        return True


def _flaw(card: dict) -> str | None:
    """The first of the fields that the programs go by that is not as it must be."""
    fields = {
        "model.bytes": lambda: isinstance(card["model"]["bytes"], int),
        "model.sha256": lambda: isinstance(card["model"]["sha256"], str),
        "input.side": lambda: isinstance(card["input"]["side"], int),
        "input.margin": lambda: 0 <= card["input"]["margin"] < card["input"]["side"] / 2,
        # Of 16-bit images; cards of before the field mean all 16.
        "input.bits": lambda: _is_bits(card["input"].get("bits")),
        # One above all scores may be a hair above 1.
        "decision.threshold": lambda: 0 <= card["decision"]["threshold"] < 2,
        "labels": lambda: list(map(type, card["labels"])) == [str, str],
    }
    for name, holds in fields.items():
        try:
            if not holds():
                return name
        except (KeyError, TypeError):
            return name
    return None


def _is_bits(value: object) -> bool:
    return value is None or (isinstance(value, int) and 8 <= value <= 16)


def _check_bytes(name: str, file: BinaryIO, card: dict) -> None:
    digest, left = hashlib.sha256(), card["model"]["bytes"]
    file.seek(0)
    while left > 0:
        piece = file.read(min(left, 1 << 20))
        if not piece:
            break
        digest.update(piece)
        left -= len(piece)
    if digest.hexdigest() != card["model"]["sha256"]:
        raise WoolError(f"{name}: is not the model that its card describes (another sha256); {ADVICE}")
