"""References that are old, by a clock that may be wrong."""

import itertools
import os
import signal
import time
from pathlib import Path

import pytest
from product_belt import belt

import rig
from rig import kinds
from wool_board.belt import program, start_event


def test_old_references_are_said(flags, tmp_path):
    old = time.time() - 20 * 86400
    copies = []
    for flag in flags[:2]:
        name, path = flag.split("=", 1)
        copy = tmp_path / Path(path).name
        copy.write_bytes(Path(path).read_bytes())
        os.utime(copy, (old, old))
        copies.append(f"{name}={copy}")
    _, found, _ = rig.run(*copies, *flags[2:], lines=belt(100))
    assert found[0]["reference_days"] == 20
    assert found[1]["alarm"] == "old_references" and found[1]["days"] == 20


@pytest.fixture
def inspected_at_ages(flags, tmp_path, monkeypatch, capfd):
    """Gives the events of an inspection whose references have these ages in days whenever it looks, then the last."""
    path = tmp_path / "belt.raw"
    path.write_bytes(belt(1000))
    # `rig.main` puts another in its place.
    monkeypatch.setattr(program, "Recognizer", program.Recognizer)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def inspected(*days: float | None) -> list[dict]:
        ages = itertools.chain(days, itertools.repeat(days[-1]))
        monkeypatch.setattr(start_event, "days_since", lambda _moment: next(ages))
        assert rig.main(["model", str(path), *flags, "--report_seconds=1e-9"]) == 0
        return rig.events(capfd.readouterr().out)

    yield inspected
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_references_that_are_old_by_a_wrong_clock_only_are_so_no_longer(inspected_at_ages):
    found = inspected_at_ages(1.0, 1.0, 3000.0, None, 1.0)
    assert [(e["alarm"], e["on"]) for e in kinds(found, "alarm")] == [
        ("old_references", True),
        ("old_references", False),
    ]


def test_references_that_become_old_while_they_are_used_are_said(inspected_at_ages):
    found = inspected_at_ages(13.9, 13.9, 13.9, 14.1)
    assert found[0]["reference_days"] == 13.9 and found[1]["event"] != "alarm"
    assert [(e["alarm"], e["days"]) for e in kinds(found, "alarm")] == [("old_references", 14.1)]
