"""Units that only sleep or fail: order, resumption, status, and what is left by a process that is killed."""

import functools
import os
import signal
import subprocess
import sys
import time

import pytest

from wool_tf.errors import WoolError
from wool_tf.training import driver, records
from wool_tf.training.driver import Unit


def work(name, log, progress):
    progress(0.5, "half")
    with open(log, "a") as file:
        file.write(f"{name}\n")
    return {"name": name}


def fail(progress):
    raise WoolError("this image is bad")


def units(log, *names) -> list[Unit]:
    return [Unit(name, functools.partial(work, name, log), 1.0) for name in names]


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_unit_once_and_in_the_order_of_its_chain(tmp_path, jobs):
    log, folder = tmp_path / "log", tmp_path / "units"
    chains = [units(log, "a/1", "a/2", "a/3"), units(log, "b/1", "b/2")]
    found = driver.run(chains, folder, jobs, lambda status: None)
    done = log.read_text().split()
    assert sorted(done) == ["a/1", "a/2", "a/3", "b/1", "b/2"]
    assert [name for name in done if name[0] == "a"] == ["a/1", "a/2", "a/3"]
    assert {name: record["name"] for name, record in found.items()} == {name: name for name in done}
    assert all(record["seconds"] >= 0 for record in found.values())
    driver.run(chains, folder, jobs, lambda status: None)
    assert log.read_text().split() == done
    assert not [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"]


def test_a_failed_unit_is_named_and_what_was_done_stays(tmp_path):
    chain = [*units(tmp_path / "log", "a/1"), Unit("a/2", fail, 1.0), *units(tmp_path / "log", "a/3")]
    with pytest.raises(WoolError, match="^a/2: this image is bad$"):
        driver.run([chain], tmp_path / "units", 1, lambda status: None)
    assert records.read(tmp_path / "units/a/1.json")
    assert not (tmp_path / "units/a/3.json").exists()


def test_a_damaged_record_is_made_again(tmp_path):
    chains = [units(tmp_path / "log", "a/1")]
    driver.run(chains, tmp_path, 1, lambda status: None)
    (tmp_path / "a/1.json").write_text('{"name": ')
    assert driver.run(chains, tmp_path, 1, lambda status: None)["a/1"]["name"] == "a/1"


def test_status(tmp_path):
    seen = []
    records.write(tmp_path / "a/1.json", {"name": "a/1"})
    driver.run([units(tmp_path / "log", "a/1", "a/2", "a/3", "a/4")], tmp_path, 1, seen.append)
    assert (seen[0].share, seen[0].finished, seen[0].units, seen[0].remaining) == (0.25, 1, 4, None)
    assert (seen[-1].share, seen[-1].finished) == (1.0, 4)
    assert seen[-1].remaining == 0


def test_a_folder_has_one_run(tmp_path):
    with driver.exclusive(tmp_path), pytest.raises(WoolError, match="another run is at work"):
        driver.exclusive(tmp_path).__enter__()
    with driver.exclusive(tmp_path):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WoolError, match="--out=.*cannot be written"), driver.exclusive(tmp_path / "file"):
        pass


ENDLESS = """
import functools, pathlib, sys, time
from wool_tf.training import driver

def endless(progress):
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
