"""Line scans as a detector leaves them become attenuation, and attenuation becomes grey.

A scan is (lines, elements): a row for each line that the detector recorded, a column for each of its elements; high
means that much X-ray came through. Every element has an offset, a gain and a noise of its own. Two reference scans show
them: dark (beam off) and bright (beam on, belt empty). With their means over lines, the transmission is
T = (scan - dark) / (bright - dark) and the attenuation -log T, which by Beer-Lambert is proportional to the mass per
area. The tube's drift since the references were taken is not corrected: it shows only where every line has some air
beside the product.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from wool_tf.data.decoding import MAX_PIXELS, PHOTOMETRIC, WHITE_IS_ZERO, Made, opened
from wool_tf.errors import WoolError

IMAGES = (".png", ".tif", ".tiff")
RAWS = (".raw", ".bin")
RAW_TYPES = {"uint8": "|u1", "uint16le": "<u2", "uint16be": ">u2"}

REFERENCE_LINES = (16, 4096)
"""A reference needs so many lines for the noise of an element to be told from chance; of more only the first count."""

NEIGHBOURS = 31
"""Elements, itself in the middle, whose median an element is compared with: wider than any run of bad ones, and
narrow beside the fall of the beam towards the ends of the detector."""

GAIN = (0.5, 2.0)
"""An element is bad if its gain is outside this range, as a multiple of its neighbours' median; within it, the flat
field makes up for the difference."""

NOISE = 3.0
"""An element is bad if its standard deviation over lines, in the dark or in the beam, is above this multiple of its
neighbours' median (or of one count, where that is more). With 16 lines a good element is within 1 ± 0.2."""

SATURATED = 0.01
"""An element is bad if more than this share of its bright lines are at the top of the sample type."""

MAX_RUN = 3
"""Bad elements side by side; more of them could hide a drop of melt, so that interpolating over them would lie."""

AIR = 0.02
"""Attenuation below which nothing lies on the belt: more than drift and noise leave on average over a line, less than
1 kg/m² of wool."""

BIN, BINS = 0.001, 12_000
"""Width and number of the bins of attenuation; e^-12 is below one count of 16 bits."""

TOP = 0.999
"""Share of the pixels that show something whose attenuation the default window covers."""


@dataclasses.dataclass(frozen=True)
class Raw:
    """What a raw file of lines does not say itself: elements per line, and the sample type, a key of RAW_TYPES."""

    width: int
    type: str


@dataclasses.dataclass(frozen=True)
class RawLines:
    """The lines of a raw file, read when they are looked at: `lines[start:stop]` is an array.

    A memory map would do the same, but all of it that was ever looked at counts as the process's memory.
    """

    file: Path
    dtype: np.dtype
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, lines: slice) -> np.ndarray:
        start, stop, _ = lines.indices(len(self))
        width = self.shape[1]
        offset = start * width * self.dtype.itemsize
        return np.fromfile(self.file, self.dtype, (stop - start) * width, offset=offset).reshape(-1, width)


@dataclasses.dataclass(frozen=True)
class Correction:
    """Turns the raw lines of one detector into attenuation.

    Attributes:
        dark: (width,) float32, counts without beam.
        gain: (width,) float32, counts of the open beam above dark; positive for all but bad elements.
        bad: sorted indices of the elements to be repaired.
        floor: smallest transmission that is told from none; smaller ones count as this.
    """

    dark: np.ndarray
    gain: np.ndarray
    bad: tuple[int, ...]
    floor: float

    @property
    def most(self) -> np.float32:
        """The largest attenuation that is told from none getting through."""
        return -np.log(np.float32(self.floor))

    def attenuation(self, lines: np.ndarray) -> np.ndarray:
        """The attenuation of raw lines.

        A bad element gets the transmission that lies on the straight line between its nearest good neighbours, or of
        the nearest one at the ends of the detector.

        Arguments:
            lines: (n, width), counts.

        Returns:
            (n, width) float32, at most `most`; 0 is air, and below 0 is noise in the air.
        """
        gain = self.gain.copy()
        gain[list(self.bad)] = 1
        transmission = (lines.astype(np.float32) - self.dark) / gain
        if self.bad:
            good = np.setdiff1d(np.arange(len(gain)), self.bad)
            right = np.searchsorted(good, self.bad)
            left, right = good[np.maximum(right - 1, 0)], good[np.minimum(right, len(good) - 1)]
            share = ((np.array(self.bad) - left) / np.maximum(right - left, 1)).astype(np.float32)
            repaired = transmission[:, left] * (1 - share) + transmission[:, right] * share
            transmission[:, list(self.bad)] = repaired
        return -np.log(np.maximum(transmission, np.float32(self.floor)))


def size(file: Path, raw: Raw | None) -> tuple[int, int] | str:
    """Width and number of lines of a scan, read from its head; or the reason why the file is bad."""
    if file.suffix.lower() in RAWS:
        lines = _raw_lines(file, raw)
        return lines if isinstance(lines, str) else lines.shape[::-1]
    return _opened(file, lambda image: image.size)


def read(file: Path, raw: Raw | None) -> np.ndarray | RawLines | str:
    """The counts of a scan, (lines, width) uint8 or uint16; or the reason why the file is bad.

    PNG and TIFF must be grey with 8 or 16 bits. Raw files (.raw, .bin) are lines without a head; of them, a scan of
    any length costs no more memory than the lines that are looked at.
    """
    if file.suffix.lower() in RAWS:
        return _raw_lines(file, raw)
    return _opened(file, lambda image: np.asarray(image))


