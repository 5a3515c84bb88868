"""The head of a TIFF: its tags, read without any decoder, and which variants are read.

TIFF leaves a writer so much freedom that decoders differ. So a file is read where its tags keep to a list on which they
agree, and refused by name where they do not; a decoder never decides.
"""

import enum
import os
import re
import struct
from typing import BinaryIO, NamedTuple

from wool_board.errors import BadFile
from wool_board.image.variants import (
    COLOURS,
    MAX_PIXELS,
    NEGATIVE,
    NO_COUNTS,
    SIGNED,
    UPRIGHT,
    Variant,
    check_bits,
    check_upright,
    noted_orientation,
)

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first bytes of classic TIFF and BigTIFF in both byte orders."""

_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q", 18: "Q"}


class _Tag(enum.IntEnum):
    """The tags that are looked at."""

    SUBFILE = 254
    OLD_SUBFILE = 255
    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    DESCRIPTION = 270
    STRIPS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS = 278
    STRIP_BYTES = 279
    PLANAR = 284
    PREDICTOR = 317
    COLOUR_MAP = 320
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILES = 324
    TILE_BYTES = 325
    SUB_DIRECTORIES = 330
    EXTRA = 338
    FORMAT = 339
    JPEG_TABLES = 347
    XMP = 700


JPEG, DEFLATE, LZMA = 7, (8, 32946), 34925
_PREDICTABLE = {5, *DEFLATE, LZMA, 50000}
"""Compressions that a predictor goes with, LZW, deflate, LZMA and Zstandard; with others its meaning is not defined."""
_COMPRESSIONS = {1, JPEG, 32773} | _PREDICTABLE
"""Those that are read: also none, JPEG and PackBits."""
_KEEP = "save it without compression, or with LZW or deflate"

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _YCBCR: 3}
_ALPHA = {_BLACK_IS_ZERO: ((2,),), _RGB: ((1,), (2,))}
"""Extra samples that are alpha, multiplied into the others (1) or not (2), which does not matter where all is opaque.
Pillow has no way from grey with the former to grey."""

_STACK = re.compile(rb"\AImageJ=.*^images=(\d+)", re.DOTALL | re.MULTILINE)
_SHAPE = re.compile(rb'\A\{"shape": \[([\d, ]{1,80})\]')

Tags = dict[int, tuple[int, ...]]


class _Layout(NamedTuple):
    """How classic TIFF or BigTIFF lays out a directory: byte order, and formats of number, entry and offset."""

    order: str
    number: str
    entry: str
    offset: str

    def read(self, file: BinaryIO, kind: str) -> tuple[int, ...]:
        size = struct.calcsize(self.order + kind)
        return struct.unpack(self.order + kind, file.read(size))


class Part(NamedTuple):
    """A strip or tile.

    Attributes:
        start, size: of its content in the file, in bytes.
        width, height: of what it holds of the image, in pixels.
        bytes: of its samples, once they are unpacked.
    """

    start: int
    size: int
    width: int
    height: int
    bytes: int


def parts(file: BinaryIO) -> tuple[int, bytes, list[Part]]:
    """How a file that `variant` accepts is compressed, the tables that its JPEGs share, and its strips or tiles.

    Arguments:
        file: open for reading, at any place; is left at any other.
    """
    tags = _single(file)
    across, down, starts, sizes = _grid(tags)
    width, height = _one(tags, _Tag.WIDTH, 0), _one(tags, _Tag.HEIGHT, 0)
    columns, pixel = -(-width // across), _one(tags, _Tag.SAMPLES, 1) * _one(tags, _Tag.BITS, 1) // 8
    found = []
    for number, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        x, y = number % columns * across, number // columns * down
        shown = min(across, width - x), min(down, height - y)
        found.append(Part(start, size, *shown, pixel * across * (down if _Tag.TILES in tags else shown[1])))
    return _one(tags, _Tag.COMPRESSION, 1), bytes(tags.get(_Tag.JPEG_TABLES, ())), found


def variant(file: BinaryIO) -> Variant:
    """What a TIFF holds, by its tags.

    Arguments:
        file: open for reading, at any place; is left at any other.

    Raises:
        BadFile: it is damaged, or a variant that is not read.
    """
    file.seek(0)
    if file.read(4) == MAGIC[-1]:
        raise BadFile("is a BigTIFF of big-endian byte order; save it as plain TIFF")
    tags = _single(file)
    _check_upright(tags)
    found = _pixels(tags)
    _check_layout(tags)
    return found


def _single(file: BinaryIO) -> Tags:
    """The tags of the only image of a file."""
    try:
        tags, images = _directories(file)
    except (struct.error, ValueError, OverflowError):
        raise BadFile("is a damaged TIFF; copy it again, or save it anew") from None
    if images > 1:
        raise BadFile(f"holds {images} images; give one per file")
    if _Tag.SUB_DIRECTORIES in tags:
        raise BadFile("holds further images within its image (thumbnails or layers); save the one image alone")
    if _one(tags, _Tag.SUBFILE, 0) & 5 or _one(tags, _Tag.OLD_SUBFILE, 1) == 2:
        raise BadFile("holds a thumbnail or a mask (its subfile type says so); save the image itself")
    description = bytes(tags.get(_Tag.DESCRIPTION, ()))
    stack, shape = _STACK.match(description), _SHAPE.match(description)
    if stack and int(stack[1]) > 1:
        raise BadFile(f"holds {int(stack[1])} images (a stack of ImageJ); give one per file")
    if shape:
        samples = 1
        for length in shape[1].split(b","):
            samples *= int(length)
        if samples != _one(tags, _Tag.WIDTH, 0) * _one(tags, _Tag.HEIGHT, 0) * _one(tags, _Tag.SAMPLES, 1):
            raise BadFile(f"holds several images (shape {shape[1].decode()}); give one per file")
    return tags


def _directories(file: BinaryIO) -> tuple[Tags, int]:
    """The tags of the first directory, and how many there are; raises ValueError or struct.error if damaged."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(4)
    order = "<" if magic[:1] == b"I" else ">"
    if magic in MAGIC[:2]:
        layout = _Layout(order, "H", "HHI4s", "I")
    else:
        layout = _Layout(order, "Q", "HHQ8s", "Q")
        if layout.read(file, "HH") != (8, 0):
            raise ValueError(magic)
    (offset,) = layout.read(file, layout.offset)
    seen: set[int] = set()
    first: Tags = {}
    while offset:
        if offset in seen:
            raise ValueError(offset)
        file.seek(offset)
        (count,) = layout.read(file, layout.number)
        if count * struct.calcsize(layout.order + layout.entry) > end:
            raise ValueError(count)
        entries = [layout.read(file, layout.entry) for _ in range(count)]
        (following,) = layout.read(file, layout.offset)
        if not seen:
            first = _values(file, layout, entries, end)
        seen.add(offset)
        offset = following
    if not first:
        raise ValueError("no directory")
    return first, len(seen)


