"""wool_board/belt/beam.py: the open beam is followed, and what cannot be followed is an alarm."""

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rig
from rig import DEFECT, accounted, kinds
from wool_board.belt.beam import LIMIT, OpenBeam
from wool_board.belt.events import Alarms, Events

DETECTOR, MM = rig.Detector(), 0.5
THIN = 0.12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("beam")
    DETECTOR.references(made)
    return made


def products(lines: int, *spans: tuple[int, int], across: slice = slice(10, 90)) -> np.ndarray:
    belt = np.zeros((lines, DETECTOR.width))
    for start, stop in spans:
        belt[start:stop, across] = THIN
    return belt


def inspect(belt: np.ndarray, brightness, folder, tmp_path, **options) -> list[dict]:
    """Inspects a belt under a beam that is so many times as bright, as a number or line by line."""
    path = tmp_path / "belt.raw"
    path.write_bytes(DETECTOR.expose(belt - np.log(np.reshape(brightness, (-1, 1)))).tobytes())
    return rig.inspect(path, folder, DETECTOR, **options)


def product_lines(found: list[dict]) -> set[int]:
    return {line for e in kinds(found, "tile") for line in range(*(round(mm / MM) for mm in e["along_mm"]))}


def names(found: list[dict]) -> list[tuple]:
    return [(event["alarm"], event["on"]) for event in kinds(found, "alarm")]


@pytest.mark.parametrize("across", [slice(10, 90), slice(0, 100)])
@pytest.mark.parametrize("brightness", [1.0, 1.13, 1.21, 0.97, 0.8])
def test_thin_wool_is_product_whatever_the_beam(folder, tmp_path, brightness, across):
    belt = products(1200, (96, 496), (608, 1008), across=across)
    belt[300:305, 40:45] = DEFECT
    found = inspect(belt, brightness, folder, tmp_path)
    assert product_lines(found) == {*range(96, 496), *range(608, 1008)}
    assert accounted(found) == [0, 1200 * MM]
    ((top, bottom),) = [reject["along_mm"] for reject in kinds(found, "reject")]
    assert top <= 300 * MM and 305 * MM <= bottom
    # Beyond five per cent it is said, too.
    assert names(found) == ([] if abs(brightness - 1) < 0.05 else [("beam_drift", True)])
    (drift,) = kinds(found, "alarm") or [{"percent": 0}]
    assert drift["percent"] in (0, pytest.approx(100 * (brightness - 1), abs=0.5))
    assert found[-1]["beam_percent"] == pytest.approx(100 * (brightness - 1), abs=0.3)


@pytest.mark.parametrize("brightness", [1.13, 1.21])
def test_a_product_that_looks_like_air_from_end_to_end_is_alarmed_at_no_later_than_behind_it(
    folder, tmp_path, brightness
):
    found = inspect(products(2000, (0, 1000), across=slice(0, 100)), brightness, folder, tmp_path)
    assert names(found) == [("beam_drift", True)]
    assert kinds(found, "alarm")[0]["line"] <= 1000 + 64


def test_a_step_of_the_beam_to_the_darker_is_no_air_and_an_alarm_and_then_followed(folder, tmp_path):
    belt = products(3200, *((start + 50, start + 300) for start in range(0, 3200, 400)))
    brightness = np.where(np.arange(3200) < 800, 1.0, 0.85)
    found = inspect(belt, brightness, folder, tmp_path, spacing=600)
    assert names(found)[:2] == [("no_air", True), ("beam_drift", True)]
    assert ("no_air", False) in names(found)
    # What came after that is told apart again.
    late = {line for line in product_lines(found) if line >= 2000}
    expected = {line for start in range(2000, 3200, 400) for line in range(start + 50, start + 300)}
    assert late >= expected and len(late - expected) <= 32 * 3


@pytest.mark.parametrize("ratio", [0.85, 1.2])
def test_drift_over_time_is_followed_without_a_false_reject(folder, tmp_path, ratio):
    """A tube that warms up or ages: as fast as its lines allow."""
    lines = 24000
    belt = products(lines, *((start, start + 320) for start in range(160, lines - 400, 480)))
    found = inspect(belt, ratio ** (np.arange(lines) / lines), folder, tmp_path)
    assert kinds(found, "reject") == []
    # 16 lines more or less at an edge.
    assert abs(len(product_lines(found)) - 320 * 50) < 50 * 32
    assert names(found) == [("beam_drift", True)]
    assert found[-1]["beam_percent"] == pytest.approx(100 * (ratio - 1), abs=1)


def test_nothing_but_air_and_no_air_at_all_are_alarms(folder, tmp_path):
    belt = np.zeros((3000, DETECTOR.width))
    belt[1200:2400] = 0.5
    found = inspect(belt, 1.0, folder, tmp_path, spacing=1000)
    assert names(found) == [("only_air", True), ("only_air", False), ("no_air", True), ("no_air", False)]
    lines = [event["line"] for event in kinds(found, "alarm") if event["on"]]
    assert lines == [0, 1200]


