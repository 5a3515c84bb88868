"""Scans without references: their open beam, what enters the window, and what is told of saturation."""

import dataclasses
import json

import numpy as np
import pytest
from exposed_scans import SETTINGS, product
from PIL import Image

from wool_tf.data import crops
from wool_tf.errors import WoolError


def write_corrected(folder, top, spoil=lambda counts: None):
    """Scans without references, of noise, whose open beam has `top` counts; returns the densest attenuation."""
    rng, rows = np.random.default_rng(5), ["scan,sample,x,y,width,height,defect"]
    (folder / "scans").mkdir(parents=True)
    densest = 0.0
    for number in range(4):
        truth = product(140 + number, None)
        densest = max(densest, float(truth.max()))
        counts = np.rint(np.minimum(top * np.exp(-truth) * rng.normal(1, 0.005, truth.shape), top))
        spoil(counts)
        Image.fromarray(counts.astype(np.uint16)).save(folder / "scans" / f"{number}.png")
        rows.append(f"scans/{number}.png,S{number},{'30,30,4,6,D1' if number % 2 else ',,,,'}")
    (folder / "annotations.csv").write_text("\n".join(rows))
    return densest


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_the_open_beam_of_scans_without_references_is_that_of_their_bits(tmp_path, bits):
    densest = write_corrected(tmp_path / "set", 2**bits - 1)
    result = crops.write(tmp_path / "set", tmp_path / "crops", SETTINGS)
    assert result.window[1] == pytest.approx(densest, abs=0.02)
    assert json.loads((tmp_path / "crops" / "imaging.json").read_text())["scan_white"] == 2**bits - 1


@pytest.mark.parametrize("white", [3900, 10_000, 60_000])
def test_the_open_beam_of_scans_without_references_is_the_white_given(tmp_path, white):
    densest = write_corrected(tmp_path / "set", white)
    result = crops.write(tmp_path / "set", tmp_path / "crops", dataclasses.replace(SETTINGS, white=white))
    assert result.window[1] == pytest.approx(densest, abs=0.02)
    assert json.loads((tmp_path / "crops" / "imaging.json").read_text())["scan_white"] == white
    # It would seem denser with all of its bits as the open beam.
    bits = white.bit_length()
    other = crops.write(tmp_path / "set", tmp_path / "bits", dataclasses.replace(SETTINGS, bits=bits))
    assert other.window[1] - result.window[1] == pytest.approx(np.log((2**bits - 1) / white), abs=0.01)


def test_scans_with_values_beyond_the_bits_given_are_named(tmp_path):
    write_corrected(tmp_path / "set", 4095)
    with pytest.raises(WoolError, match="set: scans/0.png has values up to 4095, beyond 1023, .*; and 1 more$"):
        crops.write(tmp_path / "set", tmp_path / "crops", dataclasses.replace(SETTINGS, bits=10))
    other = crops.write(tmp_path / "set", tmp_path / "dark", dataclasses.replace(SETTINGS, bits=16))
    found = crops.write(tmp_path / "set", tmp_path / "crops", SETTINGS)
    assert other.window[1] - found.window[1] == pytest.approx(np.log(65535 / 4095), abs=0.01)


def dead_column(counts):
    counts[:, 50] = 0


def shaded_columns(counts):
    # The shadow of a collimator's edge, deeper than any wool.
    counts[:, :3] *= np.array([0.05, 0.1, 0.2])


def black_borders(counts):
    counts[:, :12] = np.random.default_rng(1).integers(0, 8, (len(counts), 12))


@pytest.mark.parametrize(("spoil", "columns"), [(dead_column, 1), (shaded_columns, 3), (black_borders, 12)])
def test_pixels_without_signal_do_not_enter_the_window_and_are_counted(tmp_path, spoil, columns):
    densest = write_corrected(tmp_path / "set", 4095, spoil)
    result = crops.write(tmp_path / "set", tmp_path / "crops", SETTINGS)
    assert result.window[1] == pytest.approx(densest, abs=0.02)
    # Of scans of 140 to 143 lines there are two frames of 60, of which every fourth line is looked at.
    pixels = 4 * 2 * 15
    told = f"left out of the window: {columns * pixels:,} of {100 * pixels:,} pixels looked at ({columns} %)"
    assert any(remark.startswith(told) for remark in result.remarks), result.remarks


@pytest.mark.parametrize(("clip", "hot"), [(4095, 0), (4000, 0), (4000, 3), (3900, 20)])
def test_saturated_scans_are_told_wherever_they_saturate(tmp_path, clip, hot):
    """Hot samples above the plateau, which are clipped to the highest value of 12 bits, do not hide it."""

    def cut(counts):
        np.minimum(counts, clip, out=counts)
        counts.flat[:: counts.size // hot if hot else counts.size] = 65535 if hot else counts.flat[0]

    write_corrected(tmp_path / "set", 4095, cut)
    (remark,) = crops.write(tmp_path / "set", tmp_path / "crops", SETTINGS).remarks
    assert remark.startswith("4 scans are saturated, most of all scans/") and f" of its pixels at {clip}: " in remark


def test_a_detector_that_does_not_saturate_is_not_said_to(tmp_path):
    rng = np.random.default_rng(6)
    write_corrected(
        tmp_path / "set", 4095, lambda counts: np.copyto(counts, rng.normal(0.9, 0.005, counts.shape) * counts)
    )
    assert crops.write(tmp_path / "set", tmp_path / "crops", SETTINGS).remarks == ()
