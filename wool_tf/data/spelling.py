"""When names that people wrote are one name: of samples, scans, labels and types of defects.

Names come through spreadsheets, web pages and file systems of several kinds. What cannot be seen in them makes no
difference: the form in which Unicode keeps an accented letter, characters without a shape, the kind and number of white
space. What can be seen does: names that differ by case, leading zeros, a separator or a letter of another alphabet stay
apart, and are told, because only a person knows whether S1 and s_01 are one sample. So are names that a spreadsheet
seems to have changed.
"""

import functools
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from wool_board.errors import LONGEST, few
from wool_tf.errors import shortened

SHOWN = 3
"""Names that a line gives as examples."""

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Characters without a shape that Unicode counts among marks and letters."""

_SAME_SHAPE = str.maketrans(
    "АВЕКМНОРСТХЅЈІаеорсухіѕјΑΒΕΖΗΙΚΜΝΟΡΤΥΧο" + "İı" + "‐‑‒–—−",
    "ABEKMHOPCTXSJIaeopcyxisjABEZHIKMNOPTYXo" + "Ii" + "------",
)  # fmt: skip
"""Letters of the Cyrillic and the Greek alphabet, and dashes, that look like those of a keyboard; and what a Turkish
program makes of i and I when it changes their case."""

_OUTER = " .,;:'\"`´’“”„"
"""What slips in at the beginning or the end of a name."""

_MISSING = frozenset(("", "nan", "<na>", "none", "null"))
"""What programs write into a cell of a name that they do not know, in lower case."""

_SEPARATORS = re.compile(r"(?<=[^\W\d_])[\s_.-]+(?=[^\W_])|(?<=\d)[\s_.-]+(?=[^\W\d_])")
"""What people put between letters, and between letters and digits; between digits it tells 1.2 from 12."""

_SCIENTIFIC = re.compile(r"\d{1,3}([.,]\d+)?e\+?\d{1,2}")
_MONTH = "jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_CHANGED = re.compile(
    rf"""\d([.,]\d+)?E\+\d\d                       # 1E+03, of 1E3 or of many digits
    | \d{{1,2}}[-.\s/]+({_MONTH})\w*\.?([-.\s/]+\d+)? | ({_MONTH})\w*\.?[-.\s/]+\d{{2}}    # 01-Feb, of 1-2 or 1/2
    | \d{{4}}-\d\d-\d\d\ 00:00:00                 # the same, by way of a program
    | \#(REF!|NAME\?|N/A|NV|VALUE!|WERT!|DIV/0!|NUM!|NULL!|BEZUG!)
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What spreadsheets make of names by themselves."""


def is_missing(text: str) -> bool:
    """Whether a cell has no name, or what programs write where there is none."""
    return cleaned(text).lower() in _MISSING


def said(text: str) -> str:
    """A cell, empty where it holds what programs write where there is nothing."""
    return "" if is_missing(text) else text


def nfc(text: str) -> str:
    """A text in Unicode's composed form, in which `é` is one character; file systems of Apple keep it as two."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def cleaned(text: str) -> str:
    """A name without what cannot be seen in it.

    Composed (NFC, not NFKC: `S²` and `S2` look different), without characters that have no shape (zero width, byte
    order mark, soft hyphen, marks of direction, control characters), white space around it removed and inside it a
    blank.

    >>> cleaned(" S\\u200b1\\u00a0 left ")
    'S1 left'
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    spaced = " ".join(unicodedata.normalize("NFC", text).split())
    kept = (char for char in _UNSEEN.sub("", spaced) if unicodedata.category(char) not in ("Cf", "Cc"))
    # What was removed may have stood between two blanks, or an accent and its letter.
    return " ".join(unicodedata.normalize("NFC", "".join(kept)).split())


class Spellings:
    """Names of one kind as they were written, and as they are understood.

    Arguments:
        kind: what they are names of, in the plural.
    """

    def __init__(self, kind: str):
        self._kind = kind
        self._written: dict[str, dict[str, None]] = {}

    def read(self, text: str) -> str:
        """The name that a text stands for, which is kept in mind."""
        name = cleaned(text)
        if name:
            self._written.setdefault(name, {})[text.strip()] = None
        return name

    def remarks(self) -> list[str]:
        """What a person should know, a line each for names that were joined, look alike, or seem to be changed."""
        joined = {name: list(written) for name, written in self._written.items() if len(written) > 1}
        return [*self._joined(joined), *self._alike(), *self._changed()]

    def _joined(self, joined: Mapping[str, list[str]]) -> list[str]:
        if not joined:
            return []
        # In ASCII, for a difference that cannot be seen would look like none.
        first = "; ".join(_equated(written) for written in list(joined.values())[:SHOWN])
        more = f"; and {len(joined) - SHOWN:,} more" if len(joined) > SHOWN else ""
        return [f"{len(self._written):,} {self._kind}, {len(joined):,} of them written in several ways: {first}{more}"]

    def _alike(self) -> list[str]:
        pairs = alike(self._written)
        if not pairs:
            return []
        first = ", ".join(f"{_shown(one)} and {_shown(other)}" for one, other in pairs[:SHOWN])
        more = f" and {len(pairs) - SHOWN:,} more pairs" if len(pairs) > SHOWN else ""
        rule = "count as different; if they are not, write them alike"
        return [f"warning: {self._kind} that look alike (case, zeros, separators, alphabets) {rule}: {first}{more}"]

    def _changed(self) -> list[str]:
        found = [name for name in self._written if _CHANGED.fullmatch(name)]
        if not found:
            return []
        rule = "look as if a spreadsheet had made a number, a date or an error of them; compare them with the original"
        return [f"warning: {self._kind} {rule}: {few([*map(_shown, found)])}"]


def _shown(name: str) -> str:
    return shortened(ascii(name), LONGEST)


def _equated(written: list[str]) -> str:
    more = f" = {len(written) - SHOWN:,} more" if len(written) > SHOWN else ""
    return " = ".join(map(_shown, written[:SHOWN])) + more


def alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that look alike although they differ: each with the first one that it looks like."""
    first: dict[str, str] = {}
    return [(known, name) for name in names if (known := first.setdefault(_look(name), name)) != name]


