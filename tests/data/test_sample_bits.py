"""What white is in 16-bit files: found over the whole folder, said, or given."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from wool_board.errors import BadFile
from wool_board.image import decoding
from wool_tf.data import native_crops, sample_bits
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.listing import CLASSES
from wool_tf.errors import BadSetting, WoolError

SIDE = 60


def scenes(brightest=1.0):
    """Eight pictures of transmission, 0 to 1; only the last one is as bright as can be, the others are darker."""
    made = np.random.default_rng(0).uniform(0, 0.2, (8, SIDE, SIDE))
    made[-1] = np.linspace(0, brightest, SIDE * SIDE).reshape(SIDE, SIDE)
    made[-1, 10:20, 10:20] = brightest
    return made


def write(folder, pictures, top, dtype=np.uint16):
    """Class folders of pictures as a detector with that highest count gives them."""
    for number, picture in enumerate(pictures):
        file = folder / CLASSES[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(picture * top).astype(dtype)).save(file)
    return folder


def load(folder, **reading):
    return native_crops.load(folder, folder.parent / "cache", reading=CropReading(**reading))


def by_path(crops):
    return dict(zip(crops.native.paths, crops.native.images.astype(int), strict=True))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_scene_gives_the_same_input_whatever_the_bits(tmp_path, bits):
    found = load(write(tmp_path / "wide", scenes(), 2**bits - 1))
    narrow = load(write(tmp_path / "narrow", scenes(), 255, np.uint8))
    assert (found.imaging.white, narrow.imaging.white) == (2**bits - 1, None)
    images = by_path(found)
    for number, scene in enumerate(scenes()):
        path = f"{CLASSES[number % 2]}/{number}.png"
        # Half a level of rounding, and half a count of the detector's.
        assert np.abs(images[path] - 255 * scene).max() <= 0.5 + 0.5 * 255 / (2**bits - 1) + 1e-9
        assert np.abs(images[path] - by_path(narrow)[path]).max() <= 1


@pytest.mark.parametrize(
    ("largest", "bits"),
    [(200, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16383, 14), (16384, 16), (65535, 16)],
)
def test_the_fewest_bits_that_the_largest_value_fits(tmp_path, largest, bits):
    folder = write(tmp_path / "crops", scenes(), largest)
    Image.fromarray(np.full((SIDE, SIDE), 255, np.uint8)).save(folder / "defective" / "eight.png")
    assert load(folder).imaging.white == 2**bits - 1


def test_it_is_said_in_one_line_that_can_be_overruled(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder = write(tmp_path / "crops", scenes(), 4000)
    for _ in range(2):  # Also where the cache knows it.
        caplog.clear()
        load(folder)
        (line,) = caplog.messages
        assert line == (
            f"{folder}: no value of its 16-bit images is above 4000: taken for 12 bits, with 4095 as the highest "
            "value; give `bits` or `white` if that is wrong"
        )
    caplog.clear()
    dark = by_path(load(folder, white=65535))
    assert not caplog.messages
    np.testing.assert_array_equal(dark["defective/7.png"], np.rint(np.rint(scenes()[-1] * 4000) * 255 / 65535))


def test_another_range_is_another_dataset_in_the_same_cache(tmp_path):
    folder = write(tmp_path / "crops", scenes(), 4095)
    found = [load(folder, white=white) for white in (None, 4095, 16383, 65535)]
    assert found[0].native.fingerprint == found[1].native.fingerprint
    assert len({crops.native.fingerprint for crops in found}) == 3
    assert [crops.imaging.white for crops in found] == [4095, 4095, 16383, 65535]
    assert found[2].for_network(32).fingerprint != found[3].for_network(32).fingerprint


def test_imaging_json_gives_it_and_the_flag_wins(tmp_path):
    folder = write(tmp_path / "crops", scenes(), 4095)
    (folder / "imaging.json").write_text(json.dumps({"bits": 14}))
    assert load(folder).imaging.white == 16383
    assert load(folder, white=65535).imaging.white == 65535
    (folder / "imaging.json").write_text(json.dumps({"white": 5000}))
    assert load(folder).imaging.white == 5000


def test_eight_bits_are_never_asked(tmp_path):
    folder = write(tmp_path / "crops", scenes(), 100, np.uint8)
    plain, given = load(folder), load(folder, white=4095)
    np.testing.assert_array_equal(plain.native.images, given.native.images)
    assert plain.imaging.white is None


def test_values_beyond_the_bits_given_are_refused_by_name(tmp_path):
    folder = write(tmp_path / "crops", scenes(), 5000)
    with pytest.raises(
        WoolError,
        match="crops: defective/7.png has values up to 5000, beyond 4095, the highest value by `bits`, `white`",
    ):
        load(folder, white=4095)
    assert len(load(folder, white=4095, on_bad_image="skip").native.paths) == 7
    with pytest.raises(BadFile, match="^has values up to 5000, beyond 4095"):
        decoding.read(folder / "defective" / "7.png", SIDE, 4095)


def test_images_that_cannot_be_read_do_not_count(tmp_path):
    folder = write(tmp_path / "crops", scenes(), 4095)
    Image.fromarray(np.full((SIDE, 2 * SIDE), 65535, np.uint16)).save(folder / "defective" / "oblong.png")
    assert load(folder, on_bad_image="skip").imaging.white == 4095


@pytest.mark.parametrize("bits", [7, 17])
def test_bits_that_no_file_has(bits):
    with pytest.raises(BadSetting, match=f"^bits={bits}: must be at least 8 and at most 16$"):
        sample_bits.SampleBits(bits)


@pytest.mark.parametrize(
    ("given", "white"),
    [((None, None), None), ((12, None), 4095), ((None, 3900), 3900), ((12, 3900), 3900), ((12, 4095), 4095)],
)
def test_white_is_given_by_itself_or_by_bits(given, white):
    assert sample_bits.SampleBits(*given).given_white == white


@pytest.mark.parametrize(("bits", "most"), [(8, 255), (12, 4095), (15, 32767)])
def test_white_that_does_not_fit_the_bits_is_refused(bits, most):
    with pytest.raises(BadSetting, match=f"^white={most + 1}: must be at most {most} with {bits} bits; give one"):
        sample_bits.SampleBits(bits, most + 1)


@pytest.mark.parametrize("white", [254, 65536])
def test_white_that_no_file_has(white):
    with pytest.raises(BadSetting, match=f"^white={white}: must be at least 255 and at most 65535$"):
        sample_bits.SampleBits(white=white)


@pytest.mark.parametrize("top", [*(2**bits - 1 for bits in range(8, 17)), 256, 3900, 10000, 60000])
def test_every_value_is_rounded_to_the_nearest(top):
    values = np.arange(top + 1, dtype=np.uint16)
    assert np.abs(decoding.to_grey(values, top) - values * 255.0 / top).max() <= 0.5


def spotted(folder, name, where, value=65535):
    """Writes a value into an image; returns its pixels."""
    with Image.open(folder / name) as image:
        pixels = np.array(image).astype(np.uint16)
    pixels[where] = value
    Image.fromarray(pixels).save(folder / name)
    return pixels


SPECKS = {
    "a hot pixel": (20, 30),
    "a hot element": (slice(None), 5),
    "a hot line": (5, slice(None)),
    "nine pixels": (slice(20, 23), slice(20, 23)),
    "a corner": (0, 0),
}


@pytest.mark.parametrize("where", SPECKS.values(), ids=SPECKS)
def test_specks_do_not_turn_12_bits_into_16(tmp_path, caplog, where):
    caplog.set_level(logging.INFO)
    folder = write(tmp_path / "crops", scenes(), 4095)
    pixels = spotted(folder, "defective/1.png", where)
    hot = np.zeros((SIDE, SIDE), bool)
    hot[where] = True
    found = load(folder)
    assert found.imaging.white == 4095
    assert caplog.messages == [
        f"{folder}: no value of its 16-bit images is above 4095 but specks in 1 of them, which are clipped: taken for "
        "12 bits, with 4095 as the highest value; give `bits` or `white` if that is wrong"
    ]
    clipped = by_path(found)["defective/1.png"]
    assert (clipped[hot] == 255).all()
    np.testing.assert_array_equal(clipped[~hot], np.rint(pixels[~hot] * 255.0 / 4095))
    # The programs of the board read by the card's white.
    board = decoding.read(folder / "defective" / "1.png", SIDE, 4095)
    np.testing.assert_array_equal(board.pixels, clipped)


@pytest.mark.parametrize("where", [(slice(20, 24), slice(20, 24)), (slice(None), slice(3, 7)), slice(None)])
def test_what_is_wider_than_a_speck_is_no_speck(tmp_path, where):
    folder = write(tmp_path / "crops", scenes(), 4095)
    spotted(folder, "defective/1.png", where)
    assert load(folder).imaging.white == 65535
    with pytest.raises(BadFile, match="^has values up to 65535, beyond 4095"):
        decoding.read(folder / "defective" / "1.png", SIDE, 4095)


def test_many_specks_are_none(tmp_path):
    folder = write(tmp_path / "crops", scenes(), 4095)
    spotted(folder, "defective/1.png", (slice(None), slice(None, None, 4)))
    assert load(folder).imaging.white == 65535


@pytest.mark.parametrize(("others", "white"), [(1, 4095), (2, 65535)])
def test_one_image_in_twenty_of_another_detector_is_refused_by_name(tmp_path, caplog, others, white):
    caplog.set_level(logging.INFO)
    folder = write(tmp_path / "crops", np.concatenate([scenes()] * 5), 4095)
    for number in range(40):
        spotted(folder, f"{CLASSES[number % 2]}/{number}.png", (30, 30), 100 * number)  # No two are the same image.
    for number in range(others + 1):
        spotted(folder, f"defective/{2 * number + 1}.png", slice(None), 60000 + 1000 * number)
    if white == 65535:
        assert load(folder).imaging.white == 65535
        return
    with pytest.raises(
        WoolError, match="defective/1.png has values up to 60000, beyond 4095, the highest value by `bits`, `white`"
    ):
        load(folder)
    assert "which 2 of 40 exceed by far; give `bits` or `white` if that is wrong" in caplog.text
    kept = load(folder, on_bad_image="skip")
    assert (kept.imaging.white, len(kept.native.paths)) == (4095, 38)


def scan_folder(folder, scans):
    paths = []
    for number, counts in enumerate(scans):
        paths.append(folder / f"{number}.png")
        Image.fromarray(counts.astype(np.uint16)).save(paths[-1])
    return paths


def test_scans_are_judged_by_the_same_rule(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    scans = np.random.default_rng(0).integers(0, 4096, (20, 100, 200))
    scans[3, 50, 60] = scans[5, :, 70] = 65535
    paths = scan_folder(tmp_path, scans)
    assert sample_bits.of_scans(tmp_path, paths, None, None) == 4095
    assert sample_bits.of_scans(tmp_path, paths, None, 4095) == 4095
    assert "is above 4095 but specks in 2 of them, which are clipped: taken for 12 bits" in caplog.text
    scans[7, :20, :20] = 65535
    paths = scan_folder(tmp_path, scans)
    for given in (None, 4095):
        with pytest.raises(WoolError, match=f"^{tmp_path}: 7.png has values up to 65535, beyond 4095"):
            sample_bits.of_scans(tmp_path, paths, None, given)
    scans[8, :20, :20] = 65535
    assert sample_bits.of_scans(tmp_path, scan_folder(tmp_path, scans), None, None) == 65535


def test_what_fills_a_square_across_two_parts_of_a_scan_is_seen(tmp_path):
    scan = np.zeros((sample_bits.LINES + 100, 50))
    scan[sample_bits.LINES - 2 : sample_bits.LINES + 2, 10:14] = 65535
    assert sample_bits.of_scans(tmp_path, scan_folder(tmp_path, [scan]), None, None) == 65535


@pytest.mark.parametrize("white", [3900, 10_000, 60_000])
def test_the_white_given_is_255_in_training_and_on_the_board(tmp_path, white):
    shares = np.array([0, 0.1, 0.25, 0.5, 0.75, 0.9, 1])
    picture = np.resize(shares, (SIDE, SIDE))
    folder = write(tmp_path / "crops", np.concatenate([scenes(), [picture]]), white)
    found = load(folder, white=white)
    assert found.imaging.white == white
    # 255 shares: 0, 25.5, 63.75, 127.5, 191.25, 229.5, 255; halves are rounded up.
    expected = np.resize([0, 26, 64, 128, 191, 230, 255], (SIDE, SIDE))
    np.testing.assert_array_equal(by_path(found)[f"{CLASSES[0]}/8.png"], expected)
    np.testing.assert_array_equal(decoding.read(folder / CLASSES[0] / "8.png", SIDE, white).pixels, expected)
    with pytest.raises(WoolError, match=f"has values up to {white}, beyond {white - 1}, the highest value by"):
        load(folder, white=white - 1)
