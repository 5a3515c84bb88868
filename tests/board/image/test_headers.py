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
