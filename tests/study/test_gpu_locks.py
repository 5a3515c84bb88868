"""Who gets which GPU, on a machine that only pretends to have some."""

import fcntl
import os
import platform

import pytest

from wool_tf.devices import VISIBLE
from wool_tf.study import gpu_locks


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setattr(gpu_locks, "PATIENCE_SECONDS", 0)
    held = []
    monkeypatch.setattr(gpu_locks, "_held", held)
    yield
    for lock in held:
        lock.close()


def test_every_process_takes_the_first_that_is_free(monkeypatch, tmp_path):
    taken = []
    for _ in range(4):
        monkeypatch.setenv(VISIBLE, "0,1,2")
        gpu_locks.take(tmp_path)
        taken.append(os.environ[VISIBLE])
    assert taken == ["0", "1", "2", "2"]
    locks = [str(tmp_path / f".gpu-{platform.node()}-{number}.lock") for number in range(3)]
    assert [lock.name for lock in gpu_locks._held] == locks
    gpu_locks._held.pop(1).close()
    monkeypatch.setenv(VISIBLE, "0,1,2")
    gpu_locks.take(tmp_path)
    assert os.environ[VISIBLE] == "1"


def test_a_single_one_needs_no_lock(monkeypatch, tmp_path):
    monkeypatch.setenv(VISIBLE, "3")
    gpu_locks.take(tmp_path)
    assert os.environ[VISIBLE] == "3"
    assert not list(tmp_path.iterdir())


def test_locks_end_with_their_holder(monkeypatch, tmp_path):
    monkeypatch.setenv(VISIBLE, "0,1")
    path = tmp_path / f".gpu-{platform.node()}-0.lock"
    with open(path, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
    gpu_locks.take(tmp_path)
    assert os.environ[VISIBLE] == "0"


def test_another_machine_of_the_cluster_has_gpus_of_its_own(monkeypatch, tmp_path):
    for node in ("left", "right"):
        monkeypatch.setattr(gpu_locks.platform, "node", lambda node=node: node)
        monkeypatch.setenv(VISIBLE, "0,1")
        gpu_locks.take(tmp_path)
        assert os.environ[VISIBLE] == "0"
        gpu_locks.take(tmp_path)
        assert os.environ[VISIBLE] == "0"


def test_a_folder_that_cannot_be_written_costs_no_traceback(monkeypatch, tmp_path):
    monkeypatch.setenv(VISIBLE, "0,1")
    gpu_locks.take(tmp_path / "absent")
    assert os.environ[VISIBLE] == "0"


def test_one_that_is_given_back_soon_is_waited_for(monkeypatch, tmp_path):
    monkeypatch.setenv(VISIBLE, "0,1")
    monkeypatch.setattr(gpu_locks, "PATIENCE_SECONDS", 9)
    held = [open(tmp_path / f".gpu-{platform.node()}-{number}.lock", "w") for number in (0, 1)]
    for lock in held:
        fcntl.flock(lock, fcntl.LOCK_EX)
    monkeypatch.setattr(gpu_locks.time, "sleep", lambda _: held[0].close())
    gpu_locks.take(tmp_path)
    assert os.environ[VISIBLE] == "0"
    held[1].close()
