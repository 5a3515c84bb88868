"""Image files become crops: which files can be used, and how they become grey pixels of one size."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from wool_board.errors import BadFile, MissingFile, in_one_line

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
"""Of the files of a folder that are taken for images."""
FORMATS = ("PNG", "TIFF", "JPEG")
MAX_PIXELS = 50_000_000
"""A larger image is refused before it is decoded; 7000 × 7000 pixels are far beyond any crop."""
SQUARENESS = 0.02
"""How far an image may be from square, as a share of its longer side."""
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
"""Tag of TIFF, and its value for inverted grey, which Pillow heeds for 8 bits and not for 16."""


class DecodedCrop(NamedTuple):
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


def read(path: Path, side: int) -> DecodedCrop:
    """The image of a file, grey and resized to a side.

    Raises:
        BadFile: the file cannot be read, or is no image that a network could be trained on.
        MissingFile: it is not there.
    """
    with opened(path, FORMATS) as image:
        check_crop(image)
        return DecodedCrop(np.asarray(lanczos(grey(image), (side, side))), image.size)


@contextlib.contextmanager
def opened(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """An image that is open while the context lasts; whatever its decoder raises there is the file's fault.

    Arguments:
        path: of the file.
        formats: Pillow's names of those that are read, two or more.

    Raises:
        BadFile: the file cannot be read or decoded.
        MissingFile: it is not there.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise BadFile("is not a file")  # To open a FIFO would wait for its writer.
    try:
        with warnings.catch_warnings():
            # Remarks on metadata must not reach the user; too many pixels must.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as image:
                yield image
    except BadFile:
        raise
    except FileNotFoundError as error:
        raise MissingFile(f"cannot be read ({error.strerror})") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise BadFile(f"has too many pixels; at most {MAX_PIXELS:,} are decoded") from None
    except Image.UnidentifiedImageError:
        raise BadFile(f"is not a readable {', '.join(formats[:-1])} or {formats[-1]} image") from None
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise BadFile(f"cannot be read ({error.strerror})") from None
        raise BadFile(f"cannot be decoded ({in_one_line(error)})") from None


def check_crop(image: Image.Image) -> None:
    """Raises BadFile if an open image cannot be a crop, as far as its header tells."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadFile(f"is {width}x{height} pixels; at most {MAX_PIXELS:,} pixels are decoded")
    if abs(width - height) > SQUARENESS * max(width, height):
        raise BadFile(f"is {width}x{height} pixels; images must be square to within {SQUARENESS:.0%}: crop it")
    check_single(image)
    if image.mode.startswith("I;16") and counts_white_as_zero(image):
        raise BadFile("counts white as zero; save it with black as zero")
    if image.mode in ("I", "F"):
        raise BadFile("has 32-bit pixels; save it with 8 or 16 bits")


def check_single(image: Image.Image) -> None:
    """Raises BadFile if a file holds several images."""
    images = getattr(image, "n_frames", 1)
    if images > 1:
        raise BadFile(f"holds {images} images; give one per file")


def counts_white_as_zero(image: Image.Image) -> bool:
    """Whether a TIFF says that its lowest value is white; Pillow turns such pixels round if they have 8 bits."""
    return getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def grey(image: Image.Image) -> Image.Image:
    """An image as 8-bit grey: of colours the luma (ITU-R 601-2), of 16 bits the upper ones, rounded."""
    if image.mode.startswith("I;16"):
        # 257 is odd, so adding 128 before the integer division rounds to nearest.
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    return image.convert("L")


def lanczos(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An image in another width and height, by Pillow's antialiased Lanczos filter; with the same ones, it is itself.

    The filter weights the same at every position whatever the factor (a box filter counts whole pixels, so for 244 → 72
    its noise would follow a grid), it keeps the mean, and it keeps more contrast of small dense spots than a bilinear
    one.
    """
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
