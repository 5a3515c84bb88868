"""A day of the inspection in short: the beam drifts, elements die, and the program is stopped, killed and held up.

The lines go through a FIFO, as on a board, and come at their time whether anybody takes them or not. So what each line
became is known: the program told a tile, air or unseen for it, or nothing.
"""

import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

from wool_tf.belt.day import account
from wool_tf.belt.day import lines as day_lines
from wool_tf.belt.day.account import DayAccount
from wool_tf.belt.layout import Belt
from wool_tf.errors import WoolError

CHUNK_SECONDS = 0.02
SLOW_SECONDS = 0.5
"""From one look of a slow reader at 4 KB of events to the next."""
DRAIN_SECONDS = 30.0
"""For which the end of the day waits for the last lines, at most."""


class _Process:
    """One run of the program, and what it said of which lines."""

    def __init__(self, command: list[str], fifo: Path, stdout: int | None, slow: bool):
        self.events: list[dict] = []
        self.first: int | None = None
        """Number of the first line that it was given."""
        self.memory = 0.0
        pipe = subprocess.PIPE if stdout is None else stdout
        self._child = subprocess.Popen(command, stdout=pipe, stderr=subprocess.PIPE)
        self.slow = slow
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._fifo = fifo
        self._writing: int | None = None

    def _listen(self) -> None:
        if self._child.stdout is None:
            return
        rest = b""
        while piece := os.read(self._child.stdout.fileno(), 4096):
            *lines, rest = (rest + piece).split(b"\n")
            self.events += map(json.loads, lines)
            if self.slow:
                time.sleep(SLOW_SECONDS)

    def write(self, content: bytes, number: int) -> None:
        """Gives it lines, the first of them line `number`; they are lost if it does not read."""
        try:
            if self._writing is None:
                self._writing = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK)
                os.set_blocking(self._writing, True)
            os.write(self._writing, content)
        except OSError:
            self._close()
            return
        self.first = number if self.first is None else self.first

    def _close(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
        self._writing = None

    def drain(self) -> None:
        """Waits until it has taken all lines that were written, or is over."""
        end = time.monotonic() + DRAIN_SECONDS
        while self._writing is not None and not self.is_over and time.monotonic() < end:
            (left,) = struct.unpack("i", fcntl.ioctl(self._writing, termios.FIONREAD, bytes(4)))
            if not left:
                return
            time.sleep(CHUNK_SECONDS)

    def complaint(self) -> str:
        """What a process that is over said on its standard error, and its status."""
        error = self._child.stderr.read().decode(errors="replace").strip() if self._child.stderr else ""
        return f"ended with status {self._child.wait()}: {error}"

    @property
    def is_over(self) -> bool:
        return self._child.poll() is not None

    def sample(self) -> None:
        """Looks at its memory."""
        with contextlib.suppress(OSError, IndexError):
            fields = Path(f"/proc/{self._child.pid}/status").read_text().split("VmRSS:")
            self.memory = max(self.memory, int(fields[1].split()[0]) * 1024 / 1e6)

    def end(self, number: signal.Signals) -> None:
        """Sends a signal, and waits for the end and for all that was said."""
        self.slow = False
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(number)
        self._child.wait()
        self._close()
        self._listener.join()
        for stream in (self._child.stdout, self._child.stderr):
            if stream:
                stream.close()


def run(
    belt: Belt, program: Path, model: Path, folder: Path, rate: float, passes: int, say: Callable[[str], None]
) -> DayAccount:
    """Runs a day; returns its account.

    Arguments:
        belt: passes some times an hour.
        program: `tflite/inspect_line.py`, of any version.
        model: TFLite file with its card.
        folder: for the FIFO, the state, and references that are no files.
        rate: lines per second.
        passes: of the belt in an hour.
        say: is told of each hour.

    Raises:
        WoolError: the program ends before it begins.
    """
    fifo, state = folder / "lines", folder / "state.json"
    os.mkfifo(fifo)
    command = [sys.executable, str(program), str(model), str(fifo), "--reopen"]
    dark, bright = belt.references(folder)
    command += [f"--dark={dark}", f"--bright={bright}"]
    command += [f"--width={belt.width}", f"--type={belt.type}", f"--lines_per_second={rate:g}"]
    known = subprocess.run([sys.executable, program, "--help"], capture_output=True, text=True, check=False).stdout
    # Earlier versions lack them.
    command += [flag for flag in (f"--state={state}", "--position=time") if flag.partition("=")[0] in known]
    hours, processes, number = day_lines.plan(belt.width), [_Process(command, fifo, None, False)], 0
    while not processes[0].events and not processes[0].is_over:
        time.sleep(0.1)
    if not processes[0].events:
        raise WoolError(f"{program}: {processes[0].complaint()}")
    began = time.monotonic()
    for place, hour in enumerate(hours):
        say(f"hour {place + 1} of {len(hours)}: {hour.begins or 'goes on'}")
        _begin(hour, processes, command, fifo)
        for counts in day_lines.counts(belt, hour, passes, max(1, round(rate * CHUNK_SECONDS))):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            if processes[-1].is_over:
                processes[-1].end(signal.SIGTERM)
                processes.append(_Process(command, fifo, None, False))
            processes[-1].write(counts.tobytes(), number)
            number += len(counts)
            processes[-1].sample()
    # No inspection comes after this one, which would say of lines that are left in the pipe that they were not seen.
    processes[-1].drain()
    processes[-1].end(signal.SIGTERM)
    return account.of(belt, processes, hours, number, passes)


def _begin(hour: day_lines.Hour, processes: list[_Process], command: list[str], fifo: Path) -> None:
    """What happens to the program at the begin of an hour."""
    processes[-1].slow = hour.begins == "slow reader"
    ends = {"terminate": signal.SIGTERM, "kill": signal.SIGKILL, "full disk": signal.SIGTERM}
    if hour.begins in ends:
        processes[-1].end(ends[hour.begins])
        full = os.open("/dev/full", os.O_WRONLY) if hour.begins == "full disk" else None
        processes.append(_Process(command, fifo, full, False))
        if full is not None:
            os.close(full)
