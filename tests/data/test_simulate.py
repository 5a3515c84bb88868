import csv
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from wool_tf.data import dataset, simulate
from wool_tf.errors import WoolError


def rows_of(folder):
    with open(folder / "manifest.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return simulate.write_samples(tmp_path_factory.mktemp("simulated") / "set", samples=10, seed=3, side=40)


@pytest.fixture(scope="module")
def crops():
    """(crop, defect) of 400 samples, small to be quick."""
    return [crop for number in range(400) for crop in simulate.simulate_sample(number, seed=5, side=32)]


def test_loads_as_a_dataset(small, tmp_path):
    rows, data = rows_of(small), dataset.load(small, 40, tmp_path)
    assert sorted(row["path"] for row in rows) == list(data.paths)
    assert len(data.paths) == len(list(small.glob("*/*.png")))
    assert len(set(data.groups)) == 10


def test_files_are_8_bit_grey_of_the_size_asked(small):
    for file in small.glob("*/*.png"):
        with Image.open(file) as image:
            assert image.mode == "L" and image.size == (40, 40)


def test_a_group_is_two_or_three_crops_and_half_the_samples_are_defective(small):
    groups = {}
    for row in rows_of(small):
        assert (row["label"] == "defective") == (row["defect"] in simulate.DEFECTS)
        assert row["path"].startswith(row["label"] + "/")
        groups.setdefault(row["group"], []).append(row["label"])
    assert {len(labels) for labels in groups.values()} <= {2, 3}
    assert sum("defective" in labels for labels in groups.values()) == 5


def test_a_sample_has_one_kind_of_defect(small):
    kinds = {}
    for row in rows_of(small):
        kinds.setdefault(row["group"], set()).update({row["defect"]} - {""})
    assert all(len(found) <= 1 for found in kinds.values())


def test_same_sample_whatever_the_number_of_samples(small, tmp_path):
    fewer = simulate.write_samples(tmp_path / "fewer", samples=4, seed=3, side=40)
    for row in rows_of(fewer):
        assert (fewer / row["path"]).read_bytes() == (small / row["path"]).read_bytes()
    assert rows_of(fewer) == rows_of(small)[: len(rows_of(fewer))]


def test_another_seed_gives_other_crops():
    first, second = (simulate.simulate_sample(0, seed, 40)[0][0] for seed in (3, 4))
    assert not np.array_equal(first, second)


def test_mean_brightness_does_not_tell_the_class(crops):
    # 400 samples: the standard error of an AUC without information is below 0.03 even with crops of a sample alike.
    defective = [defect != "" for _, defect in crops]
    assert abs(roc_auc_score(defective, [crop.mean() for crop, _ in crops]) - 0.5) < 0.08


def test_number_of_the_sample_does_not_tell_the_class():
    first = [any(defect for _, defect in simulate.simulate_sample(number, 5, 32)) for number in range(0, 200, 2)]
    # 100 fair tosses: 4 standard deviations.
    assert 30 <= sum(first) <= 70


def test_all_kinds_occur_and_some_views_miss_the_defect(crops):
    kinds = [defect for _, defect in crops]
    assert all(kinds.count(kind) > 30 for kind in simulate.DEFECTS)
    views = [simulate.simulate_sample(number, 5, 32) for number in range(100)]
    mixed = [sample for sample in views if len({defect != "" for _, defect in sample}) == 2]
    assert mixed and all(sample[0][1] for sample in mixed)


def test_grey_values_are_not_clipped(crops):
    pixels = np.concatenate([crop.ravel() for crop, _ in crops])
    assert np.mean((pixels == 0) | (pixels == 255)) < 1e-3


@pytest.mark.parametrize("angle", [0.0, 0.7, 1.9])
@pytest.mark.parametrize("side,tolerance", [(61, 0.012), (244, 1e-6)])
def test_projection_conserves_mass_at_any_angle(angle, side, tolerance):
    # A homogeneous ellipsoid weighs density · 4/3·π·a·b·c, wherever it is seen from. By Poisson's summation formula
    # a Gaussian sampled at steps p sums to its mass within 2·exp(-2π²σ²/p²): at 61 pixels σ is half a step: 1.2 %.
    shape = np.diag(np.array([3.0, 8.0, 5.0]) ** 2 / 5)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    weight = simulate._project([(np.array([4.0, 2.0, -3.0]), shape, 1.3)], turn, np.array([5.0, -20.0]), side)
    mass = weight.sum() * (simulate.EXTENT / side) ** 2
    assert mass == pytest.approx(1.3 * 4 / 3 * np.pi * 3 * 8 * 5, rel=tolerance)


def test_projection_puts_a_body_where_it_is():
    turn = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])
    weight = simulate._project([(np.array([9.0, 6.0, 12.0]), np.eye(3) * 4, 1.0)], turn, np.array([10.0, -30.0]), 122)
    grid = (np.arange(122) + 0.5) * 1.6 - 97.6
    # Turned by 90° about y, x becomes z: (12, 6) from the place of the defect.
    assert weight.sum(axis=0) @ grid / weight.sum() == pytest.approx(22, abs=1e-6)
    assert weight.sum(axis=1) @ grid / weight.sum() == pytest.approx(-24, abs=1e-6)


