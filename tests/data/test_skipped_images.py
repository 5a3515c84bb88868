"""Bad images that are skipped where that is wanted."""

import shutil

import numpy as np
import pytest
from class_folders import SIDE, encoded, load, refusal, skipping
from PIL import Image

from wool_tf.data import image_cache
from wool_tf.data.crop_reading import CropReading
from wool_tf.errors import WoolError

BAD = {
    "defective/3.png": (b"", "is empty (0 bytes)"),
    "defective/4.png": (b"not an image", "is not a readable PNG, TIFF, JPEG or DICOM image"),
    "non_defective/5.png": (encoded(Image.effect_noise((SIDE, SIDE), 50))[:200], "cannot be decoded"),
    "non_defective/6.png": (encoded(Image.new("L", (SIDE, 2 * SIDE))), "images must be square"),
    "non_defective/notes.txt": (b"x", "is not an image"),
}


def test_skipping_keeps_the_good_and_names_every_bad_one(folder):
    good = load(folder)
    for name, (content, _) in BAD.items():
        (folder / name).write_bytes(content)
    data = skipping(folder)
    np.testing.assert_array_equal(data.images, good.images)
    assert (data.paths, data.labels.tolist()) == (good.paths, good.labels.tolist())
    assert data.fingerprint == good.fingerprint
    assert len(data.skipped) == len(BAD)
    for name, (_, reason) in BAD.items():
        assert any(line.startswith(name) and reason in line for line in data.skipped)


def test_skipped_images_are_remembered_and_not_decoded_again(folder, monkeypatch):
    (folder / "defective/4.png").write_bytes(b"not an image")
    first = skipping(folder)
    monkeypatch.setattr(image_cache, "_decode", None)
    again = skipping(folder)
    np.testing.assert_array_equal(again.images, first.images)
    assert again.skipped == first.skipped and len(again.skipped) == 1
    with pytest.raises(WoolError, match="4.png is not a readable"):
        load(folder)


def test_a_lost_note_of_skipped_images_is_made_again(folder):
    (folder / "defective/4.png").write_bytes(b"not an image")
    first = skipping(folder)
    for note in (folder.parent / "cache").glob("*.json"):
        note.unlink()
    again = skipping(folder)
    assert again.skipped == first.skipped
    np.testing.assert_array_equal(again.images, first.images)


def test_of_the_same_images_skipping_keeps_what_is_certain(folder):
    shutil.copy(folder / "defective/0.png", folder / "defective/9.png")
    assert "defective/0.png" in skipping(folder).paths and "defective/9.png" not in skipping(folder).paths
    shutil.copy(folder / "defective/0.png", folder / "non_defective/9.png")
    data = skipping(folder)
    assert data.paths == ("defective/1.png", "non_defective/0.png", "non_defective/1.png")
    assert len(data.skipped) == 3


@pytest.mark.parametrize("how", [{"compress_level": 0}, {"format": "TIFF"}])
def test_the_same_pixels_in_another_file_are_the_same_image(folder, how):
    image = Image.open(folder / "defective/0.png")
    image.save(folder / "non_defective/9.png", **how)
    line = refusal(folder)
    assert "non_defective/9.png is the same image as defective/0.png, with another label" in line
    data = skipping(folder)
    assert data.paths == ("defective/1.png", "non_defective/0.png", "non_defective/1.png")
    np.testing.assert_array_equal(data.images[0], np.asarray(Image.open(folder / "defective/1.png")))
    np.testing.assert_array_equal(data.images[2], np.asarray(Image.open(folder / "non_defective/1.png")))
    assert len(data.skipped) == 2


def test_nothing_left_after_skipping_is_an_error(folder):
    for file in (folder / "defective").iterdir():
        file.write_bytes(b"")
    with pytest.raises(WoolError, match="no defective images among those that are not bad .*0.png is empty"):
        skipping(folder)


def test_an_unknown_way_with_bad_images(folder):
    with pytest.raises(WoolError, match="on_bad_image=ignore: must be one of fail, skip"):
        CropReading("ignore")