def _look(name: str) -> str:
    """What names that look alike have in common; spreadsheets make `7.0` of 7 and `1E+03` of 1000."""
    whole = unicodedata.normalize("NFKC", _once_encoded(name).strip(_OUTER)).translate(_SAME_SHAPE)
    folded = "".join(str(unicodedata.decimal(char, char)) for char in whole).casefold()
    if _SCIENTIFIC.fullmatch(folded):
        folded = f"{float(folded.replace(',', '.')):.0f}"
    joined = _SEPARATORS.sub("", re.sub(r"^(\d+)\.0+$", r"\1", folded))
    return re.sub(r"(?<!\d)0+(?=\d)", "", joined)


def _once_encoded(name: str) -> str:
    """A name as it was before UTF-8 was read as Windows-1252, and saved: `MÃ¼ller` was Müller."""
    if name.isascii():
        return name
    try:
        return name.encode("cp1252").decode()
    except UnicodeError:
        return name


class Folder:
    """Finds files by the paths that people wrote, whatever form the file system keeps their names in.

    Arguments:
        root: what paths are relative to.
    """

    def __init__(self, root: Path):
        self._root = root
        self._names = functools.cache(self._listed)

    def path(self, written: str) -> str:
        """A path as the file system has it, or, where no file has it, as it was written, with forward slashes."""
        plain = PurePosixPath(written.replace("\\", "/")).as_posix()
        if os.path.isabs(plain) or ".." in PurePosixPath(plain).parts or "\0" in plain:
            return plain
        found = PurePosixPath()
        for part in PurePosixPath(plain).parts:
            if not os.path.lexists(self._root / found / part):
                part = self._names(found).get(cleaned(part), part)
            found /= part
        return found.as_posix()

    def _listed(self, folder: PurePosixPath) -> dict[str, str]:
        """What a folder holds by cleaned name, without names that only their spelling tells apart."""
        try:
            names = os.listdir(self._root / folder)
        except OSError:
            return {}
        found: dict[str, str] = {}
        twice = set()
        for name in names:
            if found.setdefault(cleaned(name), name) != name:
                twice.add(cleaned(name))
        return {key: name for key, name in found.items() if key not in twice}
