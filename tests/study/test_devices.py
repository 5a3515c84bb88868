"""Who gets which GPU, on a machine that only pretends to have some."""

import fcntl
import platform

import pytest

from wool_tf.study import devices


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    monkeypatch.setattr(devices, "PATIENCE_SECONDS", 0)
    held = []
    monkeypatch.setattr(devices, "_held", held)
    yield
    for lock in held:
        lock.close()


def test_none_where_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "PROC", tmp_path / "absent")
    assert devices.visible() == []


def test_all_of_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "PROC", tmp_path)
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert devices.visible() == ["0", "1"]


@pytest.mark.parametrize(("named", "found"), [("", []), ("-1", []), ("2", ["2"]), ("GPU-a, GPU-b", ["GPU-a", "GPU-b"])])
def test_only_those_that_are_named(monkeypatch, named, found):
    monkeypatch.setenv(devices.VISIBLE, named)
    assert devices.visible() == found


def test_every_process_takes_the_first_that_is_free(monkeypatch, tmp_path):
    taken = []
    for _ in range(4):
        monkeypatch.setenv(devices.VISIBLE, "0,1,2")
        devices.take(tmp_path)
        taken.append(devices.os.environ[devices.VISIBLE])
    assert taken == ["0", "1", "2", "2"]
    locks = [str(tmp_path / f".gpu-{platform.node()}-{number}.lock") for number in range(3)]
    assert [lock.name for lock in devices._held] == locks
    devices._held.pop(1).close()
    monkeypatch.setenv(devices.VISIBLE, "0,1,2")
    devices.take(tmp_path)
    assert devices.os.environ[devices.VISIBLE] == "1"


def test_a_single_one_needs_no_lock(monkeypatch, tmp_path):
    monkeypatch.setenv(devices.VISIBLE, "3")
    devices.take(tmp_path)
    assert devices.os.environ[devices.VISIBLE] == "3"
    assert not list(tmp_path.iterdir())


def test_locks_end_with_their_holder(monkeypatch, tmp_path):
    monkeypatch.setenv(devices.VISIBLE, "0,1")
    path = tmp_path / f".gpu-{platform.node()}-0.lock"
    with open(path, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
    devices.take(tmp_path)
    assert devices.os.environ[devices.VISIBLE] == "0"


def test_another_machine_of_the_cluster_has_gpus_of_its_own(monkeypatch, tmp_path):
    for node in ("left", "right"):
        monkeypatch.setattr(devices.platform, "node", lambda node=node: node)
        monkeypatch.setenv(devices.VISIBLE, "0,1")
        devices.take(tmp_path)
        assert devices.os.environ[devices.VISIBLE] == "0"
        devices.take(tmp_path)
        assert devices.os.environ[devices.VISIBLE] == "0"


def test_a_folder_that_cannot_be_written_costs_no_traceback(monkeypatch, tmp_path):
    monkeypatch.setenv(devices.VISIBLE, "0,1")
    devices.take(tmp_path / "absent")
    assert devices.os.environ[devices.VISIBLE] == "0"


def test_one_that_is_given_back_soon_is_waited_for(monkeypatch, tmp_path):
    monkeypatch.setenv(devices.VISIBLE, "0,1")
    monkeypatch.setattr(devices, "PATIENCE_SECONDS", 9)
    held = [open(tmp_path / f".gpu-{platform.node()}-{number}.lock", "w") for number in (0, 1)]
    for lock in held:
        fcntl.flock(lock, fcntl.LOCK_EX)
    monkeypatch.setattr(devices.time, "sleep", lambda _: held[0].close())
    devices.take(tmp_path)
    assert devices.os.environ[devices.VISIBLE] == "0"
    held[1].close()
