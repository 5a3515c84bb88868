"""Restarts and crashes: what was not told is told by the next inspection."""

import contextlib
import io
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from product_belt import DETECTOR, MM, belt, left

import rig
from rig import DEFECT, WOOL, accounted, kinds
from wool_board.belt import inspection
from wool_board.belt import state as states
from wool_board.belt.config import InspectionConfig
from wool_board.belt.state import State
from wool_board.belt.tiles import tiling
from wool_board.image.scan_files import LineFormat
from wool_board.machine import clocks


def until(holds, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_positions_go_on_behind_what_passed_unseen(flags, tmp_path):
    state = tmp_path / "state.json"
    status, first, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(1000))
    assert status == 0 and (first[0]["first_mm"], first[0]["resumed"]) == (0, None)
    assert left(state)["along_mm"] == 1000 * MM and left(state)["ended"]
    # Lines that waited meanwhile are none that passed.
    status, second, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(400))
    assert second[0]["first_mm"] == 1000 * MM and second[0]["resumed"]["unseen_mm"] == 0
    assert accounted(second) == [1000 * MM, 1400 * MM]
    assert kinds(second, "reject") == [] and second[-1]["along_mm"] == 1400 * MM and second[-1]["lines"] == 400
    # Those of a detector that does not wait are as many as the belt may have moved.
    time.sleep(0.5)
    status, third, _ = rig.run(*flags, f"--state={state}", "--lines_per_second=1000", lines=belt(400))
    resumed = third[0]["resumed"]
    assert resumed["ended"] and resumed["length"] == "at_most" and 0.5 <= resumed["seconds"] < 30
    (unseen,) = kinds(third, "unseen")
    assert unseen["length"] == "at_most"
    assert (unseen["reason"], unseen["along_mm"][0]) == ("restart", 1400 * MM)
    assert unseen["along_mm"][1] == third[0]["first_mm"]
    assert unseen["along_mm"][1] - unseen["along_mm"][0] == pytest.approx(1000 * MM * resumed["seconds"], abs=51)
    assert accounted(third) == [1400 * MM, third[0]["first_mm"] + 400 * MM]
    assert third[-1]["unseen_lines"] >= 500


@pytest.mark.parametrize("pixel", [0.8, 0.7, 0.35])
def test_a_place_that_is_left_in_millimetres_is_the_same_line_again(flags, pixel):
    layout, tiles = LineFormat(DETECTOR.width, "uint16le"), tiling(rig.SIDE, rig.MARGIN, DETECTOR.width, 0.5)
    config = InspectionConfig(
        layout, rig.WINDOW, pixel, 2 * tiles.seen, None, rig.SPACING, None, 60.0, 0, "encoder", pixel
    )
    lines = np.arange(0, 10**6, 7)
    assert [config.line(line * pixel) for line in lines.tolist()] == lines.tolist()
    assert config.line(5.5 * pixel) == 5.5


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_inspection_did_not_tell_is_unseen(flags, tmp_path, number):
    state = tmp_path / "state.json"
    process = rig.start(*flags, f"--state={state}", "--recorded", delay=0.02)
    process.stdin.write(belt(3000))
    process.stdin.flush()
    until(lambda: state.exists() and left(state)["along_mm"] > 100)
    process.send_signal(number)
    # Half a line may be left of what a process that was killed said.
    told = [json.loads(line) for line in process.communicate()[0].decode().splitlines(keepends=True) if "\n" in line]
    killed = left(state)
    assert killed["ended"] == (number == signal.SIGTERM)
    assert accounted(told)[1] >= killed["along_mm"]
    _, second, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert accounted(told + second)[0] == 0
    assert accounted(second)[0] == killed["along_mm"] == second[0]["first_mm"] - second[0]["resumed"]["unseen_mm"]
    arrived = killed["arrived_mm"]
    assert accounted(second)[1] == pytest.approx(arrived + 100 * MM, abs=MM)
    assert killed["arrived_mm"] > killed["along_mm"] or number == signal.SIGTERM


class StateKeeper:
    """Keeps each state, with the events that were told before it."""

    trouble = None

    def __init__(self):
        self.stream, self.kept = io.StringIO(), []

    def save(self, state: State) -> None:
        self.kept.append((state, rig.events(self.stream.getvalue())))


def test_a_kill_takes_no_reject_away_whose_tiles_were_told(flags, tmp_path, monkeypatch):
    """Whenever it comes: a defective tile is in a reject that was told, or the next inspection calls it unseen."""
    monkeypatch.setattr(inspection, "SAVE_SECONDS", 0)
    attenuation = np.zeros((1200, DETECTOR.width))
    attenuation[100:900, 10:90] = WOOL
    attenuation[300:303, 40:43] = attenuation[500:700, 20:60] = DEFECT
    path, keeper = tmp_path / "belt.raw", StateKeeper()
    path.write_bytes(DETECTOR.expose(attenuation).tobytes())
    folder = Path(flags[0].partition("=")[2]).parent
    rig.inspect(path, folder, DETECTOR, writer=keeper, stream=keeper.stream)
    pending = 0
    for state, told in keeper.kept:
        rejected = [reject["along_mm"] for reject in kinds(told, "reject")]
        for tile in kinds(told, "tile"):
            (start, stop), told_by = tile["along_mm"], state.along_mm
            if tile["defective"] and not any(first <= start and stop <= last for first, last in rejected):
                assert told_by <= start
                pending += 1
    assert pending