def _values(file: BinaryIO, layout: _Layout, entries: list, end: int) -> Tags:
    tags: Tags = {}
    for tag, kind, count, inline in entries:
        if tag not in set(_Tag):
            continue
        if tag in tags or kind not in _TYPES:
            raise ValueError(tag)
        form = f"{count}{_TYPES[kind]}"
        size = struct.calcsize(layout.order + form)
        if size > end:
            raise ValueError(count)
        if size <= len(inline):
            tags[tag] = struct.unpack(layout.order + form, inline[:size])
        else:
            file.seek(struct.unpack(layout.order + layout.offset, inline)[0])
            tags[tag] = layout.read(file, form)
    return tags


def _one(tags: Tags, tag: int, default: int) -> int:
    """The value of a tag; where it has several, the one that they share."""
    values = set(tags.get(tag, (default,)))
    if len(values) != 1:
        several = ", ".join(map(str, sorted(values)[:3]))
        raise BadFile(f"has {len(values)} different values ({several} …) in its TIFF tag {tag}; save it anew with one")
    return values.pop()


def orientation(exif: BinaryIO) -> int:
    """The orientation that a block of Exif names, which is laid out as a TIFF; `UPRIGHT` where it names none."""
    try:
        tags, _ = _directories(exif)
    except (struct.error, ValueError, OverflowError):
        return UPRIGHT
    return _one(tags, _Tag.ORIENTATION, UPRIGHT)


def _check_upright(tags: Tags) -> None:
    # Some decoders turn by the note where there is no tag.
    note = noted_orientation(bytes(value & 255 for value in tags.get(_Tag.XMP, ())))
    check_upright(_one(tags, _Tag.ORIENTATION, note))


