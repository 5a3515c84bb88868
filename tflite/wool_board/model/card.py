"""The card that the file of a board model carries.

A board model is a TFLite file with a zip archive behind it (`unzip -p MODEL card.json` prints its one member), which
interpreters ignore. The card says what the file is, what it reads and from which score on a crop counts as defective.
"""

import hashlib
import lzma
import math
import re
import sys
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, TypeGuard

from wool_board.errors import WoolError, in_one_line
from wool_board.image.variants import BITS, WHITE
from wool_board.json_text import parsed

MEMBER, FORMAT = "card.json", 1
MAX_BYTES = 1 << 20
MAX_SIDE = 4096
"""Pixels: some hundred times what a network that fits on a board can look at."""

MAX_PIXEL_MM = 100.0
MAX_THRESHOLD = math.nextafter(1, 2)
"""One above all scores."""

SCORE_QUANTILES = 101
"""Quantiles of the scores of a class that a card has."""

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


def white(card: dict) -> int | None:
    """The highest value of the samples of 16-bit images; None where the card does not say it.

    Older cards have `input.bits` instead, the number of bits that the samples use.
    """
    image = card["input"]
    return image.get("white") or (2 ** image["bits"] - 1 if image.get("bits") else None)


def confusion(card: dict) -> list[list[int]] | None:
    """How many images that no network judging them was trained on, ((passed, false alarms), (missed, found)).

    None where the card has no such figures, or where they are not what they should be.
    """
    try:
        counts = card["metrics"]["confusion"]
        (passed, alarms), (missed, found) = counts
    except (KeyError, TypeError, ValueError):
        return None
    return counts if all(is_whole(count, 0) for count in (passed, alarms, missed, found)) else None


def held_out(card: dict) -> dict | None:
    """What a card says of images that no network judging them was trained on.

    Returns:
        `confusion`: ((passed, false alarms), (missed, found)); `score_quantiles`: of images without a defect,
        `SCORE_QUANTILES` numbers that do not fall, or None of an older card. None where the card has
        no figures, or where they are not what they should be.
    """
    counts = confusion(card)
    if not counts or not all(map(sum, counts)):
        return None
    try:
        good, _ = card["labels"]
        quantiles = (card["metrics"].get("score_quantiles") or {}).get(good)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return {"confusion": counts, "score_quantiles": quantiles if _are_quantiles(quantiles) else None}


def _are_quantiles(values: object) -> bool:
    if not isinstance(values, list) or len(values) != SCORE_QUANTILES or not all(map(is_number, values)):
        return False
    return (
        0 <= values[0] and values[-1] <= 1 and all(one <= more for one, more in zip(values, values[1:], strict=False))
    )


def _stated(name: str, file: BinaryIO) -> dict:
    """The card as it stands in the file; whether the file is as long as it says."""
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.namelist() != [MEMBER]:
                raise ValueError(f"{MEMBER} must be the only member of the archive")
            entry = archive.getinfo(MEMBER)
            if entry.file_size > MAX_BYTES:
                raise ValueError(f"{entry.file_size} bytes")
            card = parsed(archive.read(entry))
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
        "model.bytes": lambda: is_whole(card["model"]["bytes"], 1),
        "model.sha256": lambda: bool(re.fullmatch("[0-9a-f]{64}", card["model"]["sha256"])),
        "input.side": lambda: is_whole(card["input"]["side"], 1) and card["input"]["side"] <= MAX_SIDE,
        "input.margin": lambda: _is_margin(card["input"]["margin"], card["input"]["side"]),
        "input.window": lambda: is_window(card["input"].get("window")),
        "input.pixel_mm": lambda: is_length(card["input"].get("pixel_mm")),
        # Of 16-bit images; cards without either field mean all 16 bits.
        "input.white": lambda: is_within(card["input"].get("white"), WHITE),
        "input.bits": lambda: is_within(card["input"].get("bits"), BITS),
        "decision.threshold": lambda: (
            is_number(card["decision"]["threshold"]) and 0 <= card["decision"]["threshold"] <= MAX_THRESHOLD
        ),
        "labels": lambda: list(map(type, card["labels"])) == [str, str],
        "precision": lambda: isinstance(card.get("precision"), str | None),
    }
    for name, holds in fields.items():
        try:
            if not holds():
                return name
        except (KeyError, TypeError):
            return name
    return None


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number; JSON's `true` is none, though Python takes it for one."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    # JSON has whole numbers that no float can hold.
    return abs(value) <= sys.float_info.max


def is_whole(value: object, least: int) -> bool:
    """Whether it is a whole number, and at least another one."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_margin(margin: float, side: int) -> bool:
    """Whether a margin leaves something to be seen, in whole pixels."""
    return is_number(margin) and 0 <= margin and 2 * math.ceil(margin) < side


def is_window(window: object) -> bool:
    """Whether it is LOW, HIGH; a model for crops that nobody knows the window of has none."""
    if window is None:
        return True
    return isinstance(window, list) and len(window) == 2 and all(map(is_number, window)) and window[0] < window[1]


def is_length(millimetres: object) -> bool:
    """Whether it may be the distance of pixels, where that is known."""
    return millimetres is None or (is_number(millimetres) and 0 < millimetres <= MAX_PIXEL_MM)


def is_within(value: object, allowed: range) -> bool:
    """Whether it is one of these whole numbers, where it is known."""
    return value is None or value in allowed and not isinstance(value, bool | float)


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
