import json

import numpy as np
import pytest
from PIL import Image

from wool_tf.data import imaging
from wool_tf.data.imaging import Imaging
from wool_tf.errors import WoolError

SAID = {"version": 1, "window": [0.0, 1.071], "crop": 244, "pixel_mm": 0.8, "references": []}


def write(folder, sides, said=None):
    rng = np.random.default_rng(0)
    for name in ("defective", "non_defective"):
        (folder / name).mkdir(parents=True)
        for number, size in enumerate(sides):
            Image.fromarray(rng.integers(0, 256, size[::-1], np.uint8)).save(folder / name / f"{number}.png")
    if said is not None:
        (folder / "imaging.json").write_text(said if isinstance(said, str) else json.dumps(said))
    return folder


def test_the_file_says_it(tmp_path):
    assert imaging.read(write(tmp_path, [(40, 40)], SAID)) == Imaging(244, (0.0, 1.071), 0.8)


def test_the_flag_wins(tmp_path):
    assert imaging.read(write(tmp_path, [(40, 40)], SAID), 60) == Imaging(60, (0.0, 1.071), 0.8)


def test_without_a_file_the_commonest_side_is_taken_and_nothing_else_known(tmp_path):
    assert imaging.read(write(tmp_path, [(50, 50), (40, 40), (60, 60), (40, 40)])) == Imaging(40)


def test_of_oblong_images_it_is_the_longer_side_and_of_equally_common_ones_the_greater(tmp_path):
    assert imaging.read(write(tmp_path, [(99, 100), (100, 99), (40, 40), (40, 40)])).side == 100


def test_images_that_are_refused_do_not_count(tmp_path):
    assert imaging.read(write(tmp_path, [(200, 300), (200, 300), (40, 40)])).side == 40


def test_bits_are_those_of_16_bit_crops_and_not_of_the_scans(tmp_path):
    assert imaging.read(write(tmp_path, [(40, 40)], SAID | {"bits": 12, "scan_white": 16383})).white == 4095


@pytest.mark.parametrize("said", [{}, {"window": None, "crop": None, "pixel_mm": None}])
def test_what_the_file_does_not_say_is_not_known(said, tmp_path):
    assert imaging.read(write(tmp_path, [(40, 40)], said)) == Imaging(40)


def test_images_that_cannot_be_read_do_not_count(tmp_path):
    folder = write(tmp_path, [(40, 40)])
    for number in range(5):
        (folder / "defective" / f"bad{number}.png").write_bytes(b"no image %d" % number)
    assert imaging.read(folder).side == 40


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{", r"imaging.json: cannot be read as JSON \(.*\); restore it from a copy, or remove it$"),
        ("[]", "imaging.json: must hold an object, got list; restore it"),
        (SAID | {"window": [1.0, 0.5]}, r"window must be two numbers, the lower one first, got \[1.0, 0.5\]$"),
        (SAID | {"window": [0.0]}, "window must be"),
        (SAID | {"window": [0.0, "1"]}, "window must be"),
        (SAID | {"window": [0, float("inf")]}, "window must be"),
        (SAID | {"window": [0, 10**400]}, "window must be"),
        (SAID | {"pixel_mm": 0}, "pixel_mm must be a number of at least 0.001 and at most 100, got 0$"),
        (SAID | {"pixel_mm": 101}, "pixel_mm must be"),
        (SAID | {"pixel_mm": 10**400}, "pixel_mm must be"),
        (SAID | {"pixel_mm": True}, "pixel_mm must be"),
        (SAID | {"crop": 244.5}, "crop must be a whole number above 0, got 244.5$"),
        (SAID | {"crop": 0}, "crop must be"),
        (SAID | {"bits": 7}, "bits must be a whole number from 8 to 16, got 7$"),
        (SAID | {"bits": 12.0}, "bits must be"),
        (SAID | {"version": 3}, "version must be a whole number from 1 to 2, got 3$"),
        (SAID | {"white": 254}, "white must be a whole number from 255 to 65535, got 254$"),
        (SAID | {"white": 3900.0}, "white must be"),
        (SAID | {"bits": 10, "white": 3900}, "json: white=3900: must be at most 1023 with 10 bits; give one of them$"),
    ],
)
def test_damaged_files_are_one_line(said, message, tmp_path):
    with pytest.raises(WoolError, match=message) as caught:
        imaging.read(write(tmp_path, [(40, 40)], said))
    assert "\n" not in str(caught.value)


def test_a_folder_without_images(tmp_path):
    with pytest.raises(WoolError, match="no image that can be read"):
        imaging.read(write(tmp_path, []))
    with pytest.raises(WoolError, match="no such folder"):
        imaging.read(tmp_path / "none")
