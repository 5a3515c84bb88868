"""What had to be rejected, and what a gate let pass of it, on belts whose truth is written down."""

import numpy as np
import pytest

import fake_feed
from checkout import PROGRAMS
from wool_station.events import typed
from wool_station.gate.timeline import GateGeometry
from wool_tf.belt.detector import LineTimes
from wool_tf.belt.gate.edges import told_outputs
from wool_tf.belt.programs.process import Program
from wool_tf.belt.programs.service import Service
from wool_tf.belt.station import kills
from wool_tf.belt.station.kills import (
    Inspected,
    Kill,
    KillFigures,
    StoreLosses,
    account,
    placed,
    to_reject,
    with_deaths,
)

PLACE = GateGeometry(100.0, 10.0, 5.0, 3.0)
WRITTEN = LineTimes(np.array([0.0, 10.0]), np.array([0.0, 1000.0]))
"""100 lines of 2 mm in a second: 200 mm a second."""


def started(first_mm: float = 0.0) -> dict:
    return fake_feed.start(first_mm=first_mm, pixel_mm=2.0)


def told(kind: str, start: float, stop: float, **fields) -> dict:
    made = {"tile": fake_feed.tile(1)[0], "air": fake_feed.air(0, 1), "unseen": fake_feed.unseen(0, 1)}
    event, _ = (made | {"reject": fake_feed.reject(1, 0, 1)})[kind]
    return event | {"along_mm": [start, stop], **fields}


def inspected(events: list[dict], first: int) -> Inspected:
    return Inspected(list(map(typed, events)), first)


FIRST = [
    started(),
    told("air", 0, 200),
    told("tile", 200, 400, defective=False),
    told("tile", 300, 500, defective=True),
    told("reject", 300, 500),
    told("unseen", 500, 520),
    # Killed before it told the reject.
    told("tile", 520, 600, defective=True),
]
SECOND = [
    # It was told where the belt may be, and was wrong: its first line, number 450, is at 900 mm.
    started(800),
    told("unseen", 600, 800),
    told("tile", 800, 1000, defective=False),
    told("air", 1000, 1900),
]


def test_what_nobody_may_call_good():
    found = to_reject([inspected(FIRST, 0), inspected(SECOND, 450)], WRITTEN)
    # Rejected and unseen; called defective, and the reject never told; what passed until another inspection read.
    assert found == [(300, 900)]
    assert to_reject([inspected(SECOND, 450)], WRITTEN) == [(0, 900)]


def test_what_was_on_its_way_to_a_dead_inspection_is_not_good():
    found = to_reject([inspected(FIRST[:3], 0)], WRITTEN)
    assert found == [(400, 2000)]


def output(position_mm: float, passing: bool, why: str = "reject") -> dict:
    return {"event": "output", "monotonic": position_mm / 200, "passing": [passing], "why": [None if passing else why]}


def kill(name: str, position_mm: float) -> Kill:
    return Kill(name, position_mm / 200)


def test_a_gate_that_is_dead_lets_nothing_pass_at_once_or_when_the_relay_falls():
    outputs = told_outputs([output(0, True), output(600, False, "start")])
    kills = [kill("gate", 300), kill("page", 500)]
    assert with_deaths(outputs, kills, 0.0) == [(0, None), (1.5, "killed"), (3, "start")]
    assert [one.monotonic for one in with_deaths(outputs, kills, 0.2)] == [0, 1.7, 3]


def test_the_account():
    # To be rejected: 300 to 900, which is at the gate from 400 to 1010. The gate begins in time, dies as it passes
    # again too early, at 1000, comes back, and passes from 1300 on.
    gate = [output(0, False, "start"), output(120, True), output(396, False), output(990, True)]
    gate += [output(1100, False, "start"), output(1300, True)]
    kills = [kill("inspect", 600), kill("gate", 1000), kill("gate", 1250), kill("page", 1700)]
    found = account([inspected(FIRST, 0), inspected(SECOND, 450)], gate, kills, PLACE, WRITTEN)
    assert found.belt_mm == 2000 and found.due_mm == pytest.approx(610)
    # From 990 to 1000. If its pin stayed as it was for 0.2 s, which are 40 mm, to 1010 as well.
    assert found.missed_mm == pytest.approx(10)
    assert found.missed_without_input_mm == pytest.approx(20)
    assert found.kills["inspect"] == KillFigures(1, 0, 0)
    # 1013 to 1250, and 1250 to 1300: the reject and its hold end at 1013.
    assert found.kills["gate"] == KillFigures(2, 1, pytest.approx(287 / 2, abs=1))
    assert found.kills["page"] == KillFigures(1, 1, 0)


def test_inspections_that_were_given_no_line_do_not_count():
    program = Program(["none"])
    first, second, third = started(), started(100), started(200)
    program.began, program.runs = [1.0, 2.0, 3.0], [[first], [second], [third]]
    assert placed(program, [(1.5, 0), (1.6, 9), (3.5, 700)]) == [inspected([first], 0), inspected([third], 700)]


def test_programs_are_started_anew_when_their_services_would_be():
    names = ("inspect", "gate", "record", "page", "mqtt")
    assert [Service.named(PROGRAMS, name).restart_seconds for name in names] == [2, 1, 5, 5, 5]


def test_records_that_are_there_no_longer_are_counted(tmp_path, monkeypatch):
    class Client:
        corrections = ["A", "B"]

    class FakeStation:
        store, client = tmp_path, Client

    seen = kills.StoreObserver(FakeStation)
    there = {"events": [("1", "reject", "{}"), ("2", "alarm", "{}")], "tiles": [(1, 0.0, 0.0)]}

    def rows(statement: str):
        if "corrections" in statement:
            return [{"operator": "A"}]
        return there["tiles" if "tiles" in statement else "events"]

    monkeypatch.setattr(seen._reader, "rows", rows)
    monkeypatch.setattr(kills, "LOOK_SECONDS", 0.01)
    with seen:
        while len(seen._records) < 3:
            pass
    assert seen.lost() == StoreLosses(seen=3, lost=0, corrections=2, lost_corrections=1)
    there["events"].pop()
    assert seen.lost().lost == 1
