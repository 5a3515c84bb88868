"""What a run says of itself while it goes on."""

import dataclasses
import functools

import pytest
from driven_units import failing, linger, products, result, silent, units

from wool_tf import records
from wool_tf.errors import WoolError
from wool_tf.networks import unit_records
from wool_tf.networks.unit_records import UnitRecord
from wool_tf.study import driver, progress


def test_status(tmp_path):
    seen = []
    record = UnitRecord(**vars(result("a/1")), started=0.0, seconds=0.0, attempts=(), kept=False)
    unit_records.write(tmp_path / "a/1.json", record)
    driver.run([units(tmp_path / "log", "a/1", "a/2", "a/3", "a/4")], tmp_path, 1, seen.append)
    assert (seen[0].share, seen[0].finished, seen[0].units, seen[0].remaining) == (0.25, 1, 4, None)
    assert (seen[-1].share, seen[-1].finished) == (1.0, 4)
    assert seen[-1].remaining == 0


def test_status_shows_units_that_are_made_again_and_the_end_once(tmp_path, monkeypatch):
    """Their records are there all the time, so that a record alone does not tell that they are done."""
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.01)
    first, second, third = products(tmp_path, keep=False)
    driver.run([[first, second, third]], tmp_path, 1, silent)
    (tmp_path / "a/3.json").unlink()
    slow = dataclasses.replace(first, run=functools.partial(linger, first.run))
    seen = []
    driver.run([[slow, second, third]], tmp_path, 1, seen.append)
    assert (seen[0].share, seen[0].finished, seen[0].units) == (0.0, 0, 3)
    assert {(0.5, "half")} <= {unit[1:] for status in seen for unit in status.running if unit[0] == "a/1"}
    shares = [status.share for status in seen]
    assert shares == sorted(shares) and shares.count(1.0) == 1
    assert [status.finished for status in seen].count(3) == 1
    seen.clear()
    driver.run([[slow, second, third]], tmp_path, 1, seen.append)
    assert [status.finished for status in seen] == [3]


def test_what_failed_is_no_longer_left_in_the_status(tmp_path):
    seen, log = [], tmp_path / "log"
    first = failing(tmp_path / "count", WoolError("bad"), 9, "a/1")
    chain = [first, dataclasses.replace(*units(log, "a/2"), needs=("a/1",))]
    driver.run([chain, units(log, "b/1", "b/2")], tmp_path, 1, seen.append)
    assert (seen[-1].finished, seen[-1].units, seen[-1].remaining) == (2, 4, 0)


def test_nothing_is_said_of_the_time_left_after_a_few_steps(tmp_path, monkeypatch):
    """0.1 % after half a minute, most of which went into compiling, would be eight hours."""
    (unit,) = units(tmp_path / "log", "a/1")
    clock = iter([0.0, 30.0, 60.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    watcher = progress.Watcher([unit], [unit], tmp_path)
    path = unit.record(tmp_path).with_suffix(progress.SUFFIX)
    for share, remaining in ((0.001, None), (0.5, pytest.approx(30.0))):
        records.write(path, [share, "epoch 1"])
        assert watcher.status().remaining == remaining
