"""Programs of the board as processes: what they say, how much memory they take, killed and started again."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from wool_tf.belt.programs.service import Service
from wool_tf.errors import WoolError

WAIT_SECONDS = 60.0
"""For something that a program says when it has begun; on a busy machine Python alone takes seconds."""

END_SECONDS = 5.0
"""From the end of a program's output to that of its process."""

KB = 1024 / 1e6


class Program:
    """A program of the board, one process after another.

    Arguments:
        command: a Python program and its options.
        service: its unit, whose CPU priority it gets, or None.
        record: makes what takes, by `append`, what a process says.
        is_fed: whether processes read what `write` gives, rather than nothing.

    Attributes:
        command: as words.
        is_scheduled: whether all processes got that priority, which takes root.
        began: when each process began, in seconds of the monotonic clock.
        runs: of each process what it said on its standard output, JSON lines as dicts and others as they are; lists, if
            `record` makes no others.
        peak_mb: the most memory that a process of it was seen to take, in 1e6 bytes.
        memory: seconds of the monotonic clock and MB at that time, one for each `sample`.
    """

    def __init__(
        self,
        command: list,
        service: Service | None = None,
        record: Callable[[], Any] = list,
        is_fed: bool = False,
    ):
        self.command = list(map(str, command))
        self.is_scheduled = True
        self._service, self._record, self._is_fed = service, record, is_fed
        self.began: list[float] = []
        self.runs: list[Any] = []
        self.peak_mb = 0.0
        self.memory: list[tuple[float, float]] = []
        self._changed = threading.Condition()
        self._child: subprocess.Popen | None = None
        self._listener: threading.Thread | None = None
        self._errors: IO[bytes] | None = None

    def __enter__(self) -> "Program":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def name(self) -> str:
        """Of the program, without its folder."""
        return Path(self.command[0]).name

    @property
    def said(self) -> list[dict]:
        """The events of all processes."""
        return [event for run in self.runs for event in run if isinstance(event, dict)]

    @property
    def is_over(self) -> bool:
        """Whether the last process has ended."""
        return self._child is None or self._child.poll() is not None

    def start(self, output: int | None = None) -> None:
        """Starts another process, whose standard output is a file descriptor if one is given, and then not heard."""
        # Without lgpio, of a board, pins are those that gpiozero makes up for tests.
        environment = {"GPIOZERO_PIN_FACTORY": "mock"} | os.environ
        self._errors = tempfile.TemporaryFile()
        self.began.append(time.monotonic())
        self._child = subprocess.Popen(
            [sys.executable, *self.command],
            stdin=subprocess.PIPE if self._is_fed else subprocess.DEVNULL,
            stdout=subprocess.PIPE if output is None else output,
            stderr=self._errors,
            env=environment,
        )
        if self._service:
            self.is_scheduled &= self._service.schedule(self._child.pid)
        self.runs.append(self._record())
        if self._child.stdout:
            arguments = self._child.stdout, self.runs[-1]
            self._listener = threading.Thread(target=self._listen, args=arguments, daemon=True)
            self._listener.start()

    def write(self, content: bytes) -> bool:
        """Writes to the standard input of the process; returns whether it reads any more."""
        assert self._child and self._child.stdin
        try:
            self._child.stdin.write(content)
            self._child.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def wait_for(self, holds: Callable[[Any], bool]) -> None:
        """Waits until something holds of what the last process said, or until it has ended.

        Raises:
            WoolError: it does not within `WAIT_SECONDS`, or the process ends before.
        """
        assert self._listener
        end = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while not holds(self.runs[-1]):
                if not self._listener.is_alive() or time.monotonic() > end:
                    break
                self._changed.wait(0.2)
            else:
                return
        if not self._listener.is_alive():
            assert self._child
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(END_SECONDS)
        raise WoolError(f"{self.name}: {self._complaint()}")

    def sample(self) -> None:
        """Looks at the memory of the process, if there is one."""
        child = self._child
        if child is None:
            return
        with contextlib.suppress(OSError, ValueError):
            text = Path(f"/proc/{child.pid}/status").read_text()
            fields = dict(line.split(":", 1) for line in text.splitlines())
            # One that has ended, and was not waited for, has none.
            if "VmRSS" in fields:
                peak, now = (int(fields[name].split()[0]) * KB for name in ("VmHWM", "VmRSS"))
                self.peak_mb = round(max(self.peak_mb, peak), 1)
                self.memory.append((time.monotonic(), round(now, 1)))

    def kill(self, number: signal.Signals = signal.SIGKILL) -> float:
        """Ends the process by a signal, if there is one, and hears all that it had said; returns when it was dead for
        certain."""
        if self._child is None:
            return time.monotonic()
        self._child.send_signal(number)
        self._child.wait()
        dead = time.monotonic()
        self._close()
        return dead

    def end(self, status: int, number: signal.Signals | None = signal.SIGTERM) -> None:
        """Sends a signal, or none to a process that ends by itself, and waits for its end.

        Raises:
            WoolError: it ends with another status.
        """
        assert self._child
        self.sample()
        if number is not None:
            self._child.send_signal(number)
        self._close_input()
        found = self._child.wait()
        complaint = self._complaint()
        self._close()
        if found != status:
            raise WoolError(f"{self.name}: {complaint}")

    def _complaint(self) -> str:
        """The last line of the standard error, which is all there is if it names the mistake, and the status."""
        assert self._child and self._errors
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        status = self._child.poll()
        how = "does not begin" if status is None else f"ended with status {status}"
        return f"{how}: {lines[-1].removeprefix(f'{self.name}: ') if lines else 'it said nothing'}"

    def _close_input(self) -> None:
        if self._child and self._child.stdin:
            # Whether it went away by mistake, its status tells.
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()

    def _close(self) -> None:
        self._close_input()
        if self._listener:
            self._listener.join()
        if self._child and self._child.stdout:
            self._child.stdout.close()
        if self._errors:
            self._errors.close()
        self._child = self._listener = self._errors = None

    def _listen(self, pipe: IO[bytes], run: Any) -> None:
        for line in pipe:
            # The last one may be torn.
            if line.endswith(b"\n"):
                with self._changed:
                    run.append(json.loads(line) if line.startswith(b"{") else line.decode().strip())
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


def has_said(name: str) -> Callable[[list], bool]:
    """For `Program.wait_for`: whether an event or a note of a name is among what was said."""

    def holds(run: list) -> bool:
        return any(isinstance(event, dict) and name in (event["event"], event.get("name")) for event in run)

    return holds
