"""Scans laid on a belt one behind the other, as a detector over the belt would see them."""

import dataclasses
import itertools
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from wool_board.errors import BadFile
from wool_board.image import references, scan_files
from wool_tf.data import annotations, frames
from wool_tf.data.annotations import Box, Scan
from wool_tf.errors import WoolError

TYPES = {1: "uint8", 2: "uint16le"}
"""How the lines are written, by the bytes of a sample."""


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
        dark, bright: the references.
        type: of a sample, one of `TYPES`.
    """

    folder: Path
    scans: tuple[Scan, ...]
    starts: tuple[int, ...]
    lines: int
    gap: int
    width: int
    boxes: tuple[Box, ...]
    product_lines: int
    dark: Path
    bright: Path
    type: str

    def counts(self) -> Iterator[np.ndarray]:
        """The lines of the belt from the first to the last, in arrays of (n, width)."""
        air = itertools.cycle(_air(self.bright))
        for scan in self.scans:
            yield np.stack(list(itertools.islice(air, self.gap)))
            yield _read(self.folder, scan)
        yield np.stack(list(itertools.islice(air, self.gap)))


def lay(
    folder: Path, defects: Collection[str], invisible: Collection[str], samples: Collection[str], limit: int, gap: int
) -> Belt:
    """Lays the scans of a folder on a belt.

    Arguments:
        folder: holds the scans, their annotations and their references, see `annotations`.
        defects, invisible: types that may be marked; only boxes of the former are kept.
        samples: whose scans are taken; empty: all.
        limit: scans that are taken at most, the first ones; 0: all.
        gap: lines of air between them, at least 1.

    Raises:
        WoolError: a file is unusable, no scan is left, or scans differ in width, type or references.
    """
    found = annotations.load(folder, (*defects, *invisible), None)
    unknown = sorted(set(samples) - {scan.sample for scan in found})
    if unknown:
        raise WoolError(f"samples: {unknown[0]} is the sample of no scan in {folder}")
    taken = [scan for scan in found if not samples or scan.sample in samples][: limit or None]
    alike = {(scan.width, scan.dark, scan.bright) for scan in taken}
    if len(alike) > 1 or not taken[0].dark:
        raise WoolError(f"{folder}: scans on a belt must all have the same width and the same two references")
    dark, bright = folder / taken[0].dark, folder / taken[0].bright
    correction = references.correction(dark, bright, None)
    starts, boxes, end, product = [], [], gap, 0
    for scan in taken:
        starts.append(end)
        boxes += [_moved(box, end) for box in scan.boxes if box.defect in defects]
        attenuation = correction.attenuation(_read(folder, scan))
        wool = frames.wool(attenuation, Box(0, 0, scan.width, scan.lines))
        product += wool.y1 - wool.y0 if wool else 0
        end += scan.lines + gap
    kind, width = TYPES[_air(bright).dtype.itemsize], taken[0].width
    return Belt(folder, tuple(taken), tuple(starts), end, gap, width, tuple(boxes), product, dark, bright, kind)


def _moved(box: Box, lines: int) -> Box:
    return dataclasses.replace(box, y0=box.y0 + lines, y1=box.y1 + lines)


def _air(bright: Path) -> np.ndarray:
    try:
        return scan_files.read(bright, None)[:]
    except BadFile as flaw:
        raise WoolError(f"{bright}: {flaw}") from None


def _read(folder: Path, scan: Scan) -> np.ndarray:
    try:
        return scan_files.read(folder / scan.path, None)[:]
    except BadFile as flaw:
        raise WoolError(f"{folder}: {scan.path} {flaw}") from None
