"""Keeps an output as it was last asked for, and in reject as soon as nobody asks any more.

An output may take long, as a network does, and whoever decides may hang; so it has a thread of its own.
"""

import collections
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from wool_board.errors import in_one_line

MOST_CHANGES = 1000
"""Changes that are remembered until somebody asks for them."""


START, SILENT = "start", "silent"
"""Why nothing passes, besides what is asked for: nobody has asked yet, or what was asked for counts no longer."""


class GateOutput(Protocol):
    """What moves the gates. It rests in reject before the first `write` and after `close`. What fails raises."""

    def write(self, passing: tuple[bool, ...]) -> None:
        """Lets lanes pass, or reject."""

    def beat(self) -> None:
        """A sign of life for whatever watches the output; comes only while whoever decides is alive."""

    def close(self) -> None:
        """Rejects, and gives the output back."""


class DryRunOutput:
    """An output that moves nothing, for a dry run."""

    def write(self, passing: tuple[bool, ...]) -> None:
        pass

    def beat(self) -> None:
        pass

    def close(self) -> None:
        pass


class GateRequest(NamedTuple):
    """What was asked for.

    Attributes:
        reasons: of each lane why it must not pass, or None.
        line: at which the belt was, or None.
        clock: when it was there, in seconds of the monotonic clock, or None.
    """

    reasons: tuple[str | None, ...]
    line: int | None
    clock: float | None

    @property
    def passing(self) -> tuple[bool, ...]:
        return tuple(reason is None for reason in self.reasons)


class OutputChange(NamedTuple):
    """An output that has changed: when, in seconds of the monotonic clock, and what had been asked for."""

    time: float
    passing: tuple[bool, ...]
    asked: GateRequest

    @property
    def reasons(self) -> tuple[str | None, ...]:
        """Of each lane why it does not pass."""
        return self.asked.reasons if self.passing == self.asked.passing else (SILENT,) * len(self.passing)


class Driver:
    """Drives an output.

    Arguments:
        output: is closed at the end.
        lanes: that it has.
        valid: seconds without being asked after which there are no signs of life any more.
        beat: seconds from one sign of life to the next; with each of them the output is written again.

    Attributes:
        trouble: why the last write failed, or None.
        failures: writes that failed.
        forgotten: changes that nobody asked for in time.
    """

    def __init__(self, output: GateOutput, lanes: int, valid: float, beat: float):
        self.trouble: str | None = None
        self.failures = self.forgotten = 0
        self._output, self._valid, self._beat = output, valid, beat
        self._asked = GateRequest((START,) * lanes, None, None)
        self._until = self._alive_until = 0.0
        self._changed = threading.Condition()
        self._is_new = self._is_stopped = False
        self._changes: collections.deque[OutputChange] = collections.deque(maxlen=MOST_CHANGES)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Driver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def ask(self, asked: GateRequest, until: float) -> None:
        """Asks for a state, which counts until some time of the monotonic clock; then all is rejected."""
        with self._changed:
            # A later end must be known before the earlier one comes, but there is no hurry.
            self._is_new |= asked.passing != self._asked.passing
            self._asked, self._until, self._alive_until = asked, until, time.monotonic() + self._valid
            if self._is_new:
                self._changed.notify()

    def changes(self) -> list[OutputChange]:
        """The changes since this was asked for last."""
        found = []
        while self._changes:
            found.append(self._changes.popleft())
        return found

    def _run(self) -> None:
        written, due = None, 0.0
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_new or self._is_stopped, self._pause(due))
                    if self._is_stopped:
                        return
                    self._is_new = False
                    now = time.monotonic()
                    asked, is_valid, is_alive = self._asked, now < self._until, now < self._alive_until
                passing = asked.passing if is_valid else (False,) * len(asked.reasons)
                is_due = time.monotonic() >= due
                if passing != written or is_due:
                    written = self._write(passing, asked, written)
                if is_due:
                    due = time.monotonic() + self._beat
                    # Where the output cannot be written, whatever watches it must act.
                    if is_alive and written is not None:
                        self._try(self._output.beat)
        finally:
            self._output.close()

    def _pause(self, due: float) -> float:
        """Seconds until the next sign of life, or until what was asked for counts no longer."""
        now = time.monotonic()
        return max(0.0, min(due, self._until if self._until > now else due) - now)

    def _write(
        self, passing: tuple[bool, ...], asked: GateRequest, before: tuple[bool, ...] | None
    ) -> tuple[bool, ...] | None:
        """Writes; returns what the output is known to be, None if that failed."""
        if not self._try(lambda: self._output.write(passing)):
            return None
        if passing != before:
            self.forgotten += len(self._changes) == MOST_CHANGES
            self._changes.append(OutputChange(time.monotonic(), passing, asked))
        return passing

    def _try(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except Exception as error:  # Whatever a library says, this must go on and try again.
            self.failures += 1
            self.trouble = in_one_line(error)
            return False
        self.trouble = None
        return True
