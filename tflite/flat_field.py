"""Raw detector lines become attenuation, and attenuation the grey that the network was trained on.

Transmission is T = (line - dark) / (bright - dark) with the means of two references, dark (beam off) and bright (beam
on, belt empty); attenuation is -log T. Bad elements are interpolated. Rules and arithmetic are those by which crops
are cut for training, to the last bit: a pixel that differs would be one that the network never learnt from.
"""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from recognizer import UserError

TYPES = {"uint8": "|u1", "uint16le": "<u2", "uint16be": ">u2"}
"""Types of a sample in raw lines."""

IMAGES, RAWS = (".png", ".tif", ".tiff"), (".raw", ".bin")
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0

REFERENCE_LINES = (16, 4096)
"""A reference needs so many lines for the noise of an element to be told from chance; of more only the first count."""

NEIGHBOURS = 31
"""Elements, itself in the middle, whose median an element is compared with."""

GAIN = (0.5, 2.0)
"""An element is bad if its gain is outside this range, as a multiple of its neighbours' median."""

NOISE = 3.0
"""An element is bad if its standard deviation over lines is above this multiple of its neighbours' median, or of one
count."""

SATURATED = 0.01
"""An element is bad if more than this share of its bright lines are at the top of the sample type."""

MAX_RUN = 3
"""Bad elements side by side; more of them could hide a drop of melt."""


@dataclasses.dataclass(frozen=True)
class Format:
    """How raw lines are laid out: elements per line, and the sample type, a key of TYPES."""

    width: int
    type: str

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(TYPES[self.type])

    @property
    def line_bytes(self) -> int:
        return self.width * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Correction:
    """Turns the raw lines of one detector into attenuation.

    Attributes:
        dark: (width,) float32, counts without beam.
        gain: (width,) float32, counts of the open beam above dark; positive for all but bad elements.
        spread: (width,) float32, standard deviation over lines of the open beam in counts.
        bad: sorted indices of the elements to be repaired.
        floor: smallest transmission that is told from none; smaller ones count as this.
        lines: number of lines of the bright reference.
    """

    dark: np.ndarray
    gain: np.ndarray
    spread: np.ndarray
    bad: tuple[int, ...]
    floor: float
    lines: int

    def __post_init__(self):
        divisor = self.gain.copy()
        divisor[list(self.bad)] = 1
        bad, good = np.array(self.bad, np.intp), self.good
        right = np.searchsorted(good, bad)
        left, right = good[np.maximum(right - 1, 0)], good[np.minimum(right, len(good) - 1)]
        share = ((bad - left) / np.maximum(right - left, 1)).astype(np.float32)
        for name, value in (("_divisor", divisor), ("_repair", (bad, left, right, share))):
            object.__setattr__(self, name, value)

    @property
    def good(self) -> np.ndarray:
        """Indices of the elements that are not bad."""
        return np.setdiff1d(np.arange(len(self.gain)), self.bad)

    def attenuation(self, lines: np.ndarray) -> np.ndarray:
        """The attenuation of raw lines.

        A bad element gets the transmission on the straight line between its nearest good neighbours, or of the nearest
        one at the ends of the detector.

        Arguments:
            lines: (n, width), counts.

        Returns:
            (n, width) float32; 0 is air, and below 0 is noise in the air.
        """
        transmission = lines.astype(np.float32)
        transmission -= self.dark
        transmission /= self._divisor
        bad, left, right, share = self._repair
        if len(bad):
            transmission[:, bad] = transmission[:, left] * (1 - share) + transmission[:, right] * share
        np.maximum(transmission, np.float32(self.floor), out=transmission)
        np.log(transmission, out=transmission)
        return np.negative(transmission, out=transmission)


