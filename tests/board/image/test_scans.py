"""wool_board/image/{references,flat_field,scan_files}.py on small scans whose truth is known."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from wool_board.errors import BadFile, WoolError
from wool_board.image import scan_files
from wool_board.image.flat_field import corrected_already, grey
from wool_board.image.references import REFERENCE_LINES, correction
from wool_board.image.scan_files import LineFormat

RAW = LineFormat(64, "uint16le")
OPEN = 4096
LINES = 32


def references(tmp_path, dark, bright, name=".png"):
    """Two files, made of (lines, width) or of (width,) the same in every line."""
    files = tmp_path / f"dark{name}", tmp_path / f"bright{name}"
    for file, values in zip(files, (dark, bright), strict=True):
        values = np.broadcast_to(values, (LINES, np.shape(values)[-1])).astype(np.uint16)
        Image.fromarray(values).save(file)
    return files


def flat(width=64, dark=100):
    return np.full(width, dark), np.full(width, dark + OPEN)


def refusal(tmp_path, dark, bright):
    with pytest.raises(WoolError) as caught:
        correction(*references(tmp_path, dark, bright), None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_attenuation_is_exact_for_known_transmission_offset_and_gain(tmp_path):
    rng = np.random.default_rng(0)
    dark = rng.integers(90, 110, 64)
    gain = OPEN * rng.choice([3, 4, 5], 64) // 4
    found = correction(*references(tmp_path, dark, dark + gain), None)
    halvings = rng.integers(0, 6, (50, 64))
    lines = (dark + gain / 2.0**halvings).astype(np.uint16)
    # Gains of 3, 4 and 5 times 1024, halved up to five times, are whole counts: nothing is rounded.
    np.testing.assert_allclose(found.attenuation(lines), halvings * np.log(2), atol=1e-6)


@pytest.mark.parametrize("counts", [0, 9000])
def test_dead_and_stuck_elements_are_found_and_interpolated(tmp_path, counts):
    dark, bright = flat()
    for element in (0, 20, 40, 41, 63):
        dark[element] = bright[element] = counts
    found = correction(*references(tmp_path, dark, bright), None)
    assert found.bad == (0, 20, 40, 41, 63)
    # A ramp of transmission: on it, a straight line between neighbours is the truth; at the ends it is the neighbour.
    truth = 1 - np.arange(64) / 128
    lines = np.tile(np.rint(100 + OPEN * truth), (3, 1)).astype(np.uint16)
    lines[:, [0, 20, 40, 41, 63]] = counts
    expected = -np.log(truth)
    expected[[0, 63]] = expected[[1, 62]]
    np.testing.assert_allclose(found.attenuation(lines), np.tile(expected, (3, 1)), atol=1e-6)


def test_noisy_and_saturated_elements_are_bad_and_uneven_gain_is_not(tmp_path):
    rng = np.random.default_rng(1)
    gain = OPEN * rng.uniform(0.7, 1.3, 64) * (1 - 0.4 * np.abs(np.linspace(-1, 1, 64)))
    spread = np.full(64, 8.0)
    spread[10] = 80
    dark = rng.normal(100, spread, (200, 64))
    bright = 100 + gain + rng.normal(0, 20, (200, 64))
    bright[:, 33] = 65535
    files = tmp_path / "dark.png", tmp_path / "bright.png"
    for file, values in zip(files, (dark, bright), strict=True):
        Image.fromarray(np.rint(values).astype(np.uint16)).save(file)
    assert correction(*files, None).bad == (10, 33)


def test_no_good_element_is_called_bad_with_the_fewest_lines(tmp_path):
    rng = np.random.default_rng(2)
    shape = (REFERENCE_LINES[0], 6400)
    dark = rng.normal(1000, 10, shape).round().astype(np.uint16)
    bright = rng.poisson(20000, shape).astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    Image.fromarray(bright).save(tmp_path / "bright.png")
    assert correction(tmp_path / "dark.png", tmp_path / "bright.png", None).bad == ()


def test_transmission_below_the_noise_counts_as_the_noise(tmp_path):
    rng = np.random.default_rng(3)
    dark = rng.normal(1000, 40, (LINES, 64)).round().astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    bright = rng.normal(13000, 60, (LINES, 64)).round().astype(np.uint16)
    Image.fromarray(bright).save(tmp_path / "bright.png")
    found = correction(tmp_path / "dark.png", tmp_path / "bright.png", None)
    # Three times 40 counts of 12,000.
    assert found.floor == pytest.approx(0.01, rel=0.15)
    assert np.all(found.attenuation(np.zeros((2, 64), np.uint16)) == found.most)


def test_without_references_the_open_beam_is_all_that_counts():
    found = corrected_already(3, 1000)
    expected = -np.log([1, 0.5, 0.001])
    np.testing.assert_allclose(found.attenuation(np.array([[1000, 500, 0]], np.uint16))[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda dark, bright: (bright, dark), "is no brighter than"),
        (lambda dark, bright: (dark, np.append(bright, 5000)), "is 65 elements wide, but"),
        (lambda dark, bright: (dark[:30], bright[:30]), "needs at least 16 lines of 31 elements, got 32 lines of 30"),
        (lambda dark, bright: (dark, np.full(64, 65535)), "elements 0 to 63 (from 0) are dead, noisy or saturated"),
        (
            lambda dark, bright: (dark, np.where((np.arange(64) > 9) & (np.arange(64) < 14), 100, bright)),
            "elements 10 to 13 (from 0) are dead, noisy or saturated; at most 3 side by side can be repaired, 4 of 64",
        ),
    ],
)
def test_references_that_cannot_be_used(tmp_path, spoil, said):
    assert said in refusal(tmp_path, *spoil(*flat()))


def test_three_bad_elements_side_by_side_are_repaired(tmp_path):
    dark, bright = flat()
    bright[10:13] = 100
    assert correction(*references(tmp_path, dark, bright), None).bad == (10, 11, 12)


@pytest.mark.parametrize(("kind", "dtype"), [("uint8", "u1"), ("uint16le", "<u2"), ("uint16be", ">u2")])
def test_raw_lines_are_read_when_they_are_looked_at(tmp_path, kind, dtype):
    values = np.arange(200).reshape(4, 50)
    (tmp_path / "a.raw").write_bytes(values.astype(dtype).tobytes())
    raw = LineFormat(50, kind)
    found = scan_files.read(tmp_path / "a.raw", raw)
    assert (len(found), found.shape, found.dtype) == (4, (4, 50), np.dtype(dtype))
    for lines in (slice(None), slice(1, 3), slice(3, 9), slice(4, 9), slice(0, 0)):
        np.testing.assert_array_equal(found[lines], values[lines])
    assert scan_files.size(tmp_path / "a.raw", raw) == (50, 4)
    last = corrected_already(50, 255).attenuation(found[:])[-1, -1]
    assert last == pytest.approx(-np.log(199 / 255), rel=1e-6)


@pytest.mark.parametrize("content", [b"", b"\0" * 129])
def test_raw_file_of_broken_lines_is_named(tmp_path, content):
    (tmp_path / "a.bin").write_bytes(content)
    said = f"has {len(content)} bytes, which are not whole lines of 128 bytes (64 × uint16le)"
    for look in (scan_files.read, scan_files.size):
        with pytest.raises(BadFile) as refused:
            look(tmp_path / "a.bin", RAW)
        assert str(refused.value) == said
        with pytest.raises(BadFile, match="^is a raw file; say with `raw_width`"):
            look(tmp_path / "a.bin", None)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_images_of_8_and_16_bits(tmp_path, name, dtype):
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (7, 5), dtype, endpoint=True)
    Image.fromarray(values).save(tmp_path / name)
    found = scan_files.read(tmp_path / name, None)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, values)
    assert scan_files.size(tmp_path / name, None) == (5, 7)


def tiff(order, photometric):
    """A TIFF of the pixels 1 and 515: eight entries of twelve bytes, then the pixels at 8 + 2 + 96 + 4."""
    tags = {256: 2, 257: 1, 258: 16, 259: 1, 262: photometric, 273: 110, 278: 1, 279: 4}
    entries = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return mark + struct.pack(f"{order}IH", 8, 8) + entries + struct.pack(f"{order}I2H", 0, 1, 515)


@pytest.mark.parametrize("order", "<>")
def test_tiff_of_either_byte_order(tmp_path, order):
    (tmp_path / "a.tif").write_bytes(tiff(order, photometric=1))
    np.testing.assert_array_equal(scan_files.read(tmp_path / "a.tif", None), [[1, 515]])


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def bomb(width, height):
    """The head of a PNG of that size, and no pixels."""
    chunk = b"IHDR" + struct.pack(">2I5B", width, height, 16, 0, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


GREY = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (40, 40), np.uint16))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.png", b"", "is not a readable PNG, TIFF or DICOM image"),
        ("a.png", b"text", "is not a readable PNG, TIFF or DICOM image"),
        ("a.png", encoded(GREY)[:900], "cannot be decoded"),
        ("a.tif", encoded(GREY, "TIFF")[:900], "cannot be decoded"),
        ("a.png", encoded(GREY.convert("RGB")), "has colours or alpha; save it as grey with 8 or 16 bits"),
        ("a.png", encoded(GREY.convert("L").convert("P")), "has colours or alpha; save it as grey"),
        ("a.png", encoded(Image.new("1", (9, 9))), "has 1-bit pixels; save it with 8 or 16 bits"),
        ("a.tif", encoded(Image.new("F", (9, 9)), "TIFF"), "has 32-bit pixels; save it with 8 or 16 bits"),
        ("a.tif", encoded(GREY, "TIFF", save_all=True, append_images=[GREY]), "holds 2 images; give one per file"),
        ("a.tif", tiff("<", photometric=0), "counts white as zero; save it with black as zero"),
        ("a.tif", encoded(GREY.convert("L"), "TIFF", tiffinfo={262: 0}), "is a negative (white is zero)"),
        ("a.png", bomb(8000, 8000), "is 8000x8000 pixels; at most 50,000,000 are decoded"),
        ("a.png", bomb(60000, 60000), "has too many pixels; at most 50,000,000 are decoded"),
        ("a.jpg", b"", "is not a scan; a scan ends in .png, .tif, .tiff, .dcm, .dcn, .raw, .bin"),
    ],
)
def test_bad_files_are_named_with_their_reason(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile) as refused:
        scan_files.read(tmp_path / name, None)
    assert str(refused.value).startswith(said) and "\n" not in str(refused.value)


def test_air_is_white_and_dense_is_black():
    found = grey(np.array([-0.1, 0, 0.5, 1, 2, 7], np.float32), (0.0, 2.0))
    # Half way 127.5 is rounded to even.
    assert found.tolist() == [255, 255, 191, 128, 0, 0]
    assert grey(np.array([0.3, 0.4, 0.5], np.float32), (0.4, 0.5)).tolist() == [255, 255, 0]


def test_a_bright_reference_with_product_on_the_belt_is_refused(tmp_path):
    rng = np.random.default_rng(4)
    dark, bright = rng.normal(100, 5, (256, 64)), rng.normal(8000, 80, (256, 64))
    files = tmp_path / "dark.png", tmp_path / "bright.png"

    def write(bright):
        for file, values in zip(files, (dark, bright), strict=True):
            Image.fromarray(np.rint(values).astype(np.uint16)).save(file)

    write(bright)
    assert correction(*files, None).bad == ()
    # A tube that drifts a little, and an element that comes and goes.
    drifting = bright * np.linspace(1, 0.985, 256)[:, None]
    drifting[100:, 7] = 100
    write(drifting)
    assert correction(*files, None).bad == (7,)
    covered = bright.copy()
    covered[128:200, 16:40] = 100 + 7900 * np.exp(-0.1) + rng.normal(0, 80, (72, 24))
    write(covered)
    with pytest.raises(
        WoolError, match=r"bright.png: shows product, or another beam, from line 128 on; take it of an empty"
    ):
        correction(*files, None)