def test_what_one_could_not_say_the_next_one_says_again(flags, tmp_path):
    """Of three inspections the second is not heard: the third says what passed before it, too."""
    state = tmp_path / "state.json"
    states.write(state, State(500.0, 600.0, time.time(), 0.0, False, None))
    process = rig.start(*flags, f"--state={state}", "--recorded")
    process.stdout.close()
    process.stdin.write(belt(400))
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.stderr.close()
    assert process.wait(30) == 1
    _, found, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert accounted(found)[0] == 500 and kinds(found, "unseen")[0]["reason"] == "restart"
    assert found[0]["first_mm"] >= 600


def test_a_restart_with_other_references_begins_with_their_beam(flags, tmp_path):
    """Product from the first line on, before any air, of an attenuation that is just that of the product."""
    state, brighter = tmp_path / "state.json", DETECTOR.expose(np.full((2000, DETECTOR.width), -0.1))
    _, first, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=brighter.tobytes())
    assert first[-1]["beam_percent"] == pytest.approx(10.5, abs=0.3)
    _, same, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=brighter[:100].tobytes())
    assert same[-1]["beam_percent"] == pytest.approx(10.5, abs=0.3)
    taken = [tmp_path / "dark.raw", tmp_path / "bright.raw"]
    for path, attenuation in zip(taken, (50.0, -0.1), strict=True):
        path.write_bytes(DETECTOR.expose(np.full((64, DETECTOR.width), attenuation), 2).tobytes())
    product = DETECTOR.expose(np.full((100, DETECTOR.width), WOOL - 0.1)).tobytes()
    named = [f"--dark={taken[0]}", f"--bright={taken[1]}", flags[2]]
    _, second, _ = rig.run(*named, f"--state={state}", "--recorded", lines=product)
    assert second[-1]["beam_percent"] == 0
    # 0.3 of the window of 1, as without any state.
    assert {tile["score"] for tile in kinds(second, "tile")} <= {round(grey / 255, 6) for grey in range(74, 82)}


def test_what_passed_while_the_power_was_off_is_said_to_be_unknown(flags, tmp_path):
    """The machine has started anew since, and nothing has set its clock."""
    path = tmp_path / "state.json"
    now = clocks.now()
    for clock in (now.time + 3600, now.time - 60):
        states.write(path, State(500.0, 600.0, clock, 0.0, False, None, boot="another", uptime=9.0))
        _, found, _ = rig.run(*flags, f"--state={path}", "--lines_per_second=1000", lines=belt(100))
        resumed, alarm = found[0]["resumed"], kinds(found, "alarm")[0]
        assert (resumed["seconds"], resumed["length"]) == (None, "unknown")
        assert resumed["least_seconds"] == pytest.approx(now.uptime, abs=60)
        assert alarm["alarm"] == "restart_unknown" and alarm["least_seconds"] == resumed["least_seconds"]
        (unseen,) = kinds(found, "unseen")
        assert (unseen["reason"], unseen["length"]) == ("restart", "unknown")
        assert unseen["along_mm"][1] == pytest.approx(500 + 1000 * MM * resumed["least_seconds"], abs=51)
        assert accounted(found) == [500, found[0]["first_mm"] + 100 * MM]
        assert left(path)["boot"] == now.boot and left(path)["uptime"] >= now.uptime


@pytest.mark.parametrize("content", [0.0, WOOL])
def test_a_restart_far_along_the_belt_is_no_long_time_without_air_or_product(flags, tmp_path, content):
    path = tmp_path / "state.json"
    states.write(path, State(90_000.0, 90_000.0, 1.0, 0.0, True, None))
    lines = DETECTOR.expose(np.full((1000, DETECTOR.width), content)).tobytes()
    _, found, _ = rig.run(*flags, f"--state={path}", "--recorded", "--spacing_mm=501", lines=lines)
    assert found[0]["first_mm"] == 90_000 and kinds(found, "alarm") == []
    # From there it is as far as ever.
    _, found, _ = rig.run(*flags, f"--state={path}", "--recorded", "--spacing_mm=400", lines=lines)
    assert [e["alarm"] for e in kinds(found, "alarm")] == ["no_air" if content else "only_air"]


def test_elements_that_died_stay_repaired_after_a_restart(flags, tmp_path):
    state = tmp_path / "state.json"
    attenuation = np.zeros((1200, DETECTOR.width))
    for start in range(64, 1100, 400):
        attenuation[start : start + 200, 10:90] = WOOL
    counts = DETECTOR.expose(attenuation)
    rng = np.random.default_rng(0)
    counts[:, 40] = rng.normal(1000, 20, len(counts))
    counts[:, 70] = 15000
    _, first, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=counts.tobytes())
    assert {e["alarm"]: e["elements"] for e in kinds(first, "alarm")} == {"dead_elements": [40], "stuck_elements": [70]}
    assert left(state)["elements"] == {"dead": [40], "stuck": [70]}
    # From the first line on: no reject of a dead element, and it is known before any span is judged.
    _, second, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=counts[:200].tobytes())
    assert [(e["alarm"], e["on"]) for e in kinds(second, "alarm")] == [
        ("stuck_elements", True),
        ("dead_elements", True),
    ]
    assert kinds(second, "reject") == [] and left(state)["elements"] == {"dead": [40], "stuck": [70]}
    # Once the detector is repaired, this is seen.
    whole = DETECTOR.expose(attenuation).tobytes()
    _, third, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=whole)
    assert {(e["alarm"], e["on"]) for e in kinds(third, "alarm")} == {
        (name, on) for name in ("dead_elements", "stuck_elements") for on in (True, False)
    }
    assert left(state)["elements"] == {}
