"""Crops for whoever has none: the paper's campaign at any size."""

import csv

import pytest

from wool_tf.data import dataset
from wool_tf.simulation import simulated_crops
from wool_tf.simulation.campaign import Campaign


@pytest.mark.parametrize("samples", [2, 8, 45, 153, 1000])
def test_other_numbers_keep_the_shares_of_the_paper(samples):
    campaign = Campaign(samples, seed=3, contrast=2.0)
    assert campaign.samples == samples and campaign.seed == 3 and campaign.contrast == 2.0
    assert abs(campaign.clean / samples - 70 / 153) <= 0.5 / samples + 1e-9
    assert abs(campaign.scans / samples - 316 / 153) <= 0.5 / samples + 1e-9


def test_what_comes_out_can_be_loaded(tmp_path):
    folder = simulated_crops.write(tmp_path / "made", 4, 0, 2.5)
    data = dataset.load(folder, 64, tmp_path / "cache")
    assert data.grouped and all(data.scans)
    assert set(data.labels) == {0, 1}
    with open(folder / "manifest.csv") as file:
        assert {row["group"] for row in csv.DictReader(file)} == set(data.groups) <= {f"S00{n}" for n in range(1, 5)}
    assert all((defect != "") for defect in data.defects[data.labels == 1])
    before = {path: path.stat().st_mtime for path in folder.rglob("*")}
    assert simulated_crops.write(tmp_path / "made", 4, 0, 2.5) == folder
    assert {path: path.stat().st_mtime for path in folder.rglob("*")} == before
