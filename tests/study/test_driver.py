"""Units that only sleep or fail: order, resumption, other tries, and what becomes of a folder and its workers."""

import dataclasses
import functools
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from driven_units import die, failing, look, result, silent, units

import scripts
from wool_tf import records
from wool_tf.data import dataset
from wool_tf.errors import Divergence, Unwritable, WoolError
from wool_tf.networks.unit_records import Attempt
from wool_tf.study import driver
from wool_tf.study.units import Unit


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_unit_once_and_in_the_order_of_its_chain(tmp_path, jobs):
    log, folder = tmp_path / "log", tmp_path / "units"
    chains = [units(log, "a/1", "a/2", "a/3"), units(log, "b/1", "b/2")]
    found = driver.run(chains, folder, jobs, silent).records
    done = log.read_text().split()
    assert sorted(done) == ["a/1", "a/2", "a/3", "b/1", "b/2"]
    assert [name for name in done if name[0] == "a"] == ["a/1", "a/2", "a/3"]
    assert {name: record.stage for name, record in found.items()} == {name: name for name in done}
    assert all(record.seconds >= 0 for record in found.values())
    driver.run(chains, folder, jobs, silent)
    assert log.read_text().split() == done
    assert not [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (MemoryError("no room"), [("error", "MemoryError: no room")] * 2),
        # It would be the same in another attempt.
        (WoolError("this image is bad"), [("mistake", "this image is bad")]),
    ],
)
def test_a_unit_that_fails_for_good_is_noted_and_the_others_go_on(tmp_path, jobs, error, attempts):
    log, count, folder = tmp_path / "log", tmp_path / "count", tmp_path / "units"
    chain = [
        *units(log, "a/1"),
        failing(count, error, 9),
        dataclasses.replace(*units(log, "a/3"), needs=("a/2",)),
        dataclasses.replace(*units(log, "a/4"), needs=("a/1",)),
    ]
    found = driver.run([chain, units(log, "b/1")], folder, jobs, silent)
    assert sorted(found.records) == ["a/1", "a/4", "b/1"]
    assert list(found.failures) == ["a/2"]
    assert [(each.kind, each.reason) for each in found.failures["a/2"]] == attempts
    assert count.read_text() == "x" * len(attempts)


def test_a_mistake_that_was_mended_is_no_failure_of_the_next_run(tmp_path):
    chain = [failing(tmp_path / "count", WoolError("weights: put them back"), 1)]
    assert list(driver.run([chain], tmp_path, 1, silent).failures) == ["a/2"]
    assert driver.plan([chain], tmp_path) == [chain]
    assert list(driver.run([chain], tmp_path, 1, silent).records) == ["a/2"]


def test_what_failed_has_another_chance_in_the_next_run(tmp_path):
    chain = [failing(tmp_path / "count", RuntimeError("no room\nfor anything"), 2)]
    first = driver.run([chain], tmp_path, 1, silent).failures["a/2"]
    assert [attempt.reason for attempt in first] == ["RuntimeError: no room for anything"] * 2
    assert "Traceback" in first[0].details
    assert driver.run([chain], tmp_path, 1, silent).records["a/2"].seed == 0


def test_training_that_ran_off_is_tried_with_another_number_whoever_goes_on(tmp_path):
    chain = [failing(tmp_path / "count", Divergence("loss is nan"), 1)]
    record = driver.run([chain], tmp_path, 1, silent).records["a/2"]
    assert record.seed == 1
    assert record.attempts == (Attempt("diverged", "loss is nan"),)
    # The second attempt was under way when the first run was killed: the next one must not begin at the first again.
    (tmp_path / "a/2.json").unlink()
    assert driver.run([chain], tmp_path, 1, silent).records["a/2"].seed == 1


def test_training_that_ran_off_twice_is_not_tried_again(tmp_path):
    chain = [failing(tmp_path / "count", Divergence("loss is nan"), 9)]
    assert len(driver.run([chain], tmp_path, 1, silent).failures["a/2"]) == 2
    assert len(driver.run([chain], tmp_path, 1, silent).failures["a/2"]) == 2
    assert (tmp_path / "count").read_text() == "xx"


def test_a_folder_that_cannot_be_written_ends_the_run(tmp_path):
    with pytest.raises(Unwritable, match="disk is full"):
        driver.run([[failing(tmp_path / "count", Unwritable("the disk is full"), 9)]], tmp_path, 1, silent)
    assert not (tmp_path / "a/2.failed.json").exists()


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("times", [1, 9])
def test_a_process_that_is_killed_is_replaced_and_its_unit_tried_once_more(tmp_path, times, jobs):
    log, count, folder = tmp_path / "log", tmp_path / "count", tmp_path / "units"
    deadly = Unit("a/2", functools.partial(die, count, times), 1.0)
    chains = [[*units(log, "a/1"), deadly, *units(log, "a/3")], *([unit] for unit in units(log, "b/1", "c/1", "d/1"))]
    found = driver.run(chains, folder, jobs, silent)
    assert {"a/1", "a/3", "b/1", "c/1", "d/1"} <= set(found.records)
    assert count.read_text() == "xx"
    if times == 1:
        assert found.records["a/2"].seed == 0 and not found.failures
    else:
        assert [attempt.kind for attempt in found.failures["a/2"]] == ["died", "died"]
        # The next run would try again, and a plan says so.
        assert [[unit.name for unit in left] for left in driver.plan(chains, folder)] == [["a/2"], [], [], []]
        assert driver.done(chains, folder) == 5


