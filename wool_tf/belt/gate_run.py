"""Streams a belt through the inspection with a gate beside it, as on a board, and keeps what both say."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from wool_tf.belt import streaming
from wool_tf.belt.gate_edges import GatePlace, Written
from wool_tf.belt.layout import Belt
from wool_tf.errors import WoolError

CHUNK_SECONDS = 0.002
"""From one write to the next: a detector gives line by line, and of what comes in bunches positions are not exact."""

WAIT_SECONDS = 60.0
END_SECONDS = 1.0


class GateRun(NamedTuple):
    """What was said.

    Attributes:
        inspection, gate: events of both programs.
        written: the lines.
    """

    inspection: list[dict]
    gate: list[dict]
    written: Written


def run(
    belt: Belt, inspection: list, gate: list, place: GatePlace, lines_per_second: float, lines: int, loads: tuple = ()
) -> GateRun:
    """Streams a belt.

    Arguments:
        belt: Belt.
        inspection: command of the inspection: program and model, and whatever differs from the defaults.
        gate: command of the gate: program, and its output.
        place: of the gate.
        lines_per_second: of the belt.
        lines: how many; the belt over and over if it has less.
        loads: commands of programs that read the feed besides; `{feed}` in them is its socket.

    Raises:
        WoolError: a program ends with an error.
    """
    with tempfile.TemporaryDirectory() as made:
        feed = Path(made) / "feed"
        dark, bright = belt.references(Path(made))
        inspect = [*inspection, f"--dark={dark}", f"--bright={bright}", f"--width={belt.width}", f"--type={belt.type}"]
        inspect += [f"--lines_per_second={lines_per_second:g}", f"--feed={feed}"]
        eject = [*gate, f"--feed={feed}", *(f"--{name}={mm:g}" for name, mm in place.__dict__.items())]
        with contextlib.ExitStack() as stack:
            inspecting = stack.enter_context(_started(inspect, stdin=subprocess.PIPE))
            inspected = _Heard(inspecting.stdout)
            inspected.wait_for("start")
            gating = stack.enter_context(_started(eject))
            gated = _Heard(gating.stdout)
            gated.wait_for("feed_heard")
            for load in loads:
                stack.enter_context(_started([word.format(feed=feed) for word in load]))
            written = _write(belt, inspecting.stdin, lines_per_second, lines)
            # The last product is to leave the gate: but lines, and so the gate's clock, have come to their end.
            # A pipe, which only types do not know.
            assert inspecting.stdin
            inspecting.stdin.close()
            _finish(inspecting, inspected, 0, inspect[0])
            time.sleep(END_SECONDS)
            gating.terminate()
            _finish(gating, gated, 130, eject[0])
    return GateRun(inspected.events, gated.events, written)


class _Heard:
    """The events of a program, taken as they come."""

    def __init__(self, pipe: IO[bytes] | None):
        assert pipe
        self.events: list[dict] = []
        self._pipe, self._changed, self._ended = pipe, threading.Condition(), False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        for line in self._pipe:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, name: str) -> None:
        """Waits for an event, or a note, of a name, or for the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or any(_is(event, name) for event in self.events), WAIT_SECONDS)


def _is(event: dict, name: str) -> bool:
    return name in (event["event"], event.get("name"))


@contextlib.contextmanager
def _started(command: list, stdin: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen]:
    """A Python program, which is killed at the end if it is still there."""
    words = [sys.executable, *map(str, command)]
    # Without lgpio, of a board, pins are those that gpiozero makes up for tests.
    environment = {"GPIOZERO_PIN_FACTORY": "mock"} | os.environ
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=stdin, stdout=pipe, stderr=pipe, env=environment) as child:
        try:
            yield child
        finally:
            child.kill()


def _finish(child: subprocess.Popen, heard: _Heard, status: int, name: str) -> None:
    assert child.stderr
    error = child.stderr.read().decode(errors="replace").strip()
    if child.wait() != status:
        raise WoolError(f"{name}: ended with status {child.returncode}: {error}")
    heard.thread.join()


def _write(belt: Belt, pipe: IO[bytes] | None, rate: float, lines: int) -> Written:
    assert pipe
    began, total = time.monotonic(), 0
    seconds, counts = [began], [0]
    try:
        for chunk in streaming.chunks(belt, max(1, round(rate * CHUNK_SECONDS)), lines):
            time.sleep(max(0.0, began + (total + len(chunk)) / rate - time.monotonic()))
            pipe.write(chunk.tobytes())
            pipe.flush()
            total += len(chunk)
            seconds.append(time.monotonic())
            counts.append(total)
    except BrokenPipeError:
        # Its status tells why it went away.
        pass
    return Written(np.array(seconds), np.array(counts, float))