@pytest.mark.parametrize("gain", [1.03, 1.045, 0.97, 0.96])
@pytest.mark.parametrize("board", [slice(0, 40), slice(40, 80)])
def test_a_board_of_the_detector_that_drifts_by_itself_is_told_and_its_return(folder, tmp_path, gain, board):
    """By it, or by all others, air is no air any more; how far the beam is followed cannot tell."""
    belt = products(8000, *((start, start + 250) for start in range(100, 7800, 400)))
    belt[2000:6000, board] -= np.log(gain)
    found = inspect(belt, 1.0, folder, tmp_path, spacing=1500)
    told = [event for event in kinds(found, "alarm") if event["alarm"] == "uneven_air"]
    assert [event["on"] for event in told] == [True, False]
    # Some 130 lines of each 400 are a gap. A beam that gets darker at once is believed after lines without air only.
    assert 2000 + 32 * 16 <= told[0]["line"] < 2000 + 4 * 32 * 16 and 6000 < told[1]["line"] < 6500 + 1500


def test_thin_products_and_a_web_without_end_are_even_air_beside_them(folder, tmp_path):
    belt = products(6000, *((start, start + 250) for start in range(100, 5800, 400)))
    belt *= 0.07 / THIN
    assert names(inspect(belt, 1.0, folder, tmp_path)) == []
    assert names(inspect(products(6000, (0, 6000)), 1.0, folder, tmp_path)) == []


def test_air_beside_the_product_is_air(folder, tmp_path):
    belt = products(3000, (0, 3000), across=slice(0, 60))
    assert names(inspect(belt, 1.0, folder, tmp_path, spacing=1000)) == []
    assert names(inspect(belt, 0.97, folder, tmp_path, spacing=1000)) == [("no_air", True)]


def test_a_beam_that_was_off_may_come_back_darker(folder, tmp_path):
    brightness = np.concatenate([np.full(600, 1.0), np.full(400, 1e-3), np.full(800, 0.85)])
    found = inspect(products(1800, (1200, 1500)), brightness, folder, tmp_path)
    assert ("beam_drift", True) in names(found) and found[-1]["beam_percent"] == pytest.approx(-15, abs=0.5)
    assert {*range(1200, 1500)} <= product_lines(found)
    assert not {*range(1040, 1180), *range(1520, 1800)} & product_lines(found)


def followed(*levels: np.ndarray, width: int = 160) -> OpenBeam:
    beam = OpenBeam(width, 1.0, 10**6, Alarms(Events(io.StringIO())))
    attenuation, first = np.concatenate(levels).astype(np.float32), 0
    for size in np.random.default_rng(0).integers(1, 64, len(attenuation)):
        beam.follow(first, attenuation[first : first + size])
        first += len(attenuation[first : first + size])
        if first == len(attenuation):
            break
    return beam


def noise(lines: int, level: float, width: int = 160) -> np.ndarray:
    return np.random.default_rng(1).normal(level, 0.05, (lines, width))


def test_a_steady_beam_changes_no_pixel():
    beam = followed(noise(40000, 0.0))
    assert beam.correction == 0 and abs(beam.level) < 0.003


@settings(max_examples=50, deadline=None)
@given(st.floats(-LIMIT + 0.02, LIMIT - 0.02), st.floats(0, 1))
def test_the_level_that_air_shows_is_found_at_once(level, noisy):
    air = np.random.default_rng(1).normal(level, 0.05 * noisy, (320, 160))
    beam = followed(air)
    assert beam.level == pytest.approx(level, abs=0.022)
    assert abs(beam.correction - beam.level) <= 0.0051
    assert beam.percent == round(100 * math.expm1(-beam.level), 1)


def test_one_element_or_block_of_elements_weighs_nothing():
    air = noise(3200, 0.0)
    air[:, 7] = -1.0
    air[:, 32:48] = -0.15
    assert abs(followed(air).level) < 0.01


def test_product_is_no_darker_beam_once_air_was_seen():
    assert abs(followed(noise(640, 0.0), noise(640, 0.1), noise(640, 0.0)).level) < 0.005


def test_what_is_too_bright_is_not_followed():
    assert followed(noise(640, 0.0), noise(640, -0.9)).level == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("end", [0.9, -0.9])
def test_however_slowly_the_level_changes_it_is_followed_within_its_bounds_only(end):
    """Else a product that gets thicker slowly enough would be air, however thick."""
    slope = np.linspace(0, end, 40000)[:, None]
    beam = followed(noise(640, 0.0), slope + 0.2 * noise(40000, 0.0))
    assert abs(beam.level) <= LIMIT
