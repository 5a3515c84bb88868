"""The crops of a folder as a board reads them, and as networks are trained on them."""

import numpy as np
import pytest
from class_folders import with_file_size_limit
from PIL import Image

from wool_tf.data import dataset, native_crops
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.imaging import Imaging
from wool_tf.data.listing import CLASSES
from wool_tf.errors import WoolError

SIDE, IMAGE_SIZE, LOAD_SIZE = 40, 32, 35


@pytest.fixture
def folder(tmp_path):
    """Class folders with three noisy images each, one of another size."""
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "data" / name).mkdir(parents=True)
        for number, side in enumerate((SIDE, SIDE, 61)):
            pixels = rng.integers(0, 256, (side, side), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


def load(folder, side=None, **reading):
    return native_crops.load(folder, folder.parent / "cache", None, CropReading(**reading), side)


def lanczos(image, side):
    return np.asarray(Image.fromarray(np.asarray(image)).resize((side, side), Image.Resampling.LANCZOS))


def test_networks_see_the_native_crops_resized_and_not_the_files(folder):
    crops = load(folder)
    assert crops.imaging.side == SIDE and crops.native.images.shape == (6, SIDE, SIDE)
    images = crops.for_network(IMAGE_SIZE)
    assert images.images.shape == (6, LOAD_SIZE, LOAD_SIZE) and not images.images.flags.writeable
    for number, path in enumerate(crops.native.paths):
        crop = lanczos(Image.open(folder / path), SIDE)
        np.testing.assert_array_equal(crops.native.images[number], crop)
        np.testing.assert_array_equal(images.images[number], lanczos(crop, LOAD_SIZE))


def test_both_have_the_same_images_in_the_same_order(folder):
    (folder / "manifest.csv").write_text(
        "path,label,group,defect,scan\n"
        + "".join(f"{name}/{n}.png,{name},G{n},D{n},s{name}{n}\n" for n in range(3) for name in ("defective",))
        + "".join(f"{name}/{n}.png,{name},H{n},,s{name}{n}\n" for n in range(3) for name in ("non_defective",))
    )
    crops = load(folder)
    images = crops.for_network(IMAGE_SIZE)
    assert images.paths == crops.native.paths and images.grouped and images.folder == str(folder)
    for name in ("labels", "groups", "defects", "scans"):
        assert getattr(images, name).tolist() == getattr(crops.native, name).tolist()


def test_what_is_the_same_image_is_seen_before_any_resizing(folder):
    # Two pictures that differ, and are one once they have been resized to a few pixels.
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    for name, corner in (("defective", 0), ("non_defective", 1)):
        pixels[0, 0] = corner
        Image.fromarray(pixels).save(folder / name / "9.png")
    small, whole = (load(folder, side=side, on_bad_image="skip").native for side in (4, SIDE))
    assert np.array_equal(*small.images[[small.paths.index(f"{name}/9.png") for name in CLASSES]])
    assert small.paths == whole.paths and len(whole.paths) == 8
    # One picture twice is found at every side.
    Image.fromarray(pixels).save(folder / "defective" / "8.tif")
    small, whole = (load(folder, side=side, on_bad_image="skip").native for side in (4, SIDE))
    assert small.paths == whole.paths and len(whole.paths) == 7


def test_fingerprints_are_of_pixels_labels_groups_and_side(folder):
    crops = load(folder)
    found = {crops.native.fingerprint} | {crops.for_network(size).fingerprint for size in (IMAGE_SIZE, 48)}
    assert len(found) == 3
    assert load(folder).for_network(IMAGE_SIZE).fingerprint in found
    rows = [f"{path},{path.partition('/')[0]},{path}\n" for path in crops.native.paths]
    (folder / "manifest.csv").write_text("path,label,group\n" + "".join(rows))
    assert load(folder).for_network(IMAGE_SIZE).fingerprint in found
    (folder / "manifest.csv").write_text("path,label,group\n" + "".join(rows).replace("/0.png\n", "/1.png\n"))
    assert load(folder).for_network(IMAGE_SIZE).fingerprint not in found


def test_crops_that_have_the_side_already_are_taken_as_they_are(folder):
    crops = load(folder, side=LOAD_SIZE)
    assert crops.for_network(IMAGE_SIZE) is crops.native


def test_images_are_resized_once(folder, monkeypatch):
    told = []
    first = load(folder).for_network(IMAGE_SIZE, lambda *counts: told.append(counts))
    assert told == [(number, 6) for number in range(1, 7)]
    monkeypatch.setattr(dataset.pixels, "resized", None)
    np.testing.assert_array_equal(load(folder).for_network(IMAGE_SIZE).images, first.images)


def test_a_damaged_file_of_the_cache_is_made_again(folder):
    first = load(folder).for_network(IMAGE_SIZE)
    expected = first.images.copy()
    (file,) = (folder.parent / "cache").glob(f"resized-{LOAD_SIZE}-*.npy")
    file.write_bytes(file.read_bytes()[:300])
    np.testing.assert_array_equal(load(folder).for_network(IMAGE_SIZE).images, expected)


def test_a_full_disk_is_one_line_and_leaves_no_part(folder):
    crops = load(folder)
    before = sorted((folder.parent / "cache").iterdir())
    with pytest.raises(WoolError, match=r"^[^\n]*cache: cannot be written \([^\n]*make room$"):
        with_file_size_limit(2000, lambda: crops.for_network(IMAGE_SIZE))
    assert sorted((folder.parent / "cache").iterdir()) == before


def test_imaging_json_changes_the_imaging_and_not_the_pixels(folder):
    found = [load(folder)]
    (folder / "imaging.json").write_text('{"window": [0.0, 1.5], "crop": 40, "pixel_mm": 0.8}')
    found.append(load(folder))
    assert found[1].imaging == Imaging(40, (0.0, 1.5), 0.8) != found[0].imaging
    assert found[1].native.fingerprint == found[0].native.fingerprint != load(folder, side=41).native.fingerprint
