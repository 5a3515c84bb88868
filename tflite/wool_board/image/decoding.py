"""Image files become crops: which files can be used, and how they become grey pixels of one size.

Which variants of a format are read is decided by the head of a file (`headers`, `dicom`), before a decoder sees it.
"""

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from wool_board.errors import BadFile, MissingFile, in_one_line
from wool_board.image import damage, dicom, headers, sample_range
from wool_board.image.headers import FORMATS
from wool_board.image.variants import FULL, MAX_PIXELS, Variant

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".dcm", ".dcn")
"""Of the files of a folder that are taken for images."""
OTHER_SUFFIXES = (
    ".avif", ".bmp", ".dib", ".dng", ".emf", ".exr", ".fit", ".fits", ".gif", ".heic", ".heif", ".hdr", ".j2k", ".jfif",
    ".jif", ".jp2", ".jpe", ".jpf", ".jpx", ".jxl", ".jxr", ".npy", ".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".tga",
    ".webp",
)  # fmt: skip
"""Of images that nobody reads here, which a person may have expected to be looked at."""
_SILENCING = threading.Lock()
SQUARENESS = 0.02
"""How far an image may be from square, as a share of its longer side."""


class OpenImage(NamedTuple):
    """An image that is open, what its head says, and its file."""

    image: Image.Image
    variant: Variant
    file: BinaryIO

    def pixels(self) -> Image.Image:
        """The image, decoded.

        Raises:
            BadFile: its pixels are not all there, or damaged.
            Exception: of any type, which is the decoder's.
        """
        damage.check_whole(self.file, self.variant.format)
        with _silence() if self.variant.format == "TIFF" else contextlib.nullcontext():
            self.image.load()
        return self.image


class DecodedCrop(NamedTuple):
    """What a network looks at.

    Attributes:
        pixels: (side, side) of uint8.
        size: width and height of the image in the file.
        unsure: whether its samples have 16 bits, and nobody says how much of their range the detector uses.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    unsure: bool = False

    @property
    def resized(self) -> bool:
        """Whether the image had another size."""
        return self.size != self.pixels.shape[::-1]


def read(path: Path, side: int, white: int | None = None) -> DecodedCrop:
    """The image of a file, grey and resized to a side.

    Arguments:
        path, white: as for `read_grey`.
        side: height and width in pixels.

    Raises:
        BadFile, MissingFile: as `read_grey`.
    """
    image, variant = _decoded(path, white)
    unsure = white is None and variant.top == FULL
    return DecodedCrop(np.asarray(lanczos(image, (side, side))), image.size, unsure)


def read_grey(path: Path, white: int | None = None) -> Image.Image:
    """The image of a file in its own size, as 8-bit grey.

    Arguments:
        path: of the file.
        white: the highest value that the detector gives in 16-bit files, see `Variant.top_with`; None: 65535. Specks
            beyond are clipped (`sample_range`).

    Raises:
        BadFile: the file cannot be read, is no image that a network could be trained on, or more of it than specks is
            beyond white.
        MissingFile: it is not there.
    """
    return _decoded(path, white)[0]


def _decoded(path: Path, white: int | None) -> tuple[Image.Image, Variant]:
    with opened(path, FORMATS) as found:
        _check_crop(found.image)
        return _grey(found, white), found.variant


def full_samples(path: Path) -> np.ndarray | None:
    """The samples of a crop of 16 bits that does not say how much of their range is used; None of any other.

    Raises:
        BadFile, MissingFile: as `read_grey`.
    """
    with opened(path, FORMATS) as found:
        _check_crop(found.image)
        return np.asarray(found.pixels()) if found.variant.top == FULL else None


def crop_size(path: Path) -> tuple[int, int]:
    """Width and height of the image of a file, as far as its head tells that it can be a crop.

    Raises:
        BadFile, MissingFile: as `read_grey`.
    """
    with opened(path, FORMATS) as found:
        _check_crop(found.image)
        return found.image.size


@contextlib.contextmanager
def opened(path: Path, formats: tuple[str, ...]) -> Iterator[OpenImage]:
    """An image that is open, and not decoded yet, while the context lasts; what its decoder raises is the file's fault.

    Arguments:
        path: of the file.
        formats: of `FORMATS`, those that are read, two or more.

    Raises:
        BadFile: the file cannot be read or decoded, or is a variant of its format that is not read.
        MissingFile: it is not there.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise BadFile("is not a file")  # To open a FIFO would wait for its writer.
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:
            # Remarks on metadata must not reach the user; too many pixels must.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            kind = headers.format_of(file, formats)
            if kind == "DICOM":
                yield OpenImage(*dicom.opened(file), file)
                return
            variant = headers.variant(file, kind)
            file.seek(0)
            with Image.open(file, formats=(kind,)) as image:
                _check_single(image)
                yield OpenImage(image, variant, file)
    except BadFile:
        raise
    except FileNotFoundError as error:
        raise MissingFile(f"cannot be read ({error.strerror})") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise BadFile(f"has too many pixels; at most {MAX_PIXELS:,} are decoded") from None
    except Image.UnidentifiedImageError:
        raise BadFile(f"is a {kind} that cannot be decoded; copy it again, or save it anew") from None
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise BadFile(f"cannot be read ({error.strerror})") from None
        raise BadFile(_flaw(kind, error)) from None