def _raw_lines(file: Path, raw: Raw | None) -> RawLines | str:
    if raw is None:
        return "is a raw file; say with --raw_width and --raw_type how its lines are laid out"
    dtype = np.dtype(RAW_TYPES[raw.type])
    found, line = file.stat().st_size, raw.width * dtype.itemsize
    if found == 0 or found % line:
        return f"has {found:,} bytes, which are not whole lines of {line:,} bytes ({raw.width} × {raw.type})"
    return RawLines(file, dtype, (found // line, raw.width))


def _opened(file: Path, use: Callable[[Image.Image], Made]) -> Made | str:
    if file.suffix.lower() not in IMAGES:
        return f"is not a scan; a scan ends in {', '.join((*IMAGES, *RAWS))}"
    return opened(file, ("PNG", "TIFF"), lambda image: _header_flaw(image) or use(image))


def _header_flaw(image: Image.Image) -> str | None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"is {width}x{height} pixels; at most {MAX_PIXELS:,} are decoded: cut it, or save it as raw lines"
    if (frames := getattr(image, "n_frames", 1)) > 1:
        return f"holds {frames} images; give one per file"
    if image.mode != "L" and not image.mode.startswith("I;16"):
        return f"has pixels of type {image.mode}; save it as grey with 8 or 16 bits"
    if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        return "is a negative (white is zero); save it so that more X-ray is a higher value"
    return None


def flat_field(dark_file: Path, bright_file: Path, raw: Raw | None) -> Correction:
    """The correction that a dark and a bright reference give.

    Bad are elements whose gain, noise or saturation breaks the rules GAIN, NOISE or SATURATED. The floor of the
    transmission is three times the noise in the dark, at least one count.

    Raises:
        WoolError: a reference cannot be used, or more than MAX_RUN neighbouring elements are bad.
    """
    dark, bright = (_reference(file, raw) for file in (dark_file, bright_file))
    if dark.shape[1] != bright.shape[1]:
        raise WoolError(f"{bright_file}: is {bright.shape[1]} elements wide, but {dark_file} {dark.shape[1]}")
    offset, gain = dark.mean(axis=0), bright.mean(axis=0) - dark.mean(axis=0)
    if np.median(gain) <= 0:
        raise WoolError(f"{bright_file}: is no brighter than {dark_file}; were dark and bright swapped?")
    relative = gain / np.maximum(_local_median(gain), 1e-9)
    bad = (relative < GAIN[0]) | (relative > GAIN[1])
    for lines in (dark, bright):
        noise = lines.std(axis=0)
        bad |= noise > NOISE * np.maximum(_local_median(noise), 1)
    bad |= np.mean(bright == np.iinfo(bright.dtype).max, axis=0) > SATURATED
    _check_runs(bad, bright_file)
    floor = max(3 * np.median(dark.std(axis=0)), 1) / np.median(gain)
    indices = tuple(map(int, np.flatnonzero(bad)))
    return Correction(offset.astype(np.float32), gain.astype(np.float32), indices, float(floor))


def corrected_already(width: int, open_beam: float) -> Correction:
    """For scans without references: all elements are alike, and the open beam has so many counts above none."""
    return Correction(np.zeros(width, np.float32), np.full(width, open_beam, np.float32), (), 1 / open_beam)


def _reference(file: Path, raw: Raw | None) -> np.ndarray:
    lines = read(file, raw)
    if isinstance(lines, str):
        raise WoolError(f"{file}: {lines}")
    least, most = REFERENCE_LINES
    if len(lines) < least or lines.shape[1] < NEIGHBOURS:
        shape = f"{len(lines)} lines of {lines.shape[1]} elements"
        raise WoolError(f"{file}: a reference needs at least {least} lines of {NEIGHBOURS} elements, got {shape}")
    return lines[:most]


def _local_median(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, NEIGHBOURS // 2, mode="reflect")
    return np.median(sliding_window_view(padded, NEIGHBOURS), axis=1)


def _check_runs(bad: np.ndarray, file: Path) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2):
        if stop - start > MAX_RUN:
            raise WoolError(
                f"{file}: elements {start} to {stop - 1} (from 0) are dead, noisy or saturated; at most {MAX_RUN} side "
                f"by side can be repaired, {int(bad.sum())} of {len(bad)} are bad: check the references or the detector"
            )


def histogram(attenuation: np.ndarray) -> np.ndarray:
    """How many pixels that show something lie in each of BINS bins of attenuation, (BINS,) int64."""
    shown = attenuation[attenuation > AIR]
    return np.bincount(np.minimum(shown / BIN, BINS - 1).astype(np.int64), minlength=BINS)


def default_window(counts: np.ndarray) -> tuple[float, float]:
    """The window of attenuation that shows air as white and the densest 0.1 % of what is not air as black.

    Arguments:
        counts: (BINS,), the sum of the histograms of all scans.
    """
    covered = np.searchsorted(np.cumsum(counts), TOP * counts.sum())
    return 0.0, round(float((covered + 1) * BIN), 3)


def grey(attenuation: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Attenuation as uint8: 255 at the low end of the window and below it, 0 at the high end and above it."""
    low, high = window
    return np.rint(np.clip((high - attenuation) * (255 / (high - low)), 0, 255)).astype(np.uint8)
