"""The file of an inspection's state: whole or none, and of one inspection at a time."""

import dataclasses
import errno
import json

import pytest
from product_belt import A_STATE, MM, belt, left

import rig
from rig import kinds
from wool_board.belt import state as states
from wool_board.belt.state import State


def test_a_state_is_whole_whenever_writing_stops(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    states.write(path, A_STATE)
    assert states.read(path) == A_STATE
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(states.os, name, lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
            with pytest.raises(OSError):
                states.write(path, State(1.0, 1.0, 1.0, 0.0, True, None))
        assert states.read(path) == A_STATE


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "along_mm": NaN}', "\x00" * 80, "[" * 10**5]
)
def test_what_holds_no_state_is_none(tmp_path, text, flags):
    path = tmp_path / "state.json"
    assert states.read(path) is None
    path.write_text(text)
    assert states.read(path) is None
    status, found, _ = rig.run(*flags, f"--state={path}", "--recorded", lines=belt(100))
    assert status == 0 and [e["alarm"] for e in kinds(found, "alarm")] == ["state"]
    assert found[0]["first_mm"] == 0 and left(path)["along_mm"] == 100 * MM


@pytest.mark.parametrize(
    "changes",
    [{"along_mm": -1}, {"along_mm": 130.0}, {"arrived_mm": 1e300}, {"along_mm": True}, {"time": None}, {"ended": 1},
     {"uptime": -1}, {"boot": 7}, {"clock_set": None}, {"untold": {}}, {"untold": 3}, {"level": "0"},
     {"untold": {"events": {"tile": "x"}, "along_mm": None}}, {"untold": {"events": {}, "along_mm": [1]}},
     {"references": 7}],
)  # fmt: skip
def test_a_state_with_a_wrong_value_holds_none(tmp_path, changes):
    path = tmp_path / "state.json"
    states.write(path, A_STATE)
    path.write_text(json.dumps(left(path) | changes))
    assert states.read(path) is None


@pytest.mark.parametrize("elements", [None, [], {"dead": 3}, {"dead": ["3"]}, {"dead": [1.5]}])
def test_a_state_with_elements_that_are_none_holds_none(tmp_path, elements):
    path = tmp_path / "state.json"
    states.write(path, A_STATE)
    path.write_text(json.dumps(left(path) | {"elements": elements}))
    assert states.read(path) is None
    # One of an earlier version has none.
    found = left(path)
    del found["elements"]
    path.write_text(json.dumps(found))
    assert states.read(path) == A_STATE


@pytest.mark.parametrize("level", [40.0, -3.0, 0.3])
def test_a_level_that_no_beam_was_followed_to_is_no_state(tmp_path, level):
    path = tmp_path / "state.json"
    states.write(path, dataclasses.replace(A_STATE, level=level))
    assert states.read(path) is None


def test_only_one_inspection_at_a_time_has_a_state(flags, tmp_path):
    state = tmp_path / "state.json"
    one = rig.start(*flags, f"--state={state}", "--recorded")
    one.stdin.write(belt(100))
    one.stdin.flush()
    one.stdout.readline()
    status, found, errors = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert (status, found) == (1, [])
    said = f"inspect_line.py: --state={state}: another inspection has it; end that one, or give another file\n"
    assert errors == said
    # One that is killed has it no longer, whatever it left.
    one.kill()
    one.communicate()
    status, found, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert status == 0 and found[-1]["lines"] == 100


def test_a_state_that_cannot_be_written_is_an_alarm(flags, tmp_path):
    process = rig.start(*flags, f"--state={tmp_path / 'no' / 'state.json'}", "--recorded")
    process.stdin.write(belt(100))
    process.stdin.flush()
    told = b""
    # The first state is due after two seconds.
    while b"state_unwritten" not in told:
        told += process.stdout.readline()
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, b"")
    assert [e["alarm"] for e in kinds(rig.events((told + output).decode()), "alarm")] == ["state_unwritten"]