def test_a_cache_that_is_deleted_while_a_run_is_at_work_is_named(tmp_path):
    crops = scripts.write_crops(tmp_path / "crops")
    data = dataset.load(crops, 40, tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*.npy")
    shutil.rmtree(tmp_path / "cache")
    chains = [[Unit(f"{name}/1", functools.partial(look, data), 1.0)] for name in "ab"]
    failures = driver.run([*chains, units(tmp_path / "log", "c/1")], tmp_path / "units", 2, silent).failures
    assert sorted(failures) == ["a/1", "b/1"]
    assert all(each[0].reason.startswith(f"{file}: was deleted or changed while") for each in failures.values())


def together(log, progress, attempt):
    """Notes when it begins and ends."""
    for what in "be":
        with open(log, "a") as file:
            file.write(what)
        time.sleep(0.2)
    return result()


def test_a_single_job_is_one_at_a_time(tmp_path):
    chains = [[Unit(f"{name}/1", functools.partial(together, tmp_path / "log"), 1.0)] for name in "abcd"]
    driver.run(chains, tmp_path, 1, silent)
    assert (tmp_path / "log").read_text() == "be" * 4


class Died(BaseException):
    """What no unit survives."""


def expire(log, progress, attempt):
    progress(0.5, "about to die")
    with open(log, "a") as file:
        file.write("x")
    raise Died


def on_a_cluster(work, tasks, scheduler, folder):
    """As `workers.run_on_cluster`, whose workers die of a task three times before it is given up."""
    given_up = []
    for number, task in enumerate(tasks):
        for attempt in range(3):
            try:
                work(*task)
            except Died:
                if attempt == 2:
                    given_up.append(number)
            else:
                break
    return given_up


def test_other_units_of_a_chain_go_on_when_the_cluster_has_given_one_up(tmp_path, monkeypatch):
    monkeypatch.setattr(driver.workers, "run_on_cluster", on_a_cluster)
    log = tmp_path / "log"
    deadly = Unit("a/2", functools.partial(expire, tmp_path / "count"), 1.0)
    chain = [*units(log, "a/1"), deadly, *units(log, "a/3"), dataclasses.replace(*units(log, "a/4"), needs=("a/2",))]
    found = driver.run([chain, units(log, "b/1")], tmp_path, 1, silent, "tcp://host:8786")
    assert sorted(found.records) == ["a/1", "a/3", "b/1"]
    assert [attempt.kind for attempt in found.failures["a/2"]] == ["died", "died"]
    assert (tmp_path / "count").read_text() == "xxx"


def test_a_cluster_that_does_not_see_the_folder_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(driver.workers, "run_on_cluster", lambda *given: [])
    with pytest.raises(WoolError, match=f"without leaving results in {tmp_path}; every machine"):
        driver.run([units(tmp_path / "log", "a/1")], tmp_path, 1, silent, "tcp://host:8786")


def test_a_run_ends_when_its_folder_is_another_ones(tmp_path):
    def take_over(progress, attempt):
        records.write(tmp_path / ".run", "somebody else")
        return result()

    with pytest.raises(WoolError, match="taken over by another run"):
        driver.run([[Unit("a/1", take_over, 1.0)]], tmp_path, 1, silent)
    assert not (tmp_path / "a/1.json").exists()


@pytest.mark.parametrize("damage", ['{"name": ', "", "{}", '"x"', "null", '{"seconds": 1}'])
def test_a_damaged_record_is_made_again(tmp_path, damage):
    chains = [units(tmp_path / "log", "a/1")]
    driver.run(chains, tmp_path, 1, silent)
    (tmp_path / "a/1.json").write_text(damage)
    (tmp_path / "a/1.failed.json").write_text(damage)
    assert driver.run(chains, tmp_path, 1, silent).records["a/1"].stage == "a/1"


def test_a_folder_has_one_run(tmp_path):
    with driver.exclusive(tmp_path), pytest.raises(WoolError, match="another run is at work"):
        driver.exclusive(tmp_path).__enter__()
    with driver.exclusive(tmp_path):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WoolError, match="^out=.*cannot be written"), driver.exclusive(tmp_path / "file"):
        pass


ENDLESS = """
import functools, pathlib, sys, time
from wool_tf.study import driver

def endless(progress, attempt):
    while True:
        progress(0.1, "working")
        time.sleep(0.05)

if __name__ == "__main__":
    chains = [[driver.Unit(f"{name}/1", endless, 1.0)] for name in "ab"]
    driver.run(chains, pathlib.Path(sys.argv[1]), 2, lambda status: None)
"""


def test_workers_end_when_the_main_process_is_killed(tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    main = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stderr=subprocess.DEVNULL)
    beats = [tmp_path / name / "1.progress" for name in "ab"]
    try:
        _wait(lambda: all(beat.exists() for beat in beats), 120)
        main.send_signal(signal.SIGKILL)
        main.wait()
        _wait(lambda: not _commands(str(script)), 30)
    finally:
        main.kill()
        main.wait()


def _wait(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def _commands(part: str) -> list[str]:
    """Running processes whose parent was the script: those that name it, or work in its folder's pipes."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file, open(f"/proc/{pid}/cmdline", "rb") as line:
                if part.encode() in file.read() + line.read():
                    found.append(pid)
        except OSError:
            continue
    return found
