"""What is written to an output that takes some of it, nothing, or nothing any more."""

import errno
import os
import threading
import time

import pytest

from wool_board.errors import WoolError
from wool_board.machine import output_stream
from wool_board.machine.output_stream import OutputStream


class Descriptor:
    """What `os.write` does."""

    def __init__(self, monkeypatch, *answers):
        self.answers, self.written = list(answers), b""
        monkeypatch.setattr(output_stream.os, "write", self.write)

    def write(self, _descriptor: int, content: bytes) -> int:
        answer = self.answers.pop(0) if self.answers else len(content)
        if answer < 0:
            raise OSError(-answer, os.strerror(-answer))
        self.written += content[:answer]
        return min(answer, len(content))


def test_an_outlet_keeps_the_order_whatever_is_taken(monkeypatch, tmp_path):
    with open(tmp_path / "out", "wb") as file:
        descriptor = Descriptor(monkeypatch, 3, -errno.EAGAIN, 1, -errno.ENOSPC, 2)
        stream = OutputStream(file.fileno(), waits=False)
        for number in range(2000):
            stream.write(f"{number}\n")
        sizes = []
        for _ in range(3):
            stream.flush()
            sizes.append(stream.waiting)
        assert sizes[0] > sizes[1] > sizes[2] == 0
        assert descriptor.written.decode() == "".join(f"{number}\n" for number in range(2000))


def test_an_outlet_that_nothing_is_taken_from_gives_up(monkeypatch, tmp_path):
    monkeypatch.setattr(output_stream, "PATIENCE", 0.05)
    with open(tmp_path / "out", "wb") as file:
        Descriptor(monkeypatch, *[-errno.EAGAIN] * 99)
        stream = OutputStream(file.fileno(), waits=False)
        stream.write("text\n")
        stream.flush()
        time.sleep(0.1)
        with pytest.raises(WoolError, match=r"cannot be written \(Resource temporarily unavailable\)$"):
            stream.flush()


def test_a_terminal_that_shows_nothing_more_blocks_no_writing(monkeypatch):
    """Its window hangs. Asked, it has room as long as a byte has, and what does not fit would wait for ever."""
    monkeypatch.setattr(output_stream, "PATIENCE", 0.3)
    screen, terminal = os.openpty()
    stream, written = OutputStream(terminal, waits=False), "x" * 79 + "\n"
    # The end of the window ends a write that waits.
    guard = threading.Timer(10, os.close, (screen,))
    guard.start()
    with pytest.raises(WoolError, match="^standard output: cannot be written"):
        while True:
            stream.write(100 * written)
            stream.flush()
    assert guard.is_alive(), "it was blocked"
    guard.cancel()
    # For others, the terminal is as it was.
    assert os.get_blocking(terminal)
    for descriptor in (screen, terminal):
        os.close(descriptor)
