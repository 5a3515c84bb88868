"""Image files become crops, exactly as the images that a network is trained on do."""

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

SUFFIXES = frozenset((".png", ".tif", ".tiff", ".jpg", ".jpeg"))
"""Of the files of a folder that are taken for images."""
FORMATS = ("PNG", "TIFF", "JPEG")
MAX_PIXELS = 50_000_000
SQUARENESS = 0.02
"""How far an image may be from square, as a share of its longer side."""
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
"""Tag of TIFF, and its value for inverted grey, which Pillow heeds for 8 bits and not for 16."""


class BadImage(Exception):
    """Why a file cannot be used, as the rest of a sentence that begins with its name."""


class Crop(NamedTuple):
    """What a network looks at.

    Attributes:
        pixels: (side, side) of uint8.
        size: width and height of the image in the file.
    """

    pixels: np.ndarray
    size: tuple[int, int]

    @property
    def resized(self) -> bool:
        """Whether the image had another size."""
        return self.size != self.pixels.shape[::-1]


def read(path: Path, side: int) -> Crop:
    """The image of a file, grey and resized to a side.

    Raises:
        BadImage: the file cannot be read, or is no image that a network could be trained on.
        FileNotFoundError: it is not there.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise BadImage("is not a file")  # To open a FIFO would wait for its writer.
    try:
        with warnings.catch_warnings():
            # Remarks on metadata must not reach the user; too many pixels must.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                _check(image)
                return Crop(np.asarray(_resized(_grey(image), side)), image.size)
    except (BadImage, FileNotFoundError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise BadImage(f"has too many pixels; at most {MAX_PIXELS:,} are decoded") from None
    except Image.UnidentifiedImageError:
        raise BadImage("is not a readable PNG, TIFF or JPEG image") from None
    except Exception as error:  # Whatever a decoder raises on a damaged file is the file's fault.
        if isinstance(error, OSError) and error.strerror:
            raise BadImage(f"cannot be read ({error.strerror})") from None
        raise BadImage(f"cannot be decoded ({' '.join(str(error).split()) or type(error).__name__})") from None


def _check(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadImage(f"is {width}x{height} pixels; at most {MAX_PIXELS:,} pixels are decoded")
    if abs(width - height) > SQUARENESS * max(width, height):
        raise BadImage(f"is {width}x{height} pixels; images must be square to within {SQUARENESS:.0%}: crop it")
    if getattr(image, "n_frames", 1) > 1:
        raise BadImage(f"holds {image.n_frames} images; give one per file")
    if image.mode.startswith("I;16") and getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        raise BadImage("counts white as zero; save it with black as zero")
    if image.mode in ("I", "F"):
        raise BadImage("has 32-bit pixels; save it with 8 or 16 bits")


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # 257 is odd, so adding 128 before the integer division rounds to nearest.
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    return image.convert("L")


def _resized(image: Image.Image, side: int) -> Image.Image:
    return image if image.size == (side, side) else image.resize((side, side), Image.Resampling.LANCZOS)
