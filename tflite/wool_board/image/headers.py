"""The head of an image file, read without any decoder: which format and variant it is, or why it is refused."""

import io
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from wool_board.errors import BadFile
from wool_board.image import tiff_header
from wool_board.image.variants import (
    COLOURS,
    NO_COUNTS,
    UPRIGHT,
    Variant,
    check_upright,
    noted_orientation,
)

FORMATS = ("PNG", "TIFF", "JPEG", "DICOM")
_PNG, _JPEG, _DICOM, _PREAMBLE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"DICM", 128

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
"""Colour types of PNG."""

CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}
"""Samples of a pixel of each colour type."""
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _RGB_ALPHA: (8, 16),
}
"""Bits that the samples of each may have."""
_EXIF = b"Exif\0\0"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_RAW_PROFILE = re.compile(rb"Raw profile type (?:exif|APP1)\0\s*\w+\s+\d+\s")
MOST_TEXT = 1 << 20
"""Bytes of a text that are unpacked; notes on an image are far shorter."""
START_OF_SCAN, _END = 0xDA, 0xD9
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""Markers of JPEG that begin a frame; 0xF7 is that of JPEG-LS."""
_HUFFMAN_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""Markers of JPEG without anything behind them."""


def format_of(file: BinaryIO, formats: Sequence[str]) -> str:
    """Which of the formats a file is of, whatever its name.

    Arguments:
        file: open for reading, at any place; is left at any other.
        formats: of FORMATS, two or more.

    Raises:
        BadFile: none of them.
    """
    file.seek(0)
    head = file.read(_PREAMBLE + len(_DICOM))
    found = ""
    # DICOM leaves its first bytes free, and some writers put the head of another format there.
    if head[_PREAMBLE:] == _DICOM:
        found = "DICOM"
    elif head.startswith(_PNG):
        found = "PNG"
    elif head.startswith(tiff_header.MAGIC):
        found = "TIFF"
    elif head.startswith(_JPEG):
        found = "JPEG"
    if found not in formats:
        raise BadFile(f"is not a readable {', '.join(formats[:-1])} or {formats[-1]} image")
    return found


def variant(file: BinaryIO, kind: str) -> Variant:
    """What a PNG, TIFF or JPEG holds, by its head.

    Arguments:
        file: open for reading, at any place; is left at any other.
        kind: which of them it is.

    Raises:
        BadFile: it is damaged, or a variant that is not read.
    """
    return {"PNG": _png, "TIFF": tiff_header.variant, "JPEG": _jpeg}[kind](file)


def _png(file: BinaryIO) -> Variant:
    found = chunks(file)
    name, head = next(found, (b"", b""))
    if name != b"IHDR" or len(head) != 13:
        raise BadFile("is a damaged PNG, or a kind that is not read; save it anew")
    bits, colour = head[8:10]
    clear = coloured = False
    for name, content in found:
        clear |= name == b"tRNS"
        if name == b"acTL":
            raise BadFile("is an animation; give one image per file")
        if name == b"eXIf":
            # Some programs leave the name before it that JPEG has there.
            check_upright(tiff_header.orientation(io.BytesIO(content.removeprefix(_EXIF))))
        if name in _TEXTS:
            text = _text(name, content)
            check_upright(noted_orientation(text))
            if profile := _RAW_PROFILE.match(text):
                check_upright(tiff_header.orientation(io.BytesIO(_raw(text[profile.end() :]).removeprefix(_EXIF))))
        coloured |= name == b"PLTE"
    if colour == _PALETTE and not coloured:
        raise BadFile("is a damaged PNG without its palette; save it anew")
    if bits == 16 and (colour != _GREY or clear):
        raise BadFile(COLOURS)
    if clear and colour != _PALETTE:
        raise BadFile("has a colour that stands for transparent; save it without")
    if not head[:4].strip(b"\0") or not head[4:8].strip(b"\0") or bits not in _DEPTHS.get(colour, ()):
        raise BadFile("is a damaged PNG, or a kind that is not read; save it anew")
    grey = colour in (_GREY, _GREY_ALPHA)
    alpha = clear or colour in (_GREY_ALPHA, _RGB_ALPHA)
    flaw = NO_COUNTS if colour != _GREY else f"has {bits}-bit pixels; save it with 8 or 16 bits" if bits < 8 else ""
    # Fewer bits than 8 are what programs make of 8 that use few values: decoders widen them to the same 8 again.
    return Variant("PNG", grey, 65535 if bits == 16 else 255, alpha, scan_flaw=flaw)


def _text(name: bytes, content: bytes) -> bytes:
    """Keyword and text of a PNG's chunk of text, unpacked."""
    keyword, _, rest = content.partition(b"\0")
    packed = name == b"zTXt" or (name == b"iTXt" and rest[:1] == b"\1")
    if name == b"iTXt":
        rest = rest[2:].split(b"\0", 2)[-1]
    elif packed:
        rest = rest[1:]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, MOST_TEXT)
        except zlib.error:
            raise BadFile("is a damaged PNG; save it anew") from None
    return keyword + b"\0" + rest


def _raw(text: bytes) -> bytes:
    """The bytes of a profile as ImageMagick writes it: in hex, behind its length."""
    try:
        return bytes.fromhex(b"".join(text.split()).decode("ascii"))
    except ValueError:
        raise BadFile("is a PNG with a damaged profile; save it anew") from None


def chunks(file: BinaryIO, pixels: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """The names of a PNG's chunks, each with its content, to where the file ends or is cut; pixels only if wanted."""
    file.seek(len(_PNG))
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"IDAT" and not pixels:
            file.seek(length, io.SEEK_CUR)
            yield name, b""
        else:
            yield name, file.read(length)
        file.seek(4, io.SEEK_CUR)


def _jpeg(file: BinaryIO) -> Variant:
    components, orientation = 0, UPRIGHT
    for marker, content in segments(file):
        if marker == START_OF_SCAN:
            break
        if marker == 0xE1 and content.startswith(_EXIF):
            orientation = tiff_header.orientation(io.BytesIO(content[len(_EXIF) :]))
        elif marker == 0xE1:
            check_upright(noted_orientation(content))
        if marker in FRAMES:
            if marker not in _HUFFMAN_FRAMES or len(content) < 6 or content[0] != 8:
                raise BadFile("is a JPEG of a rare kind (lossless, arithmetic or not of 8 bits); save it as PNG")
            components = content[5]
    check_upright(orientation)
    if components not in (1, 3):
        found = f"has {components} colour channels" if components else "is a damaged JPEG"
        raise BadFile(f"{found}; save it as grey or RGB")
    return Variant("JPEG", grey=components == 1, scan_flaw=NO_COUNTS if components == 3 else "")


def segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The markers of a JPEG with what is behind them, to its end or the file's.

    Behind the marker of a scan is its head; whoever reads on seeks the end of the code that follows.
    """
    file.seek(2)
    while file.read(1) == b"\xff":
        byte = file.read(1)
        while byte == b"\xff":  # Any number may stand before a marker.
            byte = file.read(1)
        if not byte or byte[0] == _END:
            return
        if byte[0] not in _ALONE:
            length = file.read(2)
            yield byte[0], file.read(max(0, int.from_bytes(length, "big") - 2))
