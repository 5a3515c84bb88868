"""Two reference scans tell the flat field of a detector, and which of its elements are bad.

Every element has an offset, a gain and a noise of its own, which show in lines with the beam off (dark), and with the
beam on and the belt empty (bright).
"""

from pathlib import Path

import numpy as np

from wool_board.errors import BadFile, WoolError
from wool_board.image import saturation, scan_files
from wool_board.image.empty_belt import first_product
from wool_board.image.flat_field import FlatField
from wool_board.image.neighbours import local_median
from wool_board.image.scan_files import LineFormat

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
"""An element is bad if more than this share of its bright lines are at the level at which the detector saturates: a
plateau of the counts, of all elements or its own (`saturation`), or the highest value that there can be
(`scan_files.top`)."""

MAX_RUN = 3
"""Bad elements side by side; more of them could hide a drop of melt, so that interpolating over them would lie."""


def correction(
    dark_file: Path,
    bright_file: Path,
    raw: LineFormat | None,
    detector: LineFormat | None = None,
    white: int | None = None,
) -> FlatField:
    """The correction that a dark and a bright reference give.

    Bad are elements whose gain, noise or saturation breaks the rules GAIN, NOISE or SATURATED. The floor of the
    transmission is three times the noise in the dark, at least one count.

    Arguments:
        dark_file, bright_file: scans, see `scan_files`.
        raw: how raw files are laid out, if there are any.
        detector: of the lines that are to be corrected, whose width and size of a sample the references must have;
            None: not checked.
        white: the highest value that the detector gives in 16-bit files, see `Variant.top_with`; None: 65535.

    Raises:
        WoolError: a reference cannot be used, or more than MAX_RUN neighbouring elements are bad.
    """
    (dark, _), (bright, top) = (_reference(file, raw, detector, white) for file in (dark_file, bright_file))
    if dark.shape[1] != bright.shape[1]:
        raise WoolError(f"{bright_file}: is {bright.shape[1]} elements wide, but {dark_file} {dark.shape[1]}")
    offset, gain = dark.mean(axis=0), bright.mean(axis=0) - dark.mean(axis=0)
    if np.median(gain) <= 0:
        raise WoolError(f"{bright_file}: is no brighter than {dark_file}; were dark and bright swapped?")
    line = first_product(bright[:], offset)
    if line is not None:
        raise WoolError(f"{bright_file}: shows product, or another beam, from line {line} on; take it of an empty belt")
    relative = gain / np.maximum(local_median(gain, NEIGHBOURS), 1e-9)
    bad = (relative < GAIN[0]) | (relative > GAIN[1])
    spreads = [lines.std(axis=0) for lines in (dark, bright)]
    # An element that is stuck above the others' counts must not hide their plateau. Lines without any noise, as some
    # programs make them, are no plateau: every element's counts are the same in them.
    noisy = max(map(np.median, spreads)) > 0
    level = saturation.level(saturation.histogram(bright[:, ~bad])) if noisy else None
    for spread in spreads:
        bad |= spread > NOISE * np.maximum(local_median(spread, NEIGHBOURS), 1)
    bad |= np.mean(bright >= (top if level is None else level), axis=0) > SATURATED
    bad |= saturation.own_plateaus(bright[:], np.maximum(*spreads)) > SATURATED * len(bright)
    _check_runs(bad, bright_file)
    floor = max(3 * np.median(spreads[0]), 1) / np.median(gain)
    indices = tuple(map(int, np.flatnonzero(bad)))
    counts, above, spread = (values.astype(np.float32) for values in (offset, gain, spreads[1]))
    return FlatField(counts, above, spread, indices, float(floor), len(bright))


def _reference(
    file: Path, raw: LineFormat | None, detector: LineFormat | None, white: int | None
) -> tuple[np.ndarray, int]:
    """The lines of a reference, and the highest count that its samples can have."""
    least, most = REFERENCE_LINES
    if not file.is_file():
        raise WoolError(f"{file}: {'is not a file' if file.exists() else 'no such file'}; give a reference scan")
    try:
        lines, top = scan_files.read(file, raw)[:most], scan_files.top(file, raw, white)
    except BadFile as bad:
        raise WoolError(f"{file}: {bad}") from None
    except OSError as error:
        raise WoolError(f"{file}: cannot be read ({error.strerror or error})") from None
    width = lines.shape[1]
    if detector and width != detector.width:
        raise WoolError(f"{file}: is {width} elements wide, but --width={detector.width}")
    if detector and lines.dtype.itemsize != detector.dtype.itemsize:
        raise WoolError(f"{file}: has samples of {8 * lines.dtype.itemsize} bits, but --type={detector.type}")
    if len(lines) < least or width < NEIGHBOURS:
        shape = f"{len(lines)} lines of {width} elements"
        raise WoolError(f"{file}: a reference needs at least {least} lines of {NEIGHBOURS} elements, got {shape}")
    return lines, top


def _check_runs(bad: np.ndarray, file: Path) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2):
        if stop - start > MAX_RUN:
            raise WoolError(
                f"{file}: elements {start} to {stop - 1} (from 0) are dead, noisy or saturated; at most {MAX_RUN} side "
                f"by side can be repaired, {int(bad.sum())} of {len(bad)} are bad: check the references or the detector"
            )
