"""Products of units, and what killed processes have left: when they go, and when they are made again."""

import dataclasses
import errno
import functools
import os
import subprocess

import pytest
from driven_units import die, fail, products, silent, units

from wool_tf.errors import Unwritable
from wool_tf.study import driver
from wool_tf.study.units import Unit, todo


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
            f"cache/images-35-0123.npy.{dead}.tmp", f"cache/resized-35-0123.npy.{dead}.tmp",
            f"simulated/.scans.{dead}.partial/scans/1.png", f".run.json.{os.getpid()}"]  # fmt: skip
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