def _check_layout(tags: Tags) -> None:
    """Raises BadFile unless decoders agree how the samples lie in the file."""
    compression, predictor = _one(tags, _Tag.COMPRESSION, 1), _one(tags, _Tag.PREDICTOR, 1)
    if compression not in _COMPRESSIONS:
        raise BadFile(f"has a TIFF compression that is not read ({compression}); {_KEEP}")
    if predictor != 1 and not (predictor == 2 and compression in _PREDICTABLE):
        raise BadFile(f"has predictor {predictor} with compression {compression}; {_KEEP} and no predictor")
    if _one(tags, _Tag.PLANAR, 1) != 1:
        raise BadFile("stores each channel by itself (planar configuration 2); save it with channels interleaved")
    if _one(tags, _Tag.FILL_ORDER, 1) != 1:
        raise BadFile("has the bits of each byte in reverse (fill order 2); save it with fill order 1")
    width, height = _one(tags, _Tag.WIDTH, 0), _one(tags, _Tag.HEIGHT, 0)
    across, down, offsets, sizes = _grid(tags)
    # A tile may be larger than its image, but decoders take memory for all of it.
    if not (width and height and 0 < across * down <= max(width * height, MAX_PIXELS)) or (
        _Tag.TILES in tags and _Tag.STRIPS in tags
    ):
        raise BadFile("is a damaged TIFF; copy it again, or save it anew")
    needed = -(-width // across) * -(-height // down)
    if len(offsets) != needed or len(sizes) != needed:
        raise BadFile(f"names {len(offsets)} strips or tiles where its size needs {needed}; save it anew")
    # Some decoders take a part that was left out for zeros, others for what lies at the start of the file.
    if not (all(offsets) and all(sizes)):
        raise BadFile("leaves out strips or tiles (a sparse TIFF); save it with all of them")


def _grid(tags: Tags) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """Width and height of strips or tiles, and of each where it begins and how many bytes it has."""
    if _Tag.TILES in tags:
        across, down = _one(tags, _Tag.TILE_WIDTH, 0), _one(tags, _Tag.TILE_HEIGHT, 0)
        return across, down, tags[_Tag.TILES], tags.get(_Tag.TILE_BYTES, ())
    height = _one(tags, _Tag.HEIGHT, 0)
    rows = min(_one(tags, _Tag.ROWS, height), height)
    return _one(tags, _Tag.WIDTH, 0), rows, tags.get(_Tag.STRIPS, ()), tags.get(_Tag.STRIP_BYTES, ())


def _pixels(tags: Tags) -> Variant:
    """What the samples are; raises BadFile if that is not read."""
    photometric, samples, extra = (
        _one(tags, _Tag.PHOTOMETRIC, -1),
        _one(tags, _Tag.SAMPLES, 1),
        tags.get(_Tag.EXTRA, ()),
    )
    bits = _one(tags, _Tag.BITS, 1)
    check_bits(bits)
    sample_format = _one(tags, _Tag.FORMAT, 1)
    if sample_format != 1:
        raise BadFile(SIGNED if sample_format == 2 else f"has samples of format {sample_format}; save them unsigned")
    compression = _one(tags, _Tag.COMPRESSION, 1)
    if photometric not in _CHANNELS or (photometric == _YCBCR and compression != JPEG):
        said = "does not say what its samples mean" if photometric == -1 else f"has colours of type {photometric}"
        raise BadFile(f"{said} (photometric interpretation); save it as grey with black as zero, or as RGB")
    if samples != _CHANNELS[photometric] + len(extra) or (extra and extra not in _ALPHA.get(photometric, ())):
        raise BadFile(f"has {samples} samples per pixel, not just grey, RGB or plain alpha; save it as grey or RGB")
    grey = photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    if bits == 16 and (not grey or extra or compression == JPEG):
        raise BadFile(COLOURS)
    if photometric == _WHITE_IS_ZERO and bits == 16:
        raise BadFile("counts white as zero; save it with black as zero")
    if photometric == _PALETTE:
        _check_palette(tags.get(_Tag.COLOUR_MAP, ()), 2**bits)
    flaw = NO_COUNTS if extra or not grey else NEGATIVE if photometric == _WHITE_IS_ZERO else ""
    return Variant("TIFF", grey=grey, top=2**bits - 1, alpha=bool(extra), scan_flaw=flaw)


def _check_palette(values: tuple[int, ...], colours: int) -> None:
    """Raises BadFile if a palette is not one of 16-bit values; some decoders take 8 bits in them for what they are."""
    if len(values) != 3 * colours:
        raise BadFile(f"has a palette of {len(values)} values where {3 * colours} are needed; save it as grey or RGB")
    if max(values) < 256:
        raise BadFile("has a palette of 8-bit values where TIFF has 16, which is read as black; save it as grey or RGB")
