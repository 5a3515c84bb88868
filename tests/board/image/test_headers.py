"""Heads of PNG that say how the image is to be turned, in every way that programs write."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from wool_board.errors import BadFile
from wool_board.image import decoding

EXIF = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0%c\0\0\0\0\0\0\0"
"""Exif with an orientation and nothing else."""


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def raw_profile(orientation: int) -> bytes:
    exif = b"Exif\0\0" + EXIF % orientation
    return b"\nexif\n%8d\n" % len(exif) + exif.hex().encode() + b"\n"


def xmp(text: bytes) -> bytes:
    return b"XML:com.adobe.xmp\0" + text


WAYS = {
    "eXIf": lambda n: chunk(b"eXIf", EXIF % n),
    "eXIf with JPEG's name before it": lambda n: chunk(b"eXIf", b"Exif\0\0" + EXIF % n),
    "raw profile": lambda n: chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(n)),
    "packed raw profile": lambda n: chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(n))),
    "XMP": lambda n: chunk(b"iTXt", xmp(b"\0\0\0\0<x tiff:Orientation='%d'/>" % n)),
    "XMP with blanks": lambda n: chunk(b"iTXt", xmp(b'\0\0\0\0<x tiff:Orientation = "%d"/>' % n)),
    "packed XMP": lambda n: chunk(b"iTXt", xmp(b"\1\0\0\0" + zlib.compress(b'<x tiff:Orientation="%d"/>' % n))),
}


@pytest.fixture(scope="module")
def png(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("png") / "plain.png"
    Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64).astype(np.uint8)).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_png_that_is_to_be_turned_is_refused_and_an_upright_one_is_read(way, png, tmp_path):
    head, rest = png[:33], png[33:]
    (tmp_path / "turned.png").write_bytes(head + way(6) + rest)
    (tmp_path / "upright.png").write_bytes(head + way(1) + rest)
    assert decoding.read(tmp_path / "upright.png", 64).size == (64, 64)
    with pytest.raises(BadFile, match="orientation 6"):
        decoding.read(tmp_path / "turned.png", 64)


def test_a_palette_image_without_its_palette_is_refused(tmp_path):
    Image.new("P", (64, 64), 3).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    start = content.index(b"PLTE") - 4
    length = struct.unpack(">I", content[start : start + 4])[0]
    (tmp_path / "bare.png").write_bytes(content[:start] + content[start + 12 + length :])
    with pytest.raises(BadFile, match="without its palette"):
        decoding.read(tmp_path / "bare.png", 64)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
@pytest.mark.parametrize("rows", [0, 1, 40, 63])
def test_a_png_whose_pixels_end_early_but_in_order_is_refused(mode, rows, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2 if mode == "1" else 255, (64, 64)).astype(np.uint16)
    image = Image.fromarray(pixels) if mode == "I;16" else Image.fromarray(pixels.astype(np.uint8)).convert(mode)
    image.save(tmp_path / "whole.png")
    decoding.read(tmp_path / "whole.png", 64)
    content = (tmp_path / "whole.png").read_bytes()
    start = content.index(b"IDAT") - 4
    length = struct.unpack(">I", content[start : start + 4])[0]
    plain = zlib.decompress(content[start + 8 : start + 8 + length])
    kept = plain[: len(plain) * rows // 64]
    cut = content[:start] + chunk(b"IDAT", zlib.compress(kept)) + content[start + 12 + length :]
    (tmp_path / "cut.png").write_bytes(cut)
    with pytest.raises(BadFile, match="its pixels end early"):
        decoding.read(tmp_path / "cut.png", 64)


@pytest.mark.parametrize("side", [32, 33, 37])
def test_interlaced_pixels_are_counted_as_they_are_stored(side, tmp_path):
    # The packed size of each pass, by a deinterlacing of its own: every pixel is in exactly one pass.
    from wool_board.image import headers

    seen = np.zeros((side, side), int)
    stored = 0
    for left, top, right, down in headers._ADAM7:
        seen[top::down, left::right] += 1
        rows, columns = seen[top::down, left::right].shape
        stored += rows * (1 + columns) if columns else 0
    assert (seen == 1).all()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 1)
    content = headers._PNG + chunk(b"IHDR", head)
    for size, whole in ((stored, True), (stored - 1, False)):
        (tmp_path / "x.png").write_bytes(content + chunk(b"IDAT", zlib.compress(bytes(size))) + chunk(b"IEND", b""))
        if whole:
            assert decoding.read(tmp_path / "x.png", side).pixels.max() == 0
        else:
            with pytest.raises(BadFile, match="its pixels end early"):
                decoding.read(tmp_path / "x.png", side)
