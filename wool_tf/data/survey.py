"""What scans show as a whole, before crops are cut of them: where wool lies, how dense it is, and what is wrong."""

import dataclasses
from pathlib import Path

import numpy as np

from wool_board.errors import BadFile
from wool_board.image import saturation, scan_files
from wool_board.image.flat_field import BRIGHTER, BRIGHTER_SHARE, FlatField, corrected_already
from wool_board.image.scan_files import LineFormat
from wool_tf.data import frames, windows
from wool_tf.data.annotations.scans import Scan
from wool_tf.data.frames import Frame
from wool_tf.data.listing import BadFiles
from wool_tf.errors import WoolError

HISTOGRAM_STEP = 4
"""Every so many lines are enough for the percentile of the window."""

BLACK = 0.5
"""A scan with more than this share of its pixels at the noise floor was taken without beam."""

SATURATED = 0.005
"""A scan is told to be saturated if more than this share of its pixels is; one stuck element among 200 is less."""

Corrections = dict[tuple[str, str], FlatField]
"""The correction that each pair of a dark and a bright reference gives, by their paths."""


@dataclasses.dataclass(frozen=True)
class Optics:
    """How the scans of a folder become attenuation.

    Attributes:
        folder: of the scans.
        corrections: by the paths of references.
        raw: how the lines of raw files are laid out.
        open_beam: counts of the open beam in scans without references; None: the highest count that there can be.
        white: the highest value that the detector gives in 16-bit files; None: 65535.
    """

    folder: Path
    corrections: Corrections
    raw: LineFormat | None
    open_beam: float | None
    white: int | None

    def lines(self, scan: Scan) -> np.ndarray | scan_files.RawLines:
        """The counts of a scan; raises BadFile where it cannot be read."""
        return scan_files.read(self.folder / scan.path, self.raw)

    def clipped(self, counts: np.ndarray) -> np.ndarray:
        """Counts without specks above white (`sample_range`), which would hide where the detector saturates."""
        return counts if self.white is None or counts.itemsize == 1 else np.minimum(counts, self.white)

    def correction(self, scan: Scan) -> FlatField:
        """The correction of a scan; raises BadFile where it has none and cannot be read."""
        if scan.dark:
            return self.corrections[scan.dark, scan.bright]
        top = self.open_beam or scan_files.top(self.folder / scan.path, self.raw, self.white)
        return corrected_already(scan.width, top)


@dataclasses.dataclass
class Survey:
    """What scans show.

    Attributes:
        frames: all of them, with the extent of their wool.
        counts: histogram of the attenuation of pixels with signal, see `windows`.
        pixels: looked at for it.
        silent: those of them that the beam does not reach.
        saturated: scans that saturate, by their path: the level, and the share of the pixels that is there.
    """

    frames: list[Frame] = dataclasses.field(default_factory=list)
    counts: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(windows.BINS, np.int64))
    pixels: int = 0
    silent: int = 0
    saturated: dict[str, tuple[int, float]] = dataclasses.field(default_factory=dict)

    def remarks(self) -> list[str]:
        """What the user should know of the pixels, a sentence each."""
        told = []
        if self.silent:
            left_out = f"{self.silent:,} of {self.pixels:,} pixels looked at ({100 * self.silent / self.pixels:.2g} %)"
            told.append(f"left out of the window: {left_out} without signal, of dead elements, borders or metal")
        if self.saturated:
            worst = max(self.saturated, key=lambda path: self.saturated[path][1])
            level, share = self.saturated[worst]
            most = f"most of all {worst}, with {100 * share:.1f} % of its pixels at {level}"
            advice = "higher counts were lost; lower the detector's gain or the tube's current"
            told.append(f"{len(self.saturated)} scans are saturated, {most}: {advice}")
        return told


def survey(found: tuple[Scan, ...], optics: Optics, side: int, frame_lines: int) -> Survey:
    """Looks at all scans, one at a time.

    Arguments:
        found: the scans.
        optics: how they become attenuation.
        side, frame_lines: of a crop, and of a frame, in pixels.

    Raises:
        WoolError: a scan cannot be used, or they show nothing.
    """
    bad, seen = BadFiles(optics.folder), Survey()
    for scan in found:
        try:
            _look(scan, optics, side, frame_lines, seen)
        except BadFile as flaw:
            bad.add(scan.path, str(flaw))
    bad.refuse()
    if not seen.frames:
        raise WoolError(f"{optics.folder}: no scan has the {side} lines of a crop")
    if not seen.counts.any():
        raise WoolError(f"{optics.folder}: every scan shows air only; were dark and bright taken with an empty belt?")
    return seen


def _look(scan: Scan, optics: Optics, side: int, frame_lines: int, seen: Survey) -> None:
    """Adds a scan to what was seen; raises BadFile."""
    lines, correction = optics.lines(scan), optics.correction(scan)
    if scan.width < side:
        raise BadFile(f"is {scan.width} pixels wide; crops of {side} do not fit")
    if len(correction.gain) != scan.width:
        raise BadFile(f"is {scan.width} pixels wide, but its references {len(correction.gain)}")
    brighter = black = pixels = 0
    counts = np.zeros(1 << 16, np.int64)
    for number, area in enumerate(frames.areas(scan, frame_lines, side)):
        part = lines[area.y0 : area.y1]
        attenuation = correction.attenuation(part)
        seen.frames.append(Frame(scan, number, area, frames.wool(attenuation, area)))
        counts += saturation.histogram(optics.clipped(part[:, correction.good]))
        sparse = attenuation[::HISTOGRAM_STEP]
        silent = windows.without_signal(sparse, float(correction.most))
        seen.counts += windows.histogram(sparse[~silent])
        seen.silent += int(np.count_nonzero(silent))
        brighter += int(np.count_nonzero(sparse < BRIGHTER))
        black += int(np.count_nonzero(sparse >= correction.most))
        pixels += sparse.size
    seen.pixels += pixels
    if brighter > BRIGHTER_SHARE * pixels:
        raise BadFile("is brighter than the open beam; are these its references, or is the open beam too low?")
    if black > BLACK * pixels:
        raise BadFile("is black in more than half of its pixels; was the beam on, and are these its references?")
    level = saturation.level(counts)
    if level is not None and counts[level] > SATURATED * counts.sum():
        seen.saturated[scan.path] = level, counts[level] / counts.sum()
