"""Scans laid on a belt one behind the other, as a detector over the belt would see them."""

import dataclasses
import itertools
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from wool_board.errors import BadFile, few
from wool_board.image import references, scan_files
from wool_board.image.flat_field import FlatField, corrected_already
from wool_board.image.scan_files import LineFormat
from wool_tf.data import frames, sample_bits
from wool_tf.data.annotations import scans
from wool_tf.data.annotations.scans import Box, Scan, ScanConfig
from wool_tf.data.spelling import cleaned
from wool_tf.errors import BadSetting, WoolError

log = logging.getLogger(__name__)

TYPES = {1: "uint8", 2: "uint16le"}
"""How the lines are written, by the bytes of a sample."""

TOP = 65534
"""Counts of a scan without references are kept below the top of 16 bits, which a detector has where it saturates."""

WIDENED = 256
"""What 8-bit counts without references are multiplied by: an open beam of 255 would be the top of their type."""

FLAT_LINES = 64
"""Lines of a reference that is made up."""


@dataclasses.dataclass(frozen=True)
class Belt:
    """Scans on a belt, air before, between and behind them.

    Attributes:
        folder: of the scans.
        scans: in the order in which they pass.
        starts: line of the belt at which each begins.
        lines: of the belt in all.
        gap: lines of air between two scans.
        width: elements of the detector.
        boxes: marked defects, in elements and lines of the belt.
        product_lines: lines that show product.
        dark, bright: the lines of the references, (n, width). Of scans without any they are made up: none, and the open
            beam give or take a count, because a detector whose lines are all alike is taken to hang.
        type: of a sample, one of `TYPES`.
        scale: what the counts of the scans are multiplied by.
        raw: how raw scans are laid out, or None.
        files: the references, where they can be used as they are.
    """

    folder: Path
    scans: tuple[Scan, ...]
    starts: tuple[int, ...]
    lines: int
    gap: int
    width: int
    boxes: tuple[Box, ...]
    product_lines: int
    dark: np.ndarray
    bright: np.ndarray
    type: str
    scale: int = 1
    raw: LineFormat | None = None
    files: tuple[Path, Path] | None = None

    def counts(self) -> Iterator[np.ndarray]:
        """The lines of the belt from the first to the last, in arrays of (n, width) of its type."""
        air = itertools.cycle(self.bright)
        for scan in self.scans:
            yield np.stack(list(itertools.islice(air, self.gap)))
            yield self._shown(_read(self.folder, scan, self.raw))
        yield np.stack(list(itertools.islice(air, self.gap)))

    def _shown(self, counts: np.ndarray) -> np.ndarray:
        if not self.scans[0].dark:
            counts = np.minimum(counts.astype(np.uint32) * self.scale, TOP)
        return counts.astype(self.bright.dtype)

    def references(self, folder: Path) -> tuple[Path, Path]:
        """The references as files that the program of a board reads; those that are no such files are written.

        Arguments:
            folder: for what is written.
        """
        if self.files:
            return self.files
        dark, bright = folder / "dark.raw", folder / "bright.raw"
        dark.write_bytes(self.dark.tobytes())
        bright.write_bytes(self.bright.tobytes())
        return dark, bright


