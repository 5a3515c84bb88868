"""Files of crops: what their pixels become, and which are refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from class_folders import SIDE, encoded, grey, load, noise_image, refusal, sixteen_bit
from PIL import Image

from wool_tf.errors import WoolError


@pytest.mark.parametrize("kind,suffix", [("PNG", "png"), ("TIFF", "tif")])
def test_16_bits_are_divided_by_257_and_rounded(folder, kind, suffix):
    values = sixteen_bit()
    Image.fromarray(values).save(folder / f"defective/2.{suffix}", kind)
    expected = [[round(int(value) / 257) for value in row] for row in values]
    data = load(folder)
    np.testing.assert_array_equal(data.images[data.paths.index(f"defective/2.{suffix}")], expected)


def test_big_endian_16_bit_tiff(folder):
    # Written by hand: Pillow writes little endian only.
    values = sixteen_bit()
    layout = [(258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, SIDE), (279, values.nbytes)]
    tags = [(256, SIDE), (257, SIDE), *layout]
    pixels = values.astype(">u2").tobytes()
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    file = b"MM\0*" + struct.pack(">I", 8 + len(pixels)) + pixels + struct.pack(">H", len(tags)) + entries + bytes(4)
    (folder / "defective/2.tiff").write_bytes(file)
    np.testing.assert_array_equal(load(folder).images[2], np.rint(values / 257))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_become_grey(folder, mode):
    Image.new("RGB", (SIDE, SIDE), (255, 255, 255)).convert(mode).save(folder / "defective/2.png")
    assert (load(folder).images[2] == 255).all()


def test_colour_becomes_luma(folder):
    Image.new("RGB", (SIDE, SIDE), (200, 100, 50)).save(folder / "defective/2.png")
    # ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B
    assert abs(int(load(folder).images[2, 0, 0]) - (0.299 * 200 + 0.587 * 100 + 0.114 * 50)) <= 1


def test_transparent_palette_makes_no_warning(folder):
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.save(folder / "defective/2.png", transparency=b"\x00\xff")
    assert (load(folder).images[2] == 90).all()


def test_what_lies_behind_a_transparent_image_is_not_guessed(folder):
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.save(folder / "defective/2.png", transparency=b"\x00\x80")
    assert "defective/2.png is transparent in places; save it without alpha" in refusal(folder)


def test_jpeg(folder):
    grey(100).save(folder / "defective/2.JPG", "JPEG")
    assert np.abs(load(folder).images[2].astype(int) - 100).max() <= 1


@pytest.mark.parametrize("side", [7, 13, 33])
def test_resizing_keeps_grey_values_and_position(folder, side):
    ramp = np.tile(np.linspace(20, 220, SIDE), (SIDE, 1))
    Image.fromarray(np.rint(ramp).astype(np.uint8)).save(folder / "defective/2.png")
    grey(77, side=51).save(folder / "defective/3.png")
    images = load(folder, side).images
    assert (images[3] == 77).all()
    assert abs(images[2].mean() - ramp.mean()) < 1
    # Pixel centres of the resized ramp lie on the same line; its ends are flattened by the border.
    centres = (np.arange(side) + 0.5) * SIDE / side - 0.5
    expected = 20 + 200 * centres / (SIDE - 1)
    inner = slice(side // 4, -(side // 4))
    assert np.abs(images[2, 0] - expected)[inner].max() < 3


def test_nearly_square_is_resized_and_oblong_is_refused(folder):
    Image.new("L", (100, 98), 50).save(folder / "defective/2.png")
    assert load(folder).images.shape == (5, SIDE, SIDE)
    for file in (folder.parent / "cache").iterdir():
        file.unlink()
    Image.new("L", (100, 97), 50).save(folder / "defective/2.png")
    line = refusal(folder)
    assert "defective/2.png" in line and "100x97" in line and "2%" in line


def test_inverted_16_bit_tiff_is_refused(folder):
    values = sixteen_bit()
    Image.fromarray(values).save(folder / "defective/2.tif", "TIFF", tiffinfo={262: 0})
    assert "counts white as zero" in refusal(folder)


def png_bomb(side):
    """A valid header of a side × side image with hardly any data."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content,expected",
    [
        (b"", "is empty (0 bytes)"),
        (b"not an image", "is not a readable PNG, TIFF, JPEG or DICOM image"),
        (encoded(noise_image())[:20], "2.png"),
        (encoded(noise_image())[:200], "cannot be decoded"),
        (encoded(noise_image(), "JPEG")[:500], "cannot be decoded"),
        (encoded(noise_image(), "TIFF")[:200], "2.png"),
        (encoded(noise_image(), "BMP"), "is not a readable PNG, TIFF, JPEG or DICOM image"),
        (png_bomb(8000), "8000x8000 pixels; at most 50,000,000"),
        (png_bomb(10_000), "too many pixels"),
        (png_bomb(60_000), "too many pixels"),
        (encoded(grey(1), "TIFF", save_all=True, append_images=[grey(2)]), "holds 2 images"),
        (encoded(Image.new("F", (SIDE, SIDE)), "TIFF"), "32-bit pixels"),
        (encoded(Image.new("I", (SIDE, SIDE)), "TIFF"), "32-bit pixels"),
    ],
)
def test_bad_image(folder, content, expected):
    (folder / "defective/2.png").write_bytes(content)
    line = refusal(folder)
    assert "defective/2.png" in line and expected in line


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_truncation_is_refused_unless_no_pixel_is_lost(folder, kind):
    whole = encoded(noise_image(), kind)
    expected = np.asarray(Image.open(io.BytesIO(whole)))
    for length in range(1, len(whole), 23):
        (folder / "defective/2.png").write_bytes(whole[:length])
        try:
            images = load(folder).images
        except WoolError as error:
            assert "defective/2.png" in str(error)
        else:
            # A PNG ends with checksums and an empty chunk, 20 bytes without pixels.
            assert kind == "PNG" and length >= len(whole) - 20
            np.testing.assert_array_equal(images[2], expected)


def test_a_flipped_bit_never_gives_other_pixels(folder):
    whole, file = encoded(noise_image()), folder / "defective/2.png"
    for position in range(8, len(whole), 17):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        try:
            images = load(folder).images
        except WoolError as error:
            assert "defective/2.png" in str(error)
        else:
            np.testing.assert_array_equal(images[2], np.asarray(noise_image()))