def grey(attenuation: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Attenuation as uint8: 255 at the low end of the window and below it, 0 at the high end and above it."""
    low, high = window
    return np.rint(np.clip((high - attenuation) * (255 / (high - low)), 0, 255)).astype(np.uint8)


def correction(dark_file: Path, bright_file: Path, layout: Format) -> Correction:
    """The correction that a dark and a bright reference give.

    Arguments:
        dark_file, bright_file: PNG or TIFF, grey with the bits of the lines, or raw lines.
        layout: of the lines that are to be corrected.

    Raises:
        UserError: a reference cannot be used, or more than MAX_RUN neighbouring elements are bad.
    """
    dark, bright = (_reference(file, layout) for file in (dark_file, bright_file))
    offset, gain = dark.mean(axis=0), bright.mean(axis=0) - dark.mean(axis=0)
    if np.median(gain) <= 0:
        raise UserError(f"{bright_file}: is no brighter than {dark_file}; were dark and bright swapped?")
    relative = gain / np.maximum(_local_median(gain), 1e-9)
    bad = (relative < GAIN[0]) | (relative > GAIN[1])
    spreads = [lines.std(axis=0) for lines in (dark, bright)]
    for spread in spreads:
        bad |= spread > NOISE * np.maximum(_local_median(spread), 1)
    bad |= np.mean(bright == np.iinfo(bright.dtype).max, axis=0) > SATURATED
    _check_runs(bad, bright_file)
    floor = max(3 * np.median(spreads[0]), 1) / np.median(gain)
    indices = tuple(map(int, np.flatnonzero(bad)))
    parts = (values.astype(np.float32) for values in (offset, gain, spreads[1]))
    return Correction(*parts, indices, float(floor), len(bright))


def _reference(file: Path, layout: Format) -> np.ndarray:
    if not file.is_file():
        raise UserError(f"{file}: {'is not a file' if file.exists() else 'no such file'}; give a reference scan")
    try:
        lines = _raw(file, layout) if file.suffix.lower() in RAWS else _image(file)
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror or error})") from None
    least, most = REFERENCE_LINES
    if lines.shape[1] != layout.width:
        raise UserError(f"{file}: is {lines.shape[1]} elements wide, but --width={layout.width}")
    if lines.dtype.itemsize != layout.dtype.itemsize:
        raise UserError(f"{file}: has samples of {8 * lines.dtype.itemsize} bits, but --type={layout.type}")
    if len(lines) < least or layout.width < NEIGHBOURS:
        shape = f"{len(lines)} lines of {layout.width} elements"
        raise UserError(f"{file}: a reference needs at least {least} lines of {NEIGHBOURS} elements, got {shape}")
    return lines[:most]


def _raw(file: Path, layout: Format) -> np.ndarray:
    size = file.stat().st_size
    if size == 0 or size % layout.line_bytes:
        shape = f"{layout.line_bytes:,} bytes ({layout.width} × {layout.type})"
        raise UserError(f"{file}: has {size:,} bytes, which are not whole lines of {shape}")
    return np.fromfile(file, layout.dtype, layout.width * REFERENCE_LINES[1]).reshape(-1, layout.width)


def _image(file: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(file, formats=("PNG", "TIFF")) as image:
            flaw = _flaw(image)
            lines = None if flaw else np.asarray(image)
    except Image.UnidentifiedImageError:
        flaw = "is not a readable PNG or TIFF image; raw lines end in .raw or .bin"
    except Exception as error:  # Whatever a decoder raises on a damaged file is the file's fault.
        flaw = f"cannot be decoded ({' '.join(str(error).split())})"
    if flaw:
        raise UserError(f"{file}: {flaw}")
    return lines


def _flaw(image) -> str | None:
    if getattr(image, "n_frames", 1) > 1:
        return f"holds {image.n_frames} images; give one per file"
    if image.mode != "L" and not image.mode.startswith("I;16"):
        return f"has pixels of type {image.mode}; save it as grey with 8 or 16 bits"
    if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        return "is a negative (white is zero); save it so that more X-ray is a higher value"
    return None


def _local_median(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, NEIGHBOURS // 2, mode="reflect")
    return np.median(sliding_window_view(padded, NEIGHBOURS), axis=1)


def _check_runs(bad: np.ndarray, file: Path) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2):
        if stop - start > MAX_RUN:
            raise UserError(
                f"{file}: elements {start} to {stop - 1} (from 0) are dead, noisy or saturated; at most {MAX_RUN} side "
                f"by side can be repaired, {int(bad.sum())} of {len(bad)} are bad: check the references or the detector"
            )
