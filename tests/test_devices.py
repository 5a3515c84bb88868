"""Which GPUs a process may use, on a machine that only pretends to have some."""

import pytest

from wool_tf import devices


@pytest.fixture(autouse=True)
def unnamed(monkeypatch):
    monkeypatch.delenv(devices.VISIBLE, raising=False)


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
