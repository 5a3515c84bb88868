"""The card in the file of a board model.

A board model is a TFLite file with a zip archive behind it (`unzip -p MODEL card.json` prints its one member), which
interpreters ignore.
"""

import hashlib
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from wool_board.errors import WoolError, in_one_line
from wool_board.json_text import parsed
from wool_board.model.card import FORMAT, Card, CardModel, typed

MEMBER = "card.json"
MAX_BYTES = 1 << 20
ADVICE = "take a whole copy of a file that convert.py made"


def read(path: Path) -> Card:
    """The card of a board model, see `parse`.

    Raises:
        WoolError: the file cannot be read, has no card or one of another format, or was changed.
    """
    try:
        with path.open("rb") as file:
            return parse(file, str(path))
    except OSError as error:
        raise WoolError(f"{path}: cannot be read ({error.strerror or error})") from None


def parse(file: BinaryIO, name: str = "model") -> Card:
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
    stated, length = _stated(name, file)
    if not isinstance(stated, dict) or stated.get("format") != FORMAT:
        found = stated.get("format") if isinstance(stated, dict) else stated
        raise WoolError(f"{name}: its card must be of format {FORMAT}, got {str(found)[:40]!r}; update these programs")
    try:
        card = typed(stated)
        if card.model.bytes != length:
            raise ValueError("model.bytes")
    except ValueError as flaw:
        raise WoolError(f"{name}: its card is damaged ({flaw}); {ADVICE}") from None
    _check_bytes(name, file, card.model)
    return card


def _stated(name: str, file: BinaryIO) -> tuple[object, int]:
    """The card as it stands in the file, and where in the file its archive begins."""
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.namelist() != [MEMBER]:
                raise ValueError(f"{MEMBER} must be the only member of the archive")
            entry = archive.getinfo(MEMBER)
            if entry.file_size > MAX_BYTES:
                raise ValueError(f"{entry.file_size} bytes")
            return parsed(archive.read(entry)), entry.header_offset
    # What zipfile raises on damaged archives: an encrypted or unknown kind of member is among it.
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        if _is_bare(file):
            raise WoolError(f"{name}: has no card; {ADVICE}") from None
        raise WoolError(f"{name}: its card is damaged ({in_one_line(error)}); {ADVICE}") from None


def _is_bare(file: BinaryIO) -> bool:
    """Whether there is no archive at the end of the file."""
    try:
        return not zipfile.is_zipfile(file)
    except OSError:
        return True


def _check_bytes(name: str, file: BinaryIO, model: CardModel) -> None:
    digest, left = hashlib.sha256(), model.bytes
    file.seek(0)
    while left > 0:
        piece = file.read(min(left, 1 << 20))
        if not piece:
            break
        digest.update(piece)
        left -= len(piece)
    if digest.hexdigest() != model.sha256:
        raise WoolError(f"{name}: is not the model that its card describes (another sha256); {ADVICE}")
