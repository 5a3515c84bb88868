"""Units that only sleep or fail: order, resumption, status, and what is left by a process that is killed."""

import dataclasses
import errno
import functools
import os
import signal
import subprocess
import sys
import time

import pytest

from wool_tf import records
from wool_tf.errors import Divergence, Unwritable, WoolError
from wool_tf.study import driver, progress
from wool_tf.study.units import Unit, todo
from wool_tf.training import unit_records
from wool_tf.training.unit_records import Attempt, Result, UnitRecord


def result(name="", attempt=0) -> Result:
    """A result that says the name of its unit, and the number of the attempt in place of a seed."""
    return Result(stage=name, seed=attempt, images="", environment={})


def work(name, log, progress, attempt):
    progress(0.5, "half")
    with open(log, "a") as file:
        file.write(f"{name}\n")
    return result(name, attempt)


def fail(log, error, times, progress, attempt):
    """Fails so many times, counted in a file: another process may be the next to try."""
    with open(log, "a") as file:
        file.write("x")
    if len(log.read_text()) <= times:
        raise error
    return result(attempt=attempt)


def die(log, times, progress, attempt):
    """The process of the work is killed so many times."""
    progress(0.1, "about to die")
    with open(log, "a") as file:
        file.write("x")
    if len(log.read_text()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return result(attempt=attempt)


def linger(work, report, attempt):
    time.sleep(progress.BEAT_SECONDS + 0.1)  # What is said before is not passed on.
    report(0.5, "half")
    time.sleep(0.3)
    return work(report, attempt)


def leave(path, progress, attempt):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{path.name}")
    return result()


def silent(status):
    pass


def units(log, *names) -> list[Unit]:
    return [Unit(name, functools.partial(work, name, log), 1.0) for name in names]


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


def failing(log, error, times, name="a/2", **options) -> Unit:
    return Unit(name, functools.partial(fail, log, error, times), 1.0, **options)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_unit_that_fails_twice_is_noted_and_the_others_go_on(tmp_path, jobs):
    log, count, folder = tmp_path / "log", tmp_path / "count", tmp_path / "units"
    chain = [
        *units(log, "a/1"),
        failing(count, WoolError("this image is bad"), 9),
        dataclasses.replace(*units(log, "a/3"), needs=("a/2",)),
        dataclasses.replace(*units(log, "a/4"), needs=("a/1",)),
    ]
    found = driver.run([chain, units(log, "b/1")], folder, jobs, silent)
    assert sorted(found.records) == ["a/1", "a/4", "b/1"]
    assert found.failures == {"a/2": (Attempt("error", "this image is bad"),) * 2}
    assert count.read_text() == "xx"


def test_what_failed_has_another_chance_in_the_next_run(tmp_path):
    chain = [failing(tmp_path / "count", RuntimeError("no room\nfor anything"), 2)]
    first = driver.run([chain], tmp_path, 1, silent).failures["a/2"]
    assert [attempt.reason for attempt in first] == ["RuntimeError: no room"] * 2
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


def products(folder, keep) -> list[Unit]:
    return [
        Unit(f"a/{number}", functools.partial(leave, folder / f"{number}.bin"), 1.0, folder / f"{number}.bin",
             (f"a/{number - 1}",) if number > 1 else (), keep)
        for number in (1, 2, 3)
    ]  # fmt: skip


def test_products_go_when_their_chain_is_done(tmp_path):
    driver.run([products(tmp_path, keep=False)], tmp_path, 1, silent)
    assert not list(tmp_path.glob("*.bin"))
    assert driver.plan([products(tmp_path, keep=False)], tmp_path) == [[]]
    assert len(driver.run([products(tmp_path, keep=True)], tmp_path, 1, silent).records) == 3
    assert len(list(tmp_path.glob("*.bin"))) == 3


def test_what_an_earlier_run_kept_stays(tmp_path):
    driver.run([products(tmp_path, keep=True)], tmp_path, 1, silent)
    (tmp_path / "a/3.json").unlink()
    driver.run([products(tmp_path, keep=False)], tmp_path, 1, silent)
    assert sorted(path.name for path in tmp_path.glob("*.bin")) == ["1.bin", "2.bin"]


def test_what_a_missing_unit_needs_is_made_again_and_nothing_else(tmp_path):
    chain = products(tmp_path, keep=False)
    driver.run([chain], tmp_path, 1, silent)
    (tmp_path / "a/3.json").unlink()
    assert [[unit.name for unit in left] for left in driver.plan([chain], tmp_path)] == [["a/1", "a/2", "a/3"]]
    (tmp_path / "2.bin").write_text("2.bin")
    assert [[unit.name for unit in left] for left in driver.plan([chain], tmp_path)] == [["a/3"]]


@pytest.mark.parametrize(("jobs", "deadly"), [(1, False), (2, True)])
def test_a_lost_product_that_cannot_be_made_again_ends_only_what_needs_it(tmp_path, jobs, deadly):
    """The record of the first unit is there, its product is not, and making it fails: the run must not try for ever."""
    first, second, third = products(tmp_path, keep=False)
    driver.run([[first, second, third]], tmp_path, 1, silent)
    (tmp_path / "a/3.json").unlink()
    (tmp_path / "2.bin").write_text("2.bin")
    again = functools.partial(die if deadly else fail, tmp_path / "count",
                              *([9] if deadly else [RuntimeError("no"), 9]))  # fmt: skip
    fourth = dataclasses.replace(third, name="a/4", product=tmp_path / "4.bin", needs=("a/1",))
    chain = [dataclasses.replace(first, run=again), second, third, fourth]
    found = driver.run([chain, units(tmp_path / "log", "b/1")], tmp_path, jobs, silent)
    assert (tmp_path / "count").read_text() == "xx"
    assert sorted(found.records) == ["a/1", "a/2", "a/3", "b/1"]
    assert list(found.failures) == ["a/1"]


def test_every_product_that_a_unit_needs_is_made_again(tmp_path):
    first, second, third = products(tmp_path, keep=False)
    chain = [first, second, dataclasses.replace(third, needs=("a/2", "a/1"))]
    driver.run([chain], tmp_path, 1, silent)
    (tmp_path / "a/3.json").unlink()
    assert [unit.name for unit in todo(chain, tmp_path)] == ["a/1", "a/2", "a/3"]
    (tmp_path / "2.bin").write_text("2.bin")
    assert [unit.name for unit in todo(chain, tmp_path)] == ["a/1", "a/3"]


def test_products_that_a_killed_run_left_go_at_the_next_start(tmp_path):
    chains = [products(tmp_path, keep=False), units(tmp_path / "log", "b/1")]
    driver.run(chains, tmp_path, 1, silent)
    # Killed after the last record, before anything was removed.
    for number in (1, 2, 3):
        (tmp_path / f"{number}.bin").write_text("")
    driver.run(chains, tmp_path, 1, silent)
    assert not list(tmp_path.glob("*.bin"))


def test_products_of_a_chain_whose_process_died_go(tmp_path):
    first, second, _ = products(tmp_path, keep=False)
    deadly = Unit("a/3", functools.partial(die, tmp_path / "count", 9), 1.0, tmp_path / "3.bin", "a/2", False)
    driver.run([[first, second, deadly], units(tmp_path / "log", "b/1")], tmp_path, 2, silent)
    assert not list(tmp_path.glob("*.bin"))


def _dead() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def test_what_processes_that_are_dead_have_left_goes_and_nothing_else(tmp_path):
    units_, dead, alive = tmp_path / "units/a/repeat0/fold0", _dead(), os.getppid()
    ours = [f"units/a/repeat0/fold0/.baseline.safetensors.{dead}", f"units/a/repeat0/fold0/.hard1.json.{dead}",
            "units/a/repeat0/fold0/hard1.progress", "units/a/repeat0/fold0/hard1.progress-new",
            f"units/..run.{dead}", f".prune_kfold.html.{dead}", f"model/.compact-int8.tflite.{dead}",
            f"cache/images-35-0123.npy.{dead}.tmp", f"simulated/.scans.{dead}.partial/scans/1.png",
            f".run.json.{os.getpid()}"]  # fmt: skip
    others = [f"units/a/repeat0/fold0/.baseline.safetensors.{alive}", f"cache/images-35-0123.npy.{alive}.tmp",
              "units/a/repeat0/fold0/baseline.json", f"notes.{dead}", f".notes.{dead}", f"deep/er/.run.json.{dead}",
              f"simulated/scans/.scans.{dead}.partial"]  # fmt: skip
    for name in ours + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    with driver.exclusive(tmp_path):
        driver.run([units(tmp_path / "log", "a/1")], tmp_path / "units", 1, silent)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left - {"log", ".lock", "units/a/1.json"} == set(others)
    assert units_.is_dir() and not (tmp_path / f"simulated/.scans.{dead}.partial").exists()


@pytest.mark.parametrize("name", ["a/1.progress", "a/1.failed.json", "1.bin", "a/1.json"])
def test_what_cannot_be_removed_is_one_line(tmp_path, monkeypatch, name):
    """As on a disk that is read-only by now."""
    chain = products(tmp_path, keep=False)
    driver.run([chain], tmp_path, 1, silent)
    (tmp_path / name).write_text("{}")
    unlink = driver.Path.unlink

    def refuse(path, missing_ok=False):
        if path.name == name.rpartition("/")[2]:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        unlink(path, missing_ok)

    monkeypatch.setattr(driver.Path, "unlink", refuse)
    with pytest.raises(Unwritable, match=f"{name}: cannot be removed .Read-only file system"):
        driver.run([chain], tmp_path, 1, silent)


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
