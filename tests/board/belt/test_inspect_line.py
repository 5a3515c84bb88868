"""tflite/inspect_line.py on belts: events, scores, alarms and latency, by recognizers that are foreseen or real."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from belt_pieces import DEFECTS, DETECTOR, MM, PRODUCT, alarms, belt
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import rig
from checkout import PROGRAMS
from rig import DEFECT, SEEN, WOOL, accounted, kinds
from wool_board.image.flat_field import grey
from wool_board.image.references import correction

PROGRAM = PROGRAMS / "inspect_line.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("line")
    DETECTOR.references(made)
    return made


@pytest.fixture(scope="module")
def flags(folder) -> list[str]:
    return DETECTOR.references(folder)


def test_events_of_a_belt_with_a_product_and_two_defects(folder, flags, tmp_path):
    path = tmp_path / "belt.raw"
    path.write_bytes(DETECTOR.expose(belt(700, PRODUCT, *DEFECTS)).tobytes())
    status, found, errors = rig.run(path, *flags)
    assert (status, errors) == (0, "")
    start, summary = found[0], found[-1]
    assert (start["event"], start["live"], start["stated_latency"]) == ("start", False, None)
    assert (start["sha256"], start["threshold"], start["window"]) == ("0" * 64, 0.5, [0, 1])
    assert start["repaired"] == [33] and start["width_checked"]
    assert set(start["versions"]) == {"python", "ai-edge-litert", "numpy", "pillow"}
    assert accounted(found) == [0, 700 * MM]
    air = [event["along_mm"] for event in kinds(found, "air")]
    # Blocks of 16 lines are told apart: 100 is in that from 96 to 112.
    assert air == [[0, 96 * MM], [512 * MM, 700 * MM]]
    for event in kinds(found, "tile"):
        (top, bottom), (left, right) = event["along_mm"], event["across_mm"]
        spots = [(250, 20), (400, 70)]
        inside = [top < (y + 4) * MM and y * MM < bottom and left < (x + 4) * MM and x * MM < right for y, x in spots]
        assert event["defective"] == any(inside)
        assert (event["score"] > 0.6) == event["defective"]
        if event["defective"] and sum(inside) == 1:
            # The middle of a cell of 8 by 8 pixels.
            y, x = spots[inside.index(True)]
            assert abs(event["hottest_mm"][0] / MM - y) <= 12 and abs(event["hottest_mm"][1] / MM - x) <= 12
    first, second = kinds(found, "reject")
    for reject, along, across in ((first, 250, 20), (second, 400, 70)):
        assert reject["last"] and reject["part"] == 1
        (top, bottom), (left, right) = reject["along_mm"], reject["across_mm"]
        assert top <= along * MM and (along + 4) * MM <= bottom and bottom - top <= 3 * SEEN * MM
        assert left <= across * MM and (across + 4) * MM <= right
    assert first["along_mm"][1] < second["along_mm"][0]
    assert summary["event"] == "summary" and summary["final"]
    assert (summary["lines"], summary["rejects"], summary["unseen_lines"], summary["alarms"]) == (700, 2, 0, 0)
    assert summary["tiles"] == len(kinds(found, "tile"))
    assert summary["peak_memory_mb"] > 10


# In steps of 8 pixels, so that every part of a box shows in its block of 16 by 16.
BOXES = st.lists(
    st.tuples(st.integers(0, 49), st.integers(1, 25), st.integers(0, 12), st.integers(1, 13), st.booleans()), max_size=5
)


# Shrinking a failure would take minutes.
@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(BOXES, st.integers(1, 50), st.floats(0, 0.8))
def test_whatever_lies_on_the_belt_every_line_is_accounted_for_and_every_defect_rejected(
    folder, tmp_path_factory, boxes, eighths, overlap
):
    lines = 8 * eighths
    attenuation = belt(lines)
    for top, length, left, width, defective in boxes:
        attenuation[8 * top : 8 * (top + length), 8 * left : 8 * (left + width)] = DEFECT if defective else WOOL
    path = tmp_path_factory.mktemp("belt") / "belt.raw"
    path.write_bytes(DETECTOR.expose(attenuation).tobytes())
    found = rig.inspect(path, folder, DETECTOR, overlap=overlap)
    assert accounted(found) == [0, lines * MM]
    marked = np.zeros(attenuation.shape, bool)
    for event in kinds(found, "reject"):
        (top, bottom), (left, right) = ([round(mm / MM) for mm in event[key]] for key in ("along_mm", "across_mm"))
        marked[top:bottom, left:right] = True
    assert marked[attenuation == DEFECT].all()
    tiles = [event for event in kinds(found, "tile") if event["defective"]]
    assert bool(tiles) == bool(kinds(found, "reject"))


def test_scores_are_those_of_the_library_on_the_same_pixels(board_model, heatmap_model, tmp_path):
    """The real program, alone on a board, with a real model."""
    from wool_tf.deploy import tflite_scores

    detector = rig.Detector(width=230, noise=150)
    references = detector.references(tmp_path)
    rng = np.random.default_rng(0)
    wool = np.kron(rng.uniform(0.05, 1, (26, 12)), np.ones((20, 20)))[:, :230]
    counts = detector.expose(np.vstack([wool, np.zeros((100, 230))]))
    path = tmp_path / "belt.raw"
    path.write_bytes(counts.tobytes())
    command = list(map(str, [sys.executable, PROGRAM, heatmap_model, path, *references]))
    alone = os.environ | {"PYTHONPATH": ""}
    ran = subprocess.run(command, capture_output=True, text=True, cwd="/", env=alone, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    found = rig.events(ran.stdout)
    with zipfile.ZipFile(heatmap_model) as archive:
        assert found[0]["sha256"] == json.loads(archive.read("card.json"))["model"]["sha256"]
    side, margin, seen = 110, 5, 100
    assert (found[0]["side"], found[0]["seen"], found[0]["pixel_mm"]) == (side, seen, 0.8)
    expected = correction(tmp_path / "dark.png", tmp_path / "bright.png", None)
    pixels = grey(expected.attenuation(counts), (0.0, 1.071))
    padded = np.pad(pixels, margin, constant_values=255)
    tiles = kinds(found, "tile")
    places = [(round(tile["along_mm"][0] / 0.8), round(tile["across_mm"][0] / 0.8)) for tile in tiles]
    # The block in which the product ends reaches to 528.
    assert {x for _, x in places} == {0, 43, 86, 130} and {y for y, _ in places} == {*range(0, 401, 50), 428}
    crops = np.stack([padded[y : y + side, x : x + side] for y, x in places])
    scores = tflite_scores.predict(heatmap_model.read_bytes(), crops)
    np.testing.assert_array_equal([tile["score"] for tile in tiles], np.round(scores, 6))
    assert all(0 <= tile["hottest_mm"][0] <= 620 * 0.8 for tile in tiles)


def piped(flags, *steps, delay=0.0, extra=(), follows=False) -> tuple[int, list[dict], str]:
    """Runs the program on a pipe into which each step puts lines, or waits for so many seconds.

    Where the lines are to be no faster than it `follows`, each step waits until what came before it has been looked at.
    """
    process = rig.start(*flags, *extra, delay=delay)
    first = process.stdout.readline()
    for step in steps:
        if isinstance(step, float):
            time.sleep(step)
        else:
            process.stdin.write(step)
            process.stdin.flush()
            if follows:
                rig.follow(process)
    output, errors = process.communicate(timeout=60)
    return process.returncode, rig.events((first + output).decode()), errors.decode()


def test_each_alarm_and_no_crash(flags):
    good = DETECTOR.expose(belt(512, PRODUCT))
    stuck = np.repeat(good[300:301], 256, axis=0)
    dark = DETECTOR.expose(np.full((512, 100), 5.0))
    element = good.copy()
    element[:, 60] = 14000
    high = np.where(np.arange(100) > 80, 65535, good).astype("<u2")
    bright, shifted = (good * 1.5).astype("<u2"), np.roll(good, 3, axis=1)
    pieces = (good, dark, good, shifted, good, element, good, bright, good, high, good, stuck)
    status, found, errors = piped(flags, np.concatenate(pieces).tobytes(), 1.0, good.tobytes(), b"odd",
                                  extra=["--stall_seconds=0.3", "--recorded"])  # fmt: skip
    assert (status, errors) == (0, "")
    names = [name for name, on in alarms(found) if on is not False]
    beam = "dark_beam", "bright_beam", "saturated"
    for name in (*beam, "wrong_pattern", "stuck_elements", "stuck_lines", "partial_line"):
        assert name in names, name
    # Each is over in the end.
    assert found[-1]["standing"] == []
    assert accounted(found) == [0, found[-1]["lines"] * MM]
    assert "stall" not in names, "a recording may wait as long as it likes"


def test_a_stall_is_told_and_its_end_and_summaries_meanwhile(flags):
    lines = DETECTOR.expose(belt(300)).tobytes()
    status, found, _ = piped(flags, lines, 1.2, lines, extra=["--stall_seconds=0.4", "--report_seconds=0.3"])
    assert status == 0
    assert alarms(found) == [("stall", True), ("stall", False)]
    summaries = kinds(found, "summary")
    assert len(summaries) >= 4 and [event["final"] for event in summaries].index(True) == len(summaries) - 1
    assert ["stall"] in [event["standing"] for event in summaries]
    assert [event["lines"] for event in summaries] == sorted(event["lines"] for event in summaries)
    assert summaries[2]["lines_per_second"] == 0 and summaries[-1]["lines"] == 600
    assert accounted(found) == [0, 600 * MM]


def test_a_file_of_another_width_is_suspected_at_once(flags, tmp_path):
    path = tmp_path / "narrow.raw"
    path.write_bytes(DETECTOR.expose(belt(401))[:, :93].tobytes())
    status, found, _ = rig.run(path, *flags)
    assert status == 0
    assert [event["event"] for event in found[:2]] == ["start", "alarm"]
    names = [name for name, _ in alarms(found)]
    assert names[0] == "size" and "wrong_pattern" in names and "partial_line" in names
    wrong = next(event for event in found if event.get("alarm") == "wrong_pattern")
    assert wrong["seems_width"] == 93


def test_a_board_that_is_too_slow_thins_says_what_it_leaves_out_and_recovers(flags):
    long = DETECTOR.expose(belt(2600, (slice(0, 2600), slice(0, 100), WOOL), (slice(2500, 2505), slice(5, 9), DEFECT)))
    # Three tiles for 40 lines at the least; so many lines at once are far too much, and so few later are not.
    pieces = [long[start : start + 20].tobytes() for start in range(2000, 2600, 20)]
    slow = [step for piece in pieces for step in (piece, 0.08)]
    status, found, errors = piped(flags, long[:2000].tobytes(), 1.5, *slow, delay=0.004, extra=["--latency_mm=300"])
    assert (status, errors) == (0, "")
    assert accounted(found) == [0, 2600 * MM]
    levels = [event["level"] for event in kinds(found, "overlap")]
    assert levels[0] > 0 and max(levels) == kinds(found, "overlap")[0]["of"]
    unseen = kinds(found, "unseen")
    assert unseen and {event["reason"] for event in unseen} == {"too_slow"}
    # What is unseen is no tile's, and all of the last lines are seen again.
    tiles = {mm for event in kinds(found, "tile") for mm in np.arange(*event["along_mm"], MM)}
    lost = {mm for event in unseen for mm in np.arange(*event["along_mm"], MM)}
    assert not tiles & lost and max(lost) < 2100 * MM
    assert found[-1]["unseen_lines"] * MM == len(lost) * MM
    assert len(kinds(found, "reject")) == 1
    assert found[-1]["thinned"] >= 1


def test_lines_that_no_ring_can_hold_are_named(flags):
    # While a tile is looked at, more lines come than 4 s of 50, or twice the latency, that the ring holds.
    lines = DETECTOR.expose(belt(30000, (slice(0, 30000), slice(0, 100), WOOL), (slice(5, 9), slice(5, 9), DEFECT)))
    few = ["--lines_per_second=50", "--latency_mm=150"]
    status, found, errors = piped(flags, lines[:64].tobytes(), 0.3, lines[64:].tobytes(), delay=0.4, extra=few)
    assert (status, errors) == (0, "")
    lost = [event for event in kinds(found, "unseen") if event["reason"] == "lost_lines"]
    assert lost
    lengths = [round((stop - start) / MM) for start, stop in (event["along_mm"] for event in lost)]
    assert sum(lengths) == found[-1]["lost_lines"]
    assert accounted(found) == [0, 30000 * MM]
    assert ("lost_lines", None) in alarms(found)
    # The reject was told, but not before all of the lines had come.
    assert len(kinds(found, "reject")) == 1 and ("late", None) in alarms(found)


def test_rejects_come_within_the_stated_latency(flags):
    attenuation = belt(1500, (slice(0, 1500), slice(0, 100), WOOL))
    for start in range(100, 1400, 200):
        attenuation[start : start + start // 8, 30:35] = DEFECT
    lines = DETECTOR.expose(attenuation)
    steps = [lines[start : start + 10].tobytes() for start in range(0, 1500, 10)]
    status, found, _ = piped(flags, *steps, follows=True)
    assert status == 0
    stated = found[0]["stated_latency"]
    rejects = kinds(found, "reject")
    assert stated["mm"] == 1200 and stated["ms"] == round(1e3 * 1200 / MM / 1250)
    assert len(rejects) >= 6 and all(reject["latency_mm"] <= stated["mm"] for reject in rejects)
    # A short one needs no more than its own tiles and the row behind it.
    assert min(reject["latency_mm"] for reject in rejects) <= 150
    assert ("late", None) not in alarms(found)
