"""How many bits of the samples in 16-bit files a detector uses: what white is.

Detectors of 12 bits are the normal case, and their files have 16 bits with values that end at 4095. Taken for 16 bits,
their images would have 16 grey levels. PNG and TIFF do not say how many bits are used, so it is taken from the largest
value of all files of a folder, never of one; that is a guess, for 16-bit images may all be dark, and so it is told.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from wool_board.errors import BadFile
from wool_board.image import decoding, scan_files
from wool_board.image.scan_files import LineFormat
from wool_board.image.variants import FULL, check_range
from wool_tf import files
from wool_tf.data.listing import BadFiles
from wool_tf.settings import check, setting

log = logging.getLogger(__name__)

DETECTED = (10, 12, 14)
"""Numbers of bits that detectors have and that are found; any other is taken for 16, unless it is given."""

LINES = 4096
"""Lines of a scan that are looked at together."""


@dataclasses.dataclass(frozen=True)
class SampleBits:
    """The range of the samples in 16-bit files.

    Raises:
        BadSetting: a value breaks its rule.
    """

    bits: int | None = setting(
        None,
        "Bits that the detector uses in 16-bit grey files, whose highest value is then 2^bits - 1; default: the fewest "
        "of 10, 12, 14 and 16 that the largest value in the whole folder fits. Files of 8 bits, and DICOM that stores "
        "fewer than 16, say it themselves.",
        at_least=8,
        at_most=16,
    )

    def __post_init__(self) -> None:
        check(self)


def fitting(largest: int) -> int:
    """The fewest bits of `DETECTED`, or 16, that a value fits."""
    return next((bits for bits in DETECTED if largest < 1 << bits), 16)


def of_crops(folder: Path, paths: Sequence[str], digests: Sequence[str], cache: Path) -> int | None:
    """The bits that 16-bit crops use; None where no crop has 16 bits. Says so if they are fewer than 16.

    Files that cannot be read are left out: to read them tells why.

    Arguments:
        folder: what the paths are relative to.
        paths: of the crops.
        digests: what identifies the content of each one's file.
        cache: folder, made if needed, where what was found is kept under a hash of the digests.

    Raises:
        Unwritable: the cache cannot be written.
    """
    found: int | None
    known = cache / f"largest-{hashlib.sha256(json.dumps(list(digests)).encode()).hexdigest()[:32]}.json"
    try:
        found = int(json.loads(known.read_bytes())["largest"])
    except (OSError, ValueError, KeyError, TypeError):
        found = _largest(_largest_values(folder, paths))
        if found is not None:  # Of files of 8 bits, nothing but the heads was read.
            files.write(known, json.dumps({"largest": found}).encode())
    return _told(folder, "images", found)


def without_references(open_beam: float | None, bits: int | None) -> str:
    """What is said of scans that have none."""
    top = open_beam or (2**bits - 1 if bits else "the highest count that a sample can have")
    return f"no dark and bright references: taken as corrected already, with {top} as the open beam"


def of_scans(folder: Path, paths: Iterable[Path], raw: LineFormat | None, given: int | None) -> int | None:
    """The bits that 16-bit scans and references use, as for `of_crops`, or those given.

    Arguments:
        folder: for messages.
        paths: of the scans and references.
        raw: how the lines of raw files are laid out.
        given: bits that all values must fit, or None.

    Raises:
        WoolError: a file cannot be read, or a value does not fit the bits given.
    """
    bad, most = BadFiles(folder), []
    for path in paths:
        try:
            if scan_files.top(path, raw) != FULL or given == 16:
                continue
            most.append(_largest_count(path, raw))
            if given:
                check_range(most[-1], 2**given - 1)
        except BadFile as flaw:
            bad.add(str(path.relative_to(folder) if path.is_relative_to(folder) else path), str(flaw))
        if not given and most and fitting(most[-1]) == 16:
            break
    bad.refuse()
    return given or _told(folder, "scans", max(most, default=None))


def _largest_values(folder: Path, paths: Iterable[str]) -> Iterable[int]:
    for path in paths:
        try:
            value = decoding.largest(folder / path)
        except BadFile:
            continue
        if value is not None:
            yield value


def _largest(values: Iterable[int]) -> int | None:
    """The largest value, or the first one that only 16 bits hold."""
    most = None
    for value in values:
        most = max(value, most or 0)
        if fitting(most) == 16:
            break
    return most


def _largest_count(path: Path, raw: LineFormat | None) -> int:
    lines = scan_files.read(path, raw)
    return max(int(np.max(lines[start : start + LINES])) for start in range(0, len(lines), LINES))


def _told(folder: Path, what: str, largest: int | None) -> int | None:
    if largest is None:
        return None
    bits = fitting(largest)
    if bits < 16:
        rule = f"taken for {bits} bits, with {2**bits - 1} as the highest value"
        log.info(f"{folder}: no value of its 16-bit {what} is above {largest}: {rule}; give --bits if that is wrong")
    return bits
