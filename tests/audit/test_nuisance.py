import csv
import os

import numpy as np
import pytest
from PIL import Image

from wool_tf.audit import nuisance
from wool_tf.data import dataset

SIDE = 64


def crop(seed, mean=150.0, noise=6.0):
    return np.random.default_rng(seed).normal(mean, noise, (SIDE, SIDE)).clip(0, 255).round().astype(np.uint8)


def write(folder, crops, columns=(), suffix=".png", **options):
    """Crops in turn of either class, of a group of their own, listed backwards in a manifest with further columns."""
    rows = [["path", "label", "group", *(name for name, _ in columns)]]
    for number, image in enumerate(crops):
        label = dataset.CLASSES[number % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        path = f"{label}/crop{number:03d}{suffix}"
        Image.fromarray(image).save(folder / path, **options)
        os.utime(folder / path, (1000 + number, 1000 + number))
        rows.append([path, label, f"S{number}", *(values[number] for _, values in columns)])
    with open(folder / "manifest.csv", "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([rows[0], *rows[:0:-1]])
    return folder


def measured(folder, tmp_path, crops=None):
    data = dataset.load(folder, SIDE, tmp_path / "cache")
    crops = np.arange(len(data.labels)) if crops is None else crops
    names, kinds, values = nuisance.features(data, crops)
    assert values.shape == (len(crops), len(names)) and len(names) == len(kinds) == len(set(names))
    number = [int(data.paths[index].split("crop")[1][:3]) for index in crops]
    # In the order in which they were written.
    return {name: column[np.argsort(number)] for name, column in zip(names, values.T, strict=True)}, dict(
        zip(names, kinds, strict=True)
    )


def of_pixels(image):
    return nuisance._of_pixels(image)


def test_noise_and_brightness_are_those_of_the_noise():
    for seed, (mean, noise) in enumerate([(150, 4), (90, 10), (200, 8)]):
        found = of_pixels(crop(seed, mean, noise))
        # Rounding to whole grey levels adds a variance of 1/12.
        whole = np.sqrt(noise**2 + 1 / 12)
        assert found["noise"] == pytest.approx(whole, rel=0.1)
        assert found["steps along rows"] == pytest.approx(np.sqrt(2) * whole, rel=0.1)
        assert found["steps along columns"] == pytest.approx(np.sqrt(2) * whole, rel=0.1)
        for name in ("mean grey", "median grey", "grey in the corners", "grey at the top"):
            assert found[name] == pytest.approx(mean, abs=3)


def test_defect_hardly_changes_what_is_said_to_tell_nothing():
    clean = crop(0, noise=6)
    defective = clean.copy()
    defective[20:28, 30:38] = 40
    before, after = of_pixels(clean), of_pixels(defective)
    # Its mass: 64 of 4096 pixels, darker by 110.
    assert after["mean grey"] - before["mean grey"] == pytest.approx(-110 * 64 / 4096, abs=0.1)
    for name in set(before) - set(nuisance.MOVED):
        assert after[name] == pytest.approx(before[name], rel=0.05, abs=0.3), name


def test_borders_and_ends_of_the_range():
    image = np.full((SIDE, SIDE), 100, np.uint8)
    image[:, :4], image[:, -4:], image[:4], image[-4:] = 50, 60, 0, 255
    found = of_pixels(image)
    sides = [found[f"grey at the {side}"] for side in ("left", "right", "top", "bottom")]
    assert sides == [50, 60, 0, 255]
    assert found["grey in the corners"] == pytest.approx((0 + 0 + 255 + 255) / 4)
    assert found["share of white"] == 4 / 64
    assert found["median grey"] == 100


def test_marks_of_processing():
    stretched = (crop(0, 60, 10) // 2 * 2).astype(np.uint8)
    assert of_pixels(crop(0, 60, 10))["grey levels left out"] == 0
    assert of_pixels(stretched)["grey levels left out"] == pytest.approx(0.5, abs=0.05)
    stamped = crop(0)
    stamped[:16, :32] = 255
    gained = of_pixels(stamped)["share without noise"] - of_pixels(crop(0))["share without noise"]
    assert gained == pytest.approx(16 * 32 / SIDE**2, abs=0.02)


def test_files_names_and_manifest(tmp_path):
    columns = [("x", range(10, 16)), ("y", [0.5, 1, 2, 3, 4, 5]), ("scan", "abcdef")]
    folder = write(tmp_path / "crops", [crop(seed) for seed in range(6)], columns)
    found, kinds = measured(folder, tmp_path)
    sizes = [os.path.getsize(next(folder.glob(f"*/crop{number:03d}.png"))) for number in range(6)]
    assert found["file size"].tolist() == sizes
    assert np.diff(found["date of change"]).tolist() == [1e9] * 5
    assert found["order of names"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found["row in the manifest"].tolist() == [5, 4, 3, 2, 1, 0]
    assert found["x in the scan"].tolist() == list(range(10, 16))
    assert found["y in the scan"].tolist() == [0.5, 1, 2, 3, 4, 5]
    assert set(found["width"]) == set(found["height"]) == {SIDE}
    assert set(found["length of name"]) == {len("crop000.png")}
    assert {kinds[name] for name in ("noise", "mean grey")} == {"pixels"}
    assert {kinds[name] for name in ("file size", "width", "x in the scan", "order of names")} == {"files"}


@pytest.mark.parametrize("values", [["1", "2", "", "4"], ["1", "2", "left", "4"], ["1", "2", "nan", "4"]])
def test_positions_that_are_not_all_numbers_are_left_out(tmp_path, values):
    folder = write(tmp_path / "crops", [crop(seed) for seed in range(4)], [("x", values)])
    found, _ = measured(folder, tmp_path)
    assert not {"x in the scan", "y in the scan"} & set(found)
    assert "row in the manifest" in found


def test_class_folders_without_manifest(tmp_path):
    folder = write(tmp_path / "crops", [crop(seed) for seed in range(4)])
    (folder / "manifest.csv").unlink()
    found, _ = measured(folder, tmp_path)
    assert "row in the manifest" not in found
    # The folders are named after the classes, which must not count.
    assert found["order of names"].tolist() == [0, 1, 2, 3]


def test_kinds_of_images(tmp_path):
    eight = crop(0)
    crops = [eight, eight.astype(np.uint16) * 200, np.dstack([crop(1)] * 3), crop(2).repeat(2, 0).repeat(2, 1)]
    found, _ = measured(write(tmp_path / "crops", crops), tmp_path)
    assert found["16 bits"].tolist() == [0, 1, 0, 0]
    assert found["channels"].tolist() == [1, 1, 3, 1]
    assert found["width"].tolist() == [SIDE, SIDE, SIDE, 2 * SIDE]
    assert found["PNG"].tolist() == [1] * 4


def test_some_of_the_crops_only(tmp_path):
    folder = write(tmp_path / "crops", [crop(seed) for seed in range(6)])
    every, _ = measured(folder, tmp_path)
    # Sorted paths: those of the class defective, 1, 3 and 5, come first.
    some, _ = measured(folder, tmp_path, np.array([0, 2, 3]))
    assert np.array_equal(some["mean grey"], every["mean grey"][[0, 1, 5]])
