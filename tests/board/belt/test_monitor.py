"""wool_board/belt/monitor.py: lines that are not what the detector should give."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rig
from wool_board.belt.beam import OpenBeam
from wool_board.belt.events import Alarms, Events
from wool_board.belt.monitor import SPAN, Monitor, seems_width
from wool_board.image.references import correction
from wool_board.image.scan_files import LineFormat

DETECTOR = rig.Detector(width=160)


@pytest.fixture(scope="module")
def corrected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("references")
    DETECTOR.references(folder)
    return correction(folder / "dark.png", folder / "bright.png", LineFormat(160, "uint16le"))


def product(lines: int) -> np.ndarray:
    """Air, a product with edges, and patches in it."""
    rng = np.random.default_rng(0)
    patches = np.kron(rng.uniform(0.1, 0.8, (lines // 20 + 1, 8)), np.ones((20, 20)))[:lines]
    patches[:, :30] = patches[:, 140:] = 0
    return patches


def watch(corrected, stream: io.StringIO) -> tuple[Monitor, OpenBeam]:
    """A monitor, and the beam that it is told of."""
    layout, alarms = LineFormat(corrected.gain.size, "uint16le"), Alarms(Events(stream))
    beam = OpenBeam(layout.width, rig.WINDOW[1], rig.SPACING, alarms)
    return Monitor(corrected, layout, rig.WINDOW, beam, alarms), beam


def heard(corrected, *pieces: np.ndarray, chunk: int = 60) -> list[dict]:
    """The alarms of lines."""
    stream = io.StringIO()
    monitor, beam = watch(corrected, stream)
    assert monitor.knows_pattern
    lines = np.concatenate(pieces)
    for start in range(0, len(lines), chunk):
        part = lines[start : start + chunk]
        beam.follow(start, corrected.attenuation(part))
        monitor.look(start, part, corrected.attenuation(part))
    monitor.finish(len(lines))
    return rig.events(stream.getvalue())


def good(lines: int, seed: int = 5) -> np.ndarray:
    return DETECTOR.expose(product(lines), seed)


def names(found: list[dict]) -> list[tuple]:
    return [(event["alarm"], event["on"]) for event in found]


@pytest.mark.parametrize("chunk", [1, 37, 256, 1000])
def test_nothing_is_wrong_with_product_and_air(corrected, chunk):
    assert heard(corrected, good(600), DETECTOR.expose(np.zeros((600, 160))), chunk=chunk) == []


def cut_wrong(width: int) -> np.ndarray:
    """Lines of another width, cut as if they had 160 elements."""
    wide = np.hstack([product(400), product(400)])[:, :width]
    stream = rig.Detector(width, seed=3).expose(wide)
    return stream.ravel()[: stream.size // 160 * 160].reshape(-1, 160)


CHANGES = {
    "dark_beam": lambda lines: DETECTOR.expose(np.full(lines.shape, 5.0)),
    "bright_beam": lambda lines: (lines * 1.4).astype("<u2"),
    "saturated": lambda lines: np.where(np.arange(160) > 120, 65535, lines).astype("<u2"),
    "stuck_elements": lambda lines: np.where(np.isin(np.arange(160), (20, 21)), 15000, lines).astype("<u2"),
    "wrong_pattern": lambda lines: np.roll(lines, 1, axis=1),
    "stuck_lines": lambda lines: np.repeat(lines[:1], len(lines), axis=0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_alarm_begins_and_ends(corrected, name):
    found = heard(corrected, good(2 * SPAN), CHANGES[name](good(2 * SPAN, 6)), good(2 * SPAN, 7))
    assert (name, True) in names(found) and (name, False) in names(found)
    others = {event["alarm"] for event in found} - {name}
    # Lines at the top of their range are brighter than the beam, too, and stand still.
    assert others <= {"saturated": {"bright_beam", "stuck_elements", "unrepaired_elements"}, "bright_beam": set()}.get(
        name, set()
    )
    begin = next(event for event in found if event["alarm"] == name)
    if name == "stuck_elements":
        assert begin["elements"] == [20, 21]
    if name == "stuck_lines":
        assert begin["line"] == 2 * SPAN
    else:
        assert begin["lines"] == [2 * SPAN, 3 * SPAN]


@pytest.mark.parametrize(("brighter", "said"), [(1.0, False), (1.1, True), (1.19, True)])
def test_a_detector_whose_elements_end_each_at_its_own_count_is_saturated(corrected, brighter, said):
    """One that takes off its offsets itself: in no element is the highest count that of the others."""
    ends = 22_800 - np.random.default_rng(2).integers(0, 800, 160)
    air = DETECTOR.expose(np.full((2 * SPAN, 160), -np.log(brighter)), 3)
    found = heard(corrected, good(SPAN), np.minimum(air, ends).astype("<u2"), good(SPAN))
    assert (("saturated", True) in names(found)) == said
    # Product under that beam ends nowhere.
    assert not said or ("saturated", False) in names(found)


@pytest.mark.parametrize("width", [100, 155, 159, 161, 200, 310])
def test_a_wrong_width_is_named(corrected, width):
    (alarm,) = heard(corrected, cut_wrong(width))
    assert (alarm["alarm"], alarm["seems_width"]) == ("wrong_pattern", width)
    assert abs(alarm["correlation"]) < 0.4


def test_a_detector_without_a_pattern_is_not_judged_by_it(tmp_path):
    even = rig.Detector(width=160, noise=400)
    counts = [np.random.default_rng(0).normal(mean, 400, (64, 160)).astype("<u2") for mean in (2000, 22000)]
    for name, lines in zip(("dark", "bright"), counts, strict=True):
        (tmp_path / f"{name}.raw").write_bytes(lines.tobytes())
    layout = LineFormat(even.width, "uint16le")
    flat = correction(tmp_path / "dark.raw", tmp_path / "bright.raw", layout)
    assert not watch(flat, io.StringIO())[0].knows_pattern


def test_noise_has_no_width():
    assert seems_width(np.random.default_rng(0).normal(1000, 30, (64, 160))) is None
    assert seems_width(np.full((64, 160), 7)) is None


@settings(max_examples=50)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 50))
def test_repeated_lines_against_runs_counted_by_hand(corrected_for_runs, runs, chunk):
    lines = np.repeat(np.arange(len(runs)), runs)[:, None] % 7 + DETECTOR.expose(np.zeros((1, 160)))
    stream = io.StringIO()
    monitor, _ = watch(corrected_for_runs, stream)
    for start in range(0, len(lines), chunk):
        monitor._look_for_repeats(start, lines[start : start + chunk])
    assert bool(rig.events(stream.getvalue())) == (max(runs) >= 16)


@pytest.fixture(scope="module")
def corrected_for_runs(corrected):
    return corrected
