"""How the crops of a folder were imaged: what a program on a board has to do alike."""

import collections
import dataclasses
import json
from pathlib import Path

from wool_board.errors import BadFile
from wool_board.image import decoding
from wool_board.image.variants import BITS, WHITE
from wool_board.json_text import parsed
from wool_board.model.card import MAX_PIXEL_MM, MIN_PIXEL_MM, is_length, is_whole, is_window, is_within
from wool_tf.data import listing
from wool_tf.data.crops import IMAGING, VERSION
from wool_tf.data.listing import BadFiles
from wool_tf.data.naming import AS_NAMED, CropNaming
from wool_tf.data.sample_bits import SampleBits
from wool_tf.errors import BadSetting, WoolError


@dataclasses.dataclass(frozen=True)
class Imaging:
    """What is known of it.

    Attributes:
        side: height and width of a crop in pixels.
        window: attenuation (low, high) that is shown as 255 and 0, or None where it is not known.
        pixel_mm: distance of pixels in mm, or None where it is not known.
        white: the highest value of the samples of 16-bit crops, see `sample_bits`; None where it is not said.
    """

    side: int
    window: tuple[float, float] | None = None
    pixel_mm: float | None = None
    white: int | None = None


def read(folder: Path, side: int | None = None, naming: CropNaming = AS_NAMED) -> Imaging:
    """How the crops of a folder were imaged, as its `imaging.json` says.

    Arguments:
        folder: of crops, as `dataset.load` reads it.
        side: of the crops; None: as the file says, or, where there is no file, the commonest of the images.
        naming: CropNaming.

    Raises:
        WoolError: the folder cannot be used, or the file is damaged.
    """
    said = _said(folder / IMAGING)
    window, pixel, crop = said.get("window"), said.get("pixel_mm"), said.get("crop")
    return Imaging(
        side=side or crop or _commonest(folder, naming),
        window=None if window is None else (float(window[0]), float(window[1])),
        pixel_mm=None if pixel is None else float(pixel),
        white=_white(folder / IMAGING, said),
    )


def _said(file: Path) -> dict:
    try:
        said = parsed(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WoolError(f"{file}: cannot be read as JSON ({error}); restore it from a copy, or remove it") from None
    if not isinstance(said, dict):
        raise WoolError(f"{file}: must hold an object, got {type(said).__name__}; restore it from a copy, or remove it")
    for name, (rule, holds) in _RULES.items():
        if said.get(name) is not None and not holds(said[name]):
            raise WoolError(f"{file}: {name} must be {rule}, got {json.dumps(said[name])}")
    return said


def _white(file: Path, said: dict) -> int | None:
    try:
        return SampleBits(said.get("bits"), said.get("white")).given_white
    except BadSetting as error:
        raise WoolError(f"{file}: {error}") from None


_RULES = {
    "version": (f"a whole number from 1 to {VERSION}", lambda value: is_within(value, range(1, VERSION + 1))),
    "window": ("two numbers, the lower one first", is_window),
    "pixel_mm": (f"a number of at least {MIN_PIXEL_MM:g} and at most {MAX_PIXEL_MM:g}", is_length),
    "crop": ("a whole number above 0", lambda value: is_whole(value, 1)),
    "bits": ("a whole number from 8 to 16", lambda value: is_within(value, BITS)),
    "white": ("a whole number from 255 to 65535", lambda value: is_within(value, WHITE)),
}
"""What the file may say, in words and as a test; the card of a board model takes it over."""


def _commonest(folder: Path, naming: CropNaming) -> int:
    """The commonest longer side of the images that can be used; the greatest of those that are equally common."""
    # Loading the images reports flawed files, unless no image is left to load.
    bad = BadFiles(folder)
    entries = listing.entries(folder, bad, naming).entries
    counts: collections.Counter[int] = collections.Counter()
    for entry in entries:
        try:
            counts[max(decoding.crop_size(folder / entry.path))] += 1
        except BadFile as flaw:
            bad.add(entry.path, str(flaw))
    if not counts:
        bad.refuse()
        raise WoolError(f"{folder}: no image that can be read; give a folder of crops")
    return max(counts, key=lambda side: (counts[side], side))
