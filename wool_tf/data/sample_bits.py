"""How much of the range of the samples in 16-bit files a detector uses: what white is.

Detectors of 12 bits are the normal case, and their files have 16 bits with values that end at 4095. Taken for 16 bits,
their images would have 16 grey levels. PNG and TIFF do not say how many bits are used, so it is taken from the values
of all files of a folder, never of one. Neither specks (`sample_range`) nor a few files (`FEW`) decide it: those are
clipped, these are refused when they are read. It is a guess, for 16-bit images may all be dark, and so it is told.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wool_board.errors import BadFile
from wool_board.image import decoding, sample_range, scan_files
from wool_board.image.scan_files import LineFormat
from wool_board.image.variants import BITS, FULL, WHITE
from wool_board.json_text import parsed
from wool_tf import files
from wool_tf.data.listing import BadFiles
from wool_tf.errors import BadSetting
from wool_tf.settings import check, setting

log = logging.getLogger(__name__)

DETECTED = (10, 12, 14)
"""Numbers of bits that detectors have and that are found; any other is taken for 16, unless it is given."""

FEW = 0.05
"""Files that need 16 bits are taken for another detector's, and refused, if they are at most this share of all."""

LINES = 4096
"""Lines of a scan that are looked at together."""


@dataclasses.dataclass(frozen=True)
class SampleBits:
    """The range of the samples in 16-bit files.

    Raises:
        BadSetting: a value breaks its rule, or white does not fit the bits.
    """

    bits: int | None = setting(
        None,
        "Bits that the detector uses in 16-bit grey files, whose highest value is then 2^bits - 1; default: the fewest "
        "of 10, 12, 14 and 16 that 95 % of the files in the folder fit. A few pixels beyond are clipped, images with "
        "more are refused. Files of 8 bits, and DICOM that stores fewer than 16, say it themselves.",
        at_least=BITS[0],
        at_most=BITS[-1],
    )
    white: int | None = setting(
        None,
        "Highest value in 16-bit grey files where it is not 2^bits - 1, such as 60000 or 3900 of a detector that "
        "saturates there. It becomes white (255); values beyond are taken as those beyond the bits.",
        at_least=WHITE[0],
        at_most=WHITE[-1],
    )

    def __post_init__(self) -> None:
        check(self)
        if self.bits and self.white and self.white > 2**self.bits - 1:
            rule = f"must be at most {2**self.bits - 1} with {self.bits} bits; give one of them"
            raise BadSetting("white", self.white, rule)

    @property
    def given_white(self) -> int | None:
        """The highest value, given itself or by the bits; None where it is to be found."""
        return self.white or (2**self.bits - 1 if self.bits else None)


class SampleRange(NamedTuple):
    """What the samples of a file of 16 bits need.

    Attributes:
        bits: the fewest of `DETECTED`, or 16, that they fit but for specks.
        largest: the largest value.
    """

    bits: int
    largest: int


def of_crops(folder: Path, paths: Sequence[str], digests: Sequence[str], cache: Path) -> int | None:
    """The highest value of 16-bit crops, 2^n - 1 of the n bits that they use; None where no crop has 16 bits.

    Says so if it is less than 65535.

    Files that cannot be read are left out: to read them tells why.

    Arguments:
        folder: what the paths are relative to.
        paths: of the crops.
        digests: what identifies the content of each one's file.
        cache: folder, made if needed, where what was found is kept under a hash of the digests.

    Raises:
        Unwritable: the cache cannot be written.
    """
    known = cache / f"bits-{hashlib.sha256(json.dumps(list(digests)).encode()).hexdigest()[:32]}.json"
    try:
        found = [SampleRange(*map(int, each)) for each in parsed(known.read_bytes())]
    except (OSError, ValueError, TypeError):
        found = _ranges(folder, paths)
        if found:  # Of files of 8 bits, nothing but the heads was read.
            files.write(known, json.dumps(found).encode())
    return _told(folder, "images", found)


def without_references(open_beam: float | None, white: int | None) -> str:
    """What is said of scans that have none."""
    top = open_beam or white or "the highest count that a sample can have"
    return f"no dark and bright references: taken as corrected already, with {top} as the open beam"


def of_scans(folder: Path, paths: Iterable[Path], raw: LineFormat | None, given: int | None) -> int | None:
    """The highest value of 16-bit scans and references, as for `of_crops`, or the one given.

    Arguments:
        folder: for messages.
        paths: of the scans and references.
        raw: how the lines of raw files are laid out.
        given: the value that only specks may exceed, or None.

    Raises:
        WoolError: a file cannot be read, or more of it than specks is beyond the value given.
    """
    bad, paths = BadFiles(folder), list(paths)
    ranges: dict[Path, SampleRange | None] = {}
    for path in paths:
        try:
            if given != FULL and scan_files.top(path, raw) == FULL:
                ranges[path] = None if given else _range(_parts(path, raw))
        except BadFile as flaw:
            bad.add(_name(folder, path), str(flaw))
        if _are_many(ranges.values(), len(paths)):
            break
    bad.refuse()
    white = given or _told(folder, "scans", [found for found in ranges.values() if found])
    for path, found in ranges.items():
        try:
            if white and (found is None or 2**found.bits - 1 > white):
                for part in _parts(path, raw):
                    sample_range.within(part, white)
        except BadFile as flaw:
            bad.add(_name(folder, path), str(flaw))
    bad.refuse()
    return white


def _name(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _ranges(folder: Path, paths: Sequence[str]) -> list[SampleRange]:
    """Of each crop of 16 bits, up to the one that settles it that all are used."""
    found: list[SampleRange] = []
    for path in paths:
        try:
            samples = decoding.full_samples(folder / path)
        except BadFile:
            continue
        if samples is not None:
            found.append(_range([samples]))
        if _are_many(found, len(paths)):
            break
    return found


def _range(parts: Iterable[np.ndarray]) -> SampleRange:
    bits = largest = 0
    for part in parts:
        fitting = (bits for bits in DETECTED if sample_range.fits(part, 2**bits - 1))
        bits, largest = max(bits, next(fitting, 16)), max(largest, int(part.max()))
    return SampleRange(bits, largest)


def _parts(path: Path, raw: LineFormat | None) -> Iterator[np.ndarray]:
    lines = scan_files.read(path, raw)
    # What fills a square across two parts is all in one of them.
    return (lines[max(0, start - sample_range.SPECK) : start + LINES] for start in range(0, len(lines), LINES))


def _are_many(found: Iterable[SampleRange | None], files: int) -> bool:
    """Whether files that need 16 bits are too many to be another detector's."""
    return sum(each is not None and each.bits == 16 for each in found) > FEW * files


def _told(folder: Path, what: str, found: Sequence[SampleRange]) -> int | None:
    """The highest value of the bits that files use; says so if they are fewer than 16, and what exceeds it."""
    if not found:
        return None
    bits = 16 if _are_many(found, len(found)) else max((each.bits for each in found if each.bits < 16), default=16)
    top = 2**bits - 1
    if bits == 16:
        return top
    specks = sum(each.bits <= bits and each.largest > top for each in found)
    others = sum(each.bits > bits for each in found)
    line = f"{folder}: no value of its 16-bit {what} is above {max(min(each.largest, top) for each in found)}"
    if specks:
        line += f" but specks in {specks} of them, which are clipped"
    line += f": taken for {bits} bits, with {top} as the highest value"
    if others:
        line += f", which {others} of {len(found)} exceed by far"
    log.info(f"{line}; give `bits` or `white` if that is wrong")
    return top