def _flaw(kind: str, error: Exception) -> str:
    """What a decoder's exception comes to; only Pillow's own say something to a person."""
    if isinstance(error, MemoryError):
        return "cannot be decoded (it takes more memory than there is)"
    if kind != "DICOM" and type(error) in (OSError, SyntaxError):
        return f"cannot be decoded ({in_one_line(error)}; copy it again, or save it anew)"
    return f"is a damaged {kind}; copy it again, or save it anew"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps libtiff from writing lines of its own to the standard error; what is wrong is raised anyway."""
    with _SILENCING:
        try:
            kept = os.dup(2)
        except OSError:  # It is closed: nothing is written.
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _check_single(image: Image.Image) -> None:
    images = getattr(image, "n_frames", 1)
    if images > 1:
        raise BadFile(f"holds {images} images; give one per file")


def _check_crop(image: Image.Image) -> None:
    """Raises BadFile if an open image cannot be a crop, as far as its size tells."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadFile(f"is {width}x{height} pixels; at most {MAX_PIXELS:,} pixels are decoded")
    if abs(width - height) > SQUARENESS * max(width, height):
        raise BadFile(f"is {width}x{height} pixels; images must be square to within {SQUARENESS:.0%}: crop it")


def _grey(found: OpenImage, white: int | None) -> Image.Image:
    """An image as 8-bit grey: of colours the luma (ITU-R 601-2), of more bits as `to_grey`."""
    image, variant = found.pixels(), found.variant
    if variant.alpha:
        _check_opaque(image)
    if variant.top == 255 and not variant.inverted:
        return image.convert("L")
    top = variant.top_with(white)
    samples = sample_range.within(np.asarray(image), top)
    return Image.fromarray(to_grey(top - samples if variant.inverted else samples, top))


def to_grey(samples: np.ndarray, top: int) -> np.ndarray:
    """Samples as uint8: v · 255 / top, rounded to nearest, halves up.

    Arguments:
        samples: of uint8 or uint16, at most the top.
        top: the highest value that there can be, at least 255.
    """
    return ((samples.astype(np.uint32) * 255 + top // 2) // top).astype(np.uint8)


def _check_opaque(image: Image.Image) -> None:
    """Raises BadFile if any pixel is not fully opaque: what is seen there depends on what lies behind."""
    whole = image.convert("RGBA") if image.mode == "P" else image
    lowest, _ = whole.getchannel(len(whole.getbands()) - 1).getextrema()
    if lowest != 255:
        raise BadFile("is transparent in places; save it without alpha")


def lanczos(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An image in another width and height, by Pillow's antialiased Lanczos filter; with the same ones, it is itself.

    The filter weights the same at every position whatever the factor (a box filter counts whole pixels, so for 244 → 72
    its noise would follow a grid), it keeps the mean, and it keeps more contrast of small dense spots than a bilinear
    one.
    """
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