def lay(folder: Path, config: ScanConfig, samples: Collection[str], limit: int, gap: int) -> Belt:
    """Lays the scans of a folder on a belt.

    Arguments:
        folder: holds the scans, their annotations and their references, see `annotations.scans`.
        config: ScanConfig; only boxes of its `defects` are kept.
        samples: whose scans are taken; empty: all.
        limit: scans that are taken at most, the first ones; 0: all.
        gap: lines of air between them, at least 1.

    Raises:
        WoolError: a file is unusable, no scan is left, or scans differ in width, type or references.
    """
    found = scans.with_references(scans.load(folder, config), folder, config)
    wanted = {cleaned(sample) for sample in samples}
    there = sorted({scan.sample for scan in found})
    unknown = sorted(wanted.difference(there))
    if unknown:
        raise BadSetting("samples", unknown[0], f"is the sample of no scan in {folder}, which has {few(there)}")
    taken = [scan for scan in found if not wanted or scan.sample in wanted][: limit or None]
    sizes = {_read(folder, scan, config.raw, 1).dtype.itemsize for scan in taken}
    if len(sizes) > 1 or len({(scan.width, scan.dark, scan.bright) for scan in taken}) > 1:
        alike = "the same width, type and two references, or no references; choose some with samples"
        raise WoolError(f"{folder}: scans on a belt must all have {alike}")
    paths = [folder / scan.path for scan in taken] + [Path(file) for file in (taken[0].dark, taken[0].bright) if file]
    white = sample_bits.of_scans(folder, paths, config.raw, config.given_white)
    if not taken[0].dark:
        log.info(sample_bits.without_references(config.open_beam, white))
    pair, correction, scale = _detector(taken[0], config, folder, sizes.pop(), white)
    starts, boxes, end, product = [], [], gap, 0
    for scan in taken:
        starts.append(end)
        boxes += [_moved(box, end) for box in scan.boxes if box.defect in config.defects]
        attenuation = correction.attenuation(_read(folder, scan, config.raw))
        wool = frames.wool(attenuation, Box(0, 0, scan.width, scan.lines))
        product += wool.y1 - wool.y0 if wool else 0
        end += scan.lines + gap
    dark, bright = pair
    named = Path(taken[0].dark), Path(taken[0].bright)
    readable = bool(taken[0].dark) and not any(file.suffix.lower() in scan_files.RAWS for file in named)
    return Belt(
        folder, tuple(taken), tuple(starts), end, gap, taken[0].width, tuple(boxes), product, dark, bright,
        TYPES[bright.dtype.itemsize], scale, config.raw, named if readable else None,
    )  # fmt: skip


def _detector(
    scan: Scan, config: ScanConfig, folder: Path, itemsize: int, white: int | None
) -> tuple[tuple[np.ndarray, np.ndarray], FlatField, int]:
    """The lines of both references, the correction of a scan's counts, and what these are multiplied by on the belt."""
    if scan.dark:
        files = Path(scan.dark), Path(scan.bright)
        correction = references.correction(*files, config.raw, white=white)
        if len(correction.gain) != scan.width:
            raise WoolError(f"{files[0]}: is {len(correction.gain)} elements wide, but {scan.path} {scan.width}")
        dark, bright = (_opened(file, config.raw) for file in files)
        if {dark.dtype.itemsize, bright.dtype.itemsize} != {itemsize}:
            raise WoolError(f"{files[0]}: has samples of another type than {scan.path}; give those of its detector")
        return (_little(dark), _little(bright)), correction, 1
    open_beam = config.open_beam or scan_files.top(folder / scan.path, config.raw, white)
    scale = WIDENED if itemsize == 1 else 1
    shape = FLAT_LINES, scan.width
    air = np.full(shape, round(min(open_beam * scale, TOP)), "<u2")
    air[1::2] -= 1
    return (np.zeros(shape, "<u2"), air), corrected_already(scan.width, open_beam), scale


def _little(lines: np.ndarray) -> np.ndarray:
    return lines.astype(f"<u{lines.dtype.itemsize}")


def _moved(box: Box, lines: int) -> Box:
    return dataclasses.replace(box, y0=box.y0 + lines, y1=box.y1 + lines)


def _opened(file: Path, raw: LineFormat | None) -> np.ndarray:
    try:
        return scan_files.read(file, raw)[:]
    except BadFile as flaw:
        raise WoolError(f"{file}: {flaw}") from None


def _read(folder: Path, scan: Scan, raw: LineFormat | None, most: int | None = None) -> np.ndarray:
    try:
        return scan_files.read(folder / scan.path, raw)[:most]
    except BadFile as flaw:
        raise WoolError(f"{folder}: {scan.path} {flaw}") from None
