"""Images decoded once, into one memory-mapped array on disk that is keyed by their content."""

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from wool_tf import files
from wool_tf.data import arrays, pixels
from wool_tf.data.listing import BadFiles, Entry, conflicts
from wool_tf.errors import first_line

FORMATS = ("PNG", "TIFF", "JPEG")

PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
"""Tag of TIFF, and its value for inverted grey, which Pillow heeds for 8 bits and not for 16."""

MAX_PIXELS = 50_000_000
"""A larger image is refused before it is decoded; 7000 × 7000 pixels are far beyond any crop."""

SQUARENESS = 0.02
"""How far an image may be from square, as a share of its longer side."""

Made = TypeVar("Made")
"""What a function makes of an open image."""

DECODING = 3
"""Part of the cache's key: raise it whenever `_decode` gives something else for the same file."""


def decoded(
    folder: Path,
    entries: Sequence[Entry],
    digests: Sequence[str],
    side: int,
    cache: Path,
    bad: BadFiles,
    skip: bool,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, list[Entry]]:
    """The pixels of images, from the cache where they are there.

    Arguments:
        folder: what the entries' paths are relative to.
        entries: the images.
        digests: what identifies the content of each one's file.
        side: int. Height and width that they are resized to.
        cache: folder, made if needed. Its files are named by a hash of the images' content and of `side`.
        bad: is told of images that cannot be decoded, and of those whose pixels, before any resizing, are another's.
        skip: whether the others are kept all the same; otherwise they are refused where `bad` knows of any file.
        progress: told of every image that is decoded: its number and how many there are.

    Returns:
        (n, side, side) uint8, a read-only memory map, and its entries in order.

    Raises:
        WoolError: a file is bad, or the cache cannot be written.
    """
    target = cache / _cache_name(entries, digests, side)
    flaws = _flaws(target)
    images = arrays.read(target, len(entries) - len(flaws), side)
    if images is None:
        flaws = _decode_all(folder, entries, side, target, skip or not bad.reasons, skip, progress)
    for path, flaw in flaws.items():
        bad.add(path, flaw)
    if not skip:
        bad.refuse()
    images = np.load(target, mmap_mode="r") if images is None else images
    return images, [entry for entry in entries if entry.path not in flaws]


def _cache_name(entries: Sequence[Entry], digests: Sequence[str], side: int) -> str:
    # Labels and groups decide which of two images that look the same have to go.
    content = [[entry.path, entry.label, entry.group, digest] for entry, digest in zip(entries, digests, strict=True)]
    key = hashlib.sha256(json.dumps([DECODING, side, content]).encode()).hexdigest()
    return f"images-{side}-{key[:32]}.npy"


def _flaws_path(target: Path) -> Path:
    return target.with_suffix(".json")


def _flaws(target: Path) -> dict[str, str]:
    """Why images were left out of a file of the cache, by their paths."""
    try:
        found = json.loads(_flaws_path(target).read_bytes())
    except (OSError, ValueError):  # None were, or it is damaged: then the array is found to be too short.
        return {}
    return found if isinstance(found, dict) else {}


def _decode_all(
    folder: Path,
    entries: Sequence[Entry],
    side: int,
    target: Path,
    keep: bool,
    skip: bool,
    progress: Callable[[int, int], None] | None,
) -> dict[str, str]:
    """Writes the pixels to a file of the cache, if wanted, and returns the flaws."""
    flaws, shown = {}, []
    with arrays.writing(target, side) as images:
        for number, entry in enumerate(entries, start=1):
            if progress:
                progress(number, len(entries))
            found = _decode(folder / entry.path, side)
            if isinstance(found, str):
                flaws[entry.path] = found
                continue
            shown.append((entry, found.digest))
            if keep and (skip or not flaws):
                images.add(found.pixels)
        # The same picture in another file: saved anew, or in another format.
        same = conflicts(shown)
        flaws |= same
        if not keep or (flaws and not skip):
            images.drop()
            return flaws
        images.keep([entry.path not in same for entry, _ in shown])
        if flaws:
            files.write(_flaws_path(target), json.dumps(flaws).encode())
    return flaws


class _Decoded(NamedTuple):
    """An image.

    Attributes:
        pixels: (side, side) of uint8.
        digest: SHA-256 in hex of what the file shows, in its own size: of which images are the same no size decides.
    """

    pixels: np.ndarray
    digest: str


def _decode(file: Path, side: int) -> _Decoded | str:
    """The image of a file, or the reason why the file is bad."""
    return opened(file, FORMATS, lambda image: header_flaw(image) or _decoded_image(_grey(image), side))


def _decoded_image(image: Image.Image, side: int) -> _Decoded:
    digest = hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
    return _Decoded(np.asarray(pixels.lanczos(image, (side, side))), digest)


def opened(file: Path, formats: tuple[str, ...], use: Callable[[Image.Image], Made]) -> Made | str:
    """What a function makes of an image, or the reason, a str, why the file is no image that can be decoded.

    Arguments:
        file: of the image.
        formats: Pillow's names of those that are read, two or more.
        use: function of the open image.
    """
    try:
        with warnings.catch_warnings():
            # Remarks on metadata must not reach the user; too many pixels must.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=formats) as image:
                return use(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return f"has too many pixels; at most {MAX_PIXELS:,} are decoded"
    except Image.UnidentifiedImageError:
        return f"is not a readable {', '.join(formats[:-1])} or {formats[-1]} image"
    except Exception as error:  # Whatever a decoder raises on a damaged file is the file's fault.
        return f"cannot be decoded ({first_line(error)})"


def header_flaw(image: Image.Image) -> str | None:
    """Why an open image cannot be used, as far as its header tells, or None."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"is {width}x{height} pixels; at most {MAX_PIXELS:,} pixels are decoded"
    if abs(width - height) > SQUARENESS * max(width, height):
        return f"is {width}x{height} pixels; images must be square to within {SQUARENESS:.0%}: crop it"
    if (frames := getattr(image, "n_frames", 1)) > 1:
        return f"holds {frames} images; give one per file"
    if image.mode.startswith("I;16") and getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        return "counts white as zero; save it with black as zero"
    if image.mode in ("I", "F"):
        return "has 32-bit pixels; save it with 8 or 16 bits"
    return None


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # 257 is odd, so adding 128 before the integer division rounds to nearest.
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    return image.convert("L")