def test_exposure_follows_beer_lambert():
    rng = np.random.default_rng(0)
    for weight in (2.0, 8.0, 20.0):
        crop = simulate._expose(np.full((200, 200), weight), np.ones(200), rng, 200)
        assert crop.mean() == pytest.approx(255 * np.exp(-0.05 * weight), abs=0.1)


@pytest.mark.parametrize("side", [40, 61])
def test_texture_has_the_deviation_asked(side):
    rng = np.random.default_rng(0)
    spectrum = np.sqrt(simulate._scaled(np.ones((side, side // 2 + 1)), 0.1, side))
    assert simulate._texture(spectrum, rng, side).std() == pytest.approx(0.1, rel=0.05)


def test_finished_set_is_not_made_again(small, monkeypatch):
    monkeypatch.setattr(simulate, "simulate_sample", None)
    assert simulate.write_samples(small, samples=10, seed=3, side=40) == small


def test_other_settings_do_not_touch_a_finished_set(small):
    before = sorted(small.rglob("*"))
    with pytest.raises(WoolError, match="holds something other than 12 samples of seed 3 at 40 pixels"):
        simulate.write_samples(small, samples=12, seed=3, side=40)
    assert sorted(small.rglob("*")) == before


def test_a_users_folder_is_not_touched(tmp_path):
    (tmp_path / "defective").mkdir()
    with pytest.raises(WoolError, match="holds something other"):
        simulate.write_samples(tmp_path, samples=4, seed=0, side=32)
    assert [file.name for file in tmp_path.iterdir()] == ["defective"]


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "set").mkdir()
    folder = simulate.write_samples(tmp_path / "set", samples=2, seed=0, side=32)
    assert json.loads((folder / "simulation.json").read_text())["samples"] == 2
    assert [file.name for file in tmp_path.iterdir()] == ["set"]


def test_interrupted_generation_leaves_nothing(tmp_path, monkeypatch):
    original = simulate.simulate_sample

    def interrupted(number, seed, side):
        if number == 3:
            raise KeyboardInterrupt
        return original(number, seed, side)

    monkeypatch.setattr(simulate, "simulate_sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate.write_samples(tmp_path / "set", samples=8, seed=0, side=32)
    assert not list(tmp_path.iterdir())


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WoolError, match="cannot be written"):
        simulate.write_samples(tmp_path / "file" / "set", samples=2, seed=0, side=32)


@pytest.mark.parametrize("name,value", [("samples", 1), ("seed", -1), ("side", 31)])
def test_numbers_out_of_range(tmp_path, name, value):
    arguments = {"samples": 2, "seed": 0, "side": 32, name: value}
    with pytest.raises(WoolError, match=f"{name}: must be at least"):
        simulate.write_samples(tmp_path / "set", **arguments)
