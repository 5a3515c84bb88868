"""wool_board/machine/watchdog.py against a socket as systemd has it."""

import os
import socket

import pytest

import rig
from wool_board.machine import watchdog

DETECTOR = rig.Detector()


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(30)
        yield heard


def words(manager: socket.socket) -> list[str]:
    """What has been said by now."""
    manager.setblocking(False)
    said = []
    try:
        while True:
            said.append(manager.recv(100).decode())
    except BlockingIOError:
        return said


def test_without_a_manager_nothing_is_said(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(watchdog.socket, "socket", lambda *_: pytest.fail("a socket was opened"))
    dog = watchdog.Watchdog()
    dog.ready()
    dog.alive()


@pytest.mark.parametrize(
    "limit, moments, said",
    [("20000000", [0, 4.9, 5, 9.9, 10], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]), ("", [0, 100, 200], ["READY=1"])],
)
def test_signs_of_life_four_times_in_the_limit(manager, monkeypatch, limit, moments, said):
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    now = 1000.0
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now)
    dog = watchdog.Watchdog()
    dog.ready()
    for moment in moments:
        now = 1000.0 + moment
        dog.alive()
    assert words(manager) == said


def test_a_manager_with_an_abstract_address(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"wool-{os.getpid()}"
        manager.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        watchdog.Watchdog().ready()
        assert words(manager) == ["READY=1"]


def test_a_manager_that_is_gone_does_no_harm(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    watchdog.Watchdog().ready()


def test_an_inspection_without_lines_is_ready_and_alive(manager, monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    process = rig.start(*DETECTOR.references(tmp_path))
    assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    process.communicate(timeout=30)
    assert process.returncode == 0
