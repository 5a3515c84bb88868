"""Damage that decoders pass over in silence: pixels that end early, and checksums that are not looked at."""

import io
import lzma
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image

from wool_board.errors import BadFile
from wool_board.image import headers, tiff_header

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass of an interlaced PNG the first column and row, and the steps between its columns and its rows."""

_PART = 1 << 20
"""Bytes that are unpacked at once."""

ENDS_EARLY = "cannot be decoded (its pixels end early; take a whole copy)"
DAMAGED = "cannot be decoded (its pixels are damaged; copy it again, or save it anew)"

_END_OF_CODE = re.compile(rb"\xff+[^\x00\xff]")
"""What ends a stretch of Huffman code in a JPEG: any marker, those of a restart too."""

_OTHER_CODE = bytes(np.random.default_rng(0).integers(0, 255, 64, np.uint8))
"""Code that means something else than the zeros by which decoders replace what is missing."""

_RESTARTS = range(0xD0, 0xD8)
"""Markers between stretches of one scan, in turns; the next one is put at its end, too, where it may be missing."""

_COEFFICIENTS = 64
_APPROXIMATED = 0xC2
"""The frame whose scans give coefficients bit by bit: progressive."""


def check_whole(file: BinaryIO, kind: str) -> None:
    """Raises BadFile if the pixels of a file are not all there, or damaged, where its decoder would not say so.

    Arguments:
        file: open for reading; is left at the place where it was.
        kind: the format; of DICOM, decoders say it.
    """
    place = file.tell()
    if kind == "PNG":
        _check_png(file)
    elif kind == "JPEG":
        file.seek(0)
        check_jpeg(file.read())
    elif kind == "TIFF":
        _check_tiff(file)
    file.seek(place)


def _check_tiff(file: BinaryIO) -> None:
    """Unpacks strips and tiles of which libtiff makes pixels whatever they are: what a JPEG lacks is grey, and behind a
    flaw of deflate or LZMA it goes on. Without compression, nothing tells damage."""
    compression, tables, parts = tiff_header.parts(file)
    for part in parts if compression in (tiff_header.JPEG, tiff_header.LZMA, *tiff_header.DEFLATE) else ():
        file.seek(part.start)
        content = file.read(part.size)
        if compression != tiff_header.JPEG:
            _check_stream(content, part.bytes, compression == tiff_header.LZMA)
            continue
        # Tables and code are files of their own, with a marker at the beginning and one at the end.
        whole = (tables[:-2] or content[:2]) + content[2:]
        _check_frame(whole, part)
        check_jpeg(whole)


def _check_frame(jpeg: bytes, part: tiff_header.Part) -> None:
    """Raises BadFile if a JPEG is smaller than the strip or tile whose pixels it has; what it lacks would be black."""
    frames = [head for marker, head in headers.segments(io.BytesIO(jpeg)) if marker in headers.FRAMES]
    height, width = struct.unpack(">HH", frames[0][1:5]) if frames and len(frames[0]) > 5 else (0, 0)
    if height < part.height or width < part.width:
        raise BadFile(DAMAGED)


def _check_stream(content: bytes, needed: int, is_lzma: bool) -> None:
    """Raises BadFile unless a stream of deflate or LZMA goes to its end and fits its checksum.

    Arguments:
        content: of the stream.
        needed: bytes that it must unpack to; of one that has far more, no more are unpacked.
        is_lzma: which of both it is.
    """
    stream = lzma.LZMADecompressor() if is_lzma else zlib.decompressobj()
    left = content
    try:
        while not stream.eof and needed > -_PART:
            found = stream.decompress(left, _PART)
            left = b"" if isinstance(stream, lzma.LZMADecompressor) else stream.unconsumed_tail
            if not found and not left:
                break
            needed -= len(found)
    except (zlib.error, lzma.LZMAError):
        raise BadFile(DAMAGED) from None
    if needed > 0 or not stream.eof:
        raise BadFile(ENDS_EARLY)


def _check_png(file: BinaryIO) -> None:
    """Unpacks the pixels; decoders leave grey what a stream that ends in order lacks, and need not look at its sum."""
    chunks = headers.chunks(file, pixels=True)
    width, height, bits, colour, *_, interlaced = struct.unpack(">IIBBBBB", next(chunks)[1])
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    parts = ((-(-(height - top) // down), -(-(width - left) // right)) for left, top, right, down in passes)
    channels = headers.CHANNELS[colour]
    missing = sum(rows * (1 - (-columns * channels * bits // 8)) for rows, columns in parts if columns > 0 and rows > 0)
    stream = zlib.decompressobj()
    try:
        for content in (content for name, content in chunks if name == b"IDAT"):
            while content and not stream.eof and missing > -_PART:
                missing -= len(stream.decompress(content, _PART))
                content = stream.unconsumed_tail
    except zlib.error:
        raise BadFile(DAMAGED) from None
    if missing > 0 or not stream.eof:
        raise BadFile(ENDS_EARLY)


def check_jpeg(content: bytes) -> None:
    """Raises BadFile if any scan of a JPEG ends early, or one is missing.

    Decoders put zeros where code is missing. So other code is put at the end of each of its stretches: it is passed
    over where all pixels are there, and changes them where they are not.
    """
    added, scans, frame = _stretches(content)
    _check_scans(scans, *frame)
    longer = io.BytesIO()
    start = 0
    for place, more in added:
        longer.write(content[start:place] + more)
        start = place
    longer.write(content[start:])
    try:
        first, second = _decoded(content), _decoded(longer.getvalue())
    except OSError:
        raise BadFile(ENDS_EARLY) from None
    if not np.array_equal(np.asarray(first), np.asarray(second)):
        raise BadFile(ENDS_EARLY)


def _decoded(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
        image.load()
        return image


def _stretches(content: bytes) -> tuple[list[tuple[int, bytes]], list[bytes], tuple[int, list[int]]]:
    """What is put where Huffman code ends, at which places; the heads of scans; the frame's marker and components."""
    added: list[tuple[int, bytes]] = []
    scans: list[bytes] = []
    frame: tuple[int, list[int]] = 0, []
    file = io.BytesIO(content)
    for marker, head in headers.segments(file):
        if marker in headers.FRAMES:
            frame = marker, list(head[6 : 6 + 3 * head[5] : 3])
        if marker != headers.START_OF_SCAN:
            continue
        scans.append(head)
        for restarts, end in enumerate(_END_OF_CODE.finditer(content, file.tell())):
            more = _OTHER_CODE
            if end[0][-1] not in _RESTARTS:
                more += bytes((0xFF, _RESTARTS[restarts % len(_RESTARTS)])) + _OTHER_CODE
                file.seek(end.start())
            added.append((end.start(), more))
            if end[0][-1] not in _RESTARTS:
                break
        else:
            raise BadFile(ENDS_EARLY)
    return added, scans, frame


def _check_scans(scans: list[bytes], frame: int, components: list[int]) -> None:
    """Raises BadFile unless all bits of all coefficients of all components are there."""
    missing = dict.fromkeys(((name, at) for name in components for at in range(_COEFFICIENTS)))
    for name, first, last, exact in _parts(scans):
        if frame != _APPROXIMATED:
            first, last, exact = 0, _COEFFICIENTS - 1, True
        for at in range(first, last + 1):
            if exact:
                missing.pop((name, at), None)
    if missing:
        raise BadFile(ENDS_EARLY)


def _parts(scans: list[bytes]) -> Iterator[tuple[int, int, int, bool]]:
    """Of each component of each scan its name, first and last coefficient, and whether their last bits are there."""
    for head in scans:
        if not head or len(head) < 4 + 2 * head[0]:
            raise BadFile(DAMAGED)
        first, last, bits = head[1 + 2 * head[0] : 4 + 2 * head[0]]
        for name in head[1 : 1 + 2 * head[0] : 2]:
            yield name, first, last, bits & 15 == 0
