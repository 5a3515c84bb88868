"""Damage that decoders pass over in silence is found, in crops and scans; what is whole is read."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from image_variants import dicoms
from image_variants.cases import picture
from wool_board.errors import BadFile
from wool_board.image import damage, decoding, headers, scan_files

SIDE = 64
RNG = np.random.default_rng(0)


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def read(folder, name, content):
    (folder / name).write_bytes(content)
    return decoding.read(folder / name, SIDE).pixels


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
    seen = np.zeros((side, side), int)
    stored = 0
    for left, top, right, down in damage._ADAM7:
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


def with_other_content(png, change):
    """A PNG whose unpacked pixels were changed behind the back of the sum that follows them."""
    start = png.index(b"IDAT") - 4
    length = struct.unpack(">I", png[start : start + 4])[0]
    packed = change(png[start + 8 : start + 8 + length])
    return png[:start] + chunk(b"IDAT", packed) + png[start + 12 + length :]


def test_the_sum_of_a_png_is_looked_at(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(RNG.integers(0, 255, (SIDE, SIDE), np.uint8)).save(stream, "PNG", compress_level=0)
    plain = stream.getvalue()
    flipped = with_other_content(plain, lambda packed: packed[:500] + bytes([packed[500] ^ 4]) + packed[501:])
    with pytest.raises(BadFile, match="its pixels are damaged"):
        read(tmp_path, "flipped.png", flipped)
    cut = with_other_content(plain, lambda packed: packed[:-2])
    with pytest.raises(BadFile, match="its pixels end early"):
        read(tmp_path, "cut.png", cut)


JPEGS = {
    "baseline": {},
    "optimised": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "progressive with restarts": {"progressive": True, "restart_marker_rows": 2},
}


def jpeg(channels, **options):
    shape = (SIDE, SIDE) if channels == 1 else (SIDE, SIDE, channels)
    stream = io.BytesIO()
    Image.fromarray(RNG.integers(0, 255, shape, np.uint8)).save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_that_was_cut_and_ended_is_refused(tmp_path, channels, options):
    whole = jpeg(channels, **options)
    assert read(tmp_path, "whole.jpg", whole).shape == (SIDE, SIDE)
    start = whole.index(b"\xff\xda")
    for share in np.linspace(0.02, 0.98, 25):
        place = start + 14 + int(share * (len(whole) - start - 14))
        kept = whole[:place]
        kept = kept[:-1] if kept.endswith(b"\xff") else kept
        with pytest.raises(BadFile):
            read(tmp_path, "cut.jpg", kept + b"\xff\xd9")


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_that_was_cut_between_restarts_is_refused(tmp_path, options):
    whole = jpeg(1, restart_marker_rows=1, **options)
    place = whole.index(b"\xff\xd3", whole.index(b"\xff\xda"))
    for kept in (whole[:place], whole[: place + 2]):
        with pytest.raises(BadFile, match="its pixels end early"):
            read(tmp_path, "cut.jpg", kept + b"\xff\xd9")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_progressive_jpeg_without_its_last_scans_is_refused(tmp_path, channels):
    whole = jpeg(channels, progressive=True)
    scans = [place for place in range(len(whole)) if whole.startswith(b"\xff\xda", place)]
    with pytest.raises(BadFile, match="its pixels end early"):
        read(tmp_path, "cut.jpg", whole[: whole.rindex(b"\xff\xc4", 0, scans[-1])] + b"\xff\xd9")


def test_what_follows_the_end_of_a_jpeg_does_not_matter(tmp_path):
    whole = jpeg(1)
    np.testing.assert_array_equal(read(tmp_path, "a.jpg", whole), read(tmp_path, "b.jpg", whole + b"note" * 20))


def test_the_size_is_read_without_the_pixels(tmp_path, monkeypatch):
    Image.fromarray(RNG.integers(0, 255, (SIDE, SIDE), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(damage, "check_whole", lambda *_: pytest.fail("unpacked"))
    assert decoding.crop_size(tmp_path / "a.png") == (SIDE, SIDE)
    assert scan_files.size(tmp_path / "a.png", None) == (SIDE, SIDE)
    assert scan_files.top(tmp_path / "a.png", None) == 255


@pytest.mark.parametrize("compression", ["lzw", "zlib", "jpeg", "packbits", "zstd", "lzma"])
def test_damaged_tiff_is_told_in_one_line_alone(tmp_path, capfd, compression):
    tifffile.imwrite(tmp_path / "a.tif", RNG.integers(0, 255, (SIDE, SIDE), np.uint8), compression=compression)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    for place in range(600, len(content), 7):
        content[place] ^= 0xA5
    (tmp_path / "a.tif").write_bytes(content)
    for look in (lambda file: decoding.read(file, SIDE), lambda file: scan_files.read(file, None)):
        try:
            look(tmp_path / "a.tif")
        except BadFile as flaw:
            assert str(flaw).endswith(("save it anew", "save it anew)", "take a whole copy)"))
    assert capfd.readouterr().err == ""
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


PARTS = {"strips": {"rowsperstrip": 16}, "tiles": {"tile": (32, 32)}, "one strip": {"rowsperstrip": SIDE}}


def tiff(folder, compression, photometric="minisblack", dtype=np.uint8, **layout):
    """A TIFF, with the place in it and the length of each of its strips or tiles."""
    shape = (SIDE, SIDE, 3) if photometric == "ycbcr" else (SIDE, SIDE)
    pixels = RNG.integers(0, 255, shape).astype(dtype)
    tifffile.imwrite(folder / "whole.tif", pixels, compression=compression, photometric=photometric, **layout)
    with tifffile.TiffFile(folder / "whole.tif") as found:
        (page,) = found.pages
        parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    content = (folder / "whole.tif").read_bytes()
    assert read(folder, "whole.tif", content).shape == (SIDE, SIDE)
    return content, parts


@pytest.mark.parametrize("photometric", ["minisblack", "ycbcr"])
@pytest.mark.parametrize("layout", PARTS.values(), ids=PARTS)
def test_a_tiff_of_jpegs_of_which_any_was_cut_is_refused(tmp_path, photometric, layout):
    whole, parts = tiff(tmp_path, "jpeg", photometric, **layout)
    for start, size in parts:
        code = whole.index(b"\xff\xda", start) + 14
        for share in (0.1, 0.5, 0.9):
            place = code + int(share * (start + size - code))
            zeroed = whole[:place] + bytes(start + size - place) + whole[start + size :]
            ended = whole[:place] + b"\xff\xd9" + whole[place + 2 :]
            for content in (zeroed, ended):
                with pytest.raises(BadFile, match="its pixels end early"):
                    read(tmp_path, "cut.tif", content)


def test_a_tiff_of_jpegs_that_share_tables_is_read_and_refused_where_it_was_cut(tmp_path):
    pixels = RNG.integers(0, 255, (SIDE, SIDE), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "whole.tif", compression="jpeg", quality=95)
    whole = (tmp_path / "whole.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "whole.tif") as found:
        assert found.pages[0].jpegtables
        (start,), (size,) = found.pages[0].dataoffsets, found.pages[0].databytecounts
    np.testing.assert_allclose(read(tmp_path, "a.tif", whole), pixels, atol=20)
    place = start + size // 2
    with pytest.raises(BadFile, match="its pixels end early"):
        read(tmp_path, "cut.tif", whole[:place] + bytes(start + size - place) + whole[start + size :])


@pytest.mark.parametrize("layout", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("side", [5, 7])
def test_a_jpeg_that_is_smaller_than_its_strip_or_tile_is_refused(tmp_path, layout, side):
    whole, parts = tiff(tmp_path, "jpeg", **layout)
    place = whole.index(b"\xff\xc0", parts[-1][0]) + side
    with pytest.raises(BadFile, match="its pixels are damaged"):
        read(tmp_path, "small.tif", whole[:place] + struct.pack(">H", 8) + whole[place + 2 :])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("layout", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_a_tiff_that_does_not_fit_its_checksums_is_refused_as_crop_and_scan(tmp_path, compression, layout, dtype):
    whole, parts = tiff(tmp_path, compression, dtype=dtype, **layout)
    for start, size in parts:
        for share in (0.1, 0.5, 0.9):
            place = start + int(share * size)
            flipped = whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]
            zeroed = whole[:place] + bytes(start + size - place) + whole[start + size :]
            for content in (flipped, zeroed):
                (tmp_path / "a.tif").write_bytes(content)
                for look in (lambda file: decoding.read(file, SIDE), lambda file: scan_files.read(file, None)):
                    with pytest.raises(BadFile, match=r"^cannot be decoded \("):
                        look(tmp_path / "a.tif")


def test_a_palette_of_eight_bit_values_is_refused(tmp_path):
    levels = np.arange(256, dtype=np.uint16)
    samples = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)
    for scale, name in ((257, "wide.tif"), (1, "narrow.tif")):
        palette = np.stack([levels * scale] * 3)
        tifffile.imwrite(tmp_path / name, samples, photometric="palette", colormap=palette)
    np.testing.assert_array_equal(decoding.read(tmp_path / "wide.tif", SIDE).pixels, samples)
    with pytest.raises(BadFile, match="^has a palette of 8-bit values where TIFF has 16"):
        decoding.read(tmp_path / "narrow.tif", SIDE)


@pytest.mark.parametrize("keep", [140, 200, 300, 400, 600, 900])
def test_damaged_dicom_is_told_in_plain_words(tmp_path, keep):
    content = dicoms.dicom(picture(4095), stored=12)
    with pytest.raises(BadFile, match="^(is a damaged DICOM|holds no pixels); copy it again, or save it anew$"):
        read(tmp_path, "cut.dcm", content[:keep])


def test_a_tile_of_a_gigabyte_is_refused_before_memory_is_taken_for_it(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((SIDE, SIDE), np.uint8), tile=(16, 16), compression="zstd")
    content = (tmp_path / "a.tif").read_bytes()
    where = max(content.find(struct.pack("<HHI", 322, kind, 1)) for kind in (3, 4))
    wide = content[:where] + struct.pack("<HHII", 322, 4, 1, 1 << 24) + content[where + 12 :]
    with pytest.raises(BadFile, match="^is a damaged TIFF"):
        read(tmp_path, "b.tif", wide)
