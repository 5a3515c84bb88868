"""Detector lines from a pipe, a FIFO or a file, read by a thread of its own into a ring that never grows.

A detector does not wait. Whatever the rest of the program does, the thread takes lines out of the pipe, so that its
writer is never held up; if the ring is full, it says which lines were lost. A file waits, and so does the reader.
"""

import array
import collections
import contextlib
import fcntl
import io
import os
import select
import stat
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from wool_board.errors import BadSetting, UsageError, WoolError, in_one_line
from wool_board.image.scan_files import LineFormat

POLL_SECONDS = 0.1
PIPE_BYTES = 1 << 20
"""What is asked of the system for a pipe, which may give less."""

SPILL_BYTES = 1 << 16
F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", 1031)


class LineBlock(NamedTuple):
    """Lines: the number of the first, (n, width) counts, and (n,) seconds at which they arrived."""

    first: int
    lines: np.ndarray
    arrived: np.ndarray


class LostLines(NamedTuple):
    """Lines that arrived and were lost: the number of the first, and how many."""

    first: int
    lines: int


class WriterGone(NamedTuple):
    """The writer went away.

    Attributes:
        stray: bytes of a line that it began.
        final: whether no other writer is waited for.
        error: why reading failed, or None.
    """

    stray: int
    final: bool
    error: str | None


class Ring:
    """Lines on their way from the thread that reads them to the one that takes them.

    Arguments:
        layout: of the lines.
        capacity: lines that it holds.

    Attributes:
        line_bytes: of a line.
        waiting: tells how many bytes wait to be read.
    """

    def __init__(self, layout: LineFormat, capacity: int):
        self._lines = np.empty((capacity, layout.width), layout.dtype)
        self._bytes = self._lines.data.cast("B")
        self.line_bytes = self._line = layout.line_bytes
        self.waiting: Callable[[], int] = lambda: 0
        self._capacity = capacity
        self._times = np.empty(capacity)
        self._changed = threading.Condition()
        self._written = self._taken = 0
        """Bytes that were put in, and lines that were taken out, since the start."""
        self._spilt, self._lost, self._skipped = 0, 0, 0
        """Bytes of an overflow that goes on; lines lost before it; and those of them that were told."""
        self._marks: collections.deque[tuple[int, LostLines | WriterGone]] = collections.deque()
        """What came between lines: the number of lines put in before it, and what it was."""

    @property
    def arrived(self) -> int:
        """Lines that have arrived since the start, lost ones included."""
        with self._changed:
            return self._written // self._line + self._lost + self._spilt // self._line

    def arrived_and_waiting(self) -> tuple[int, int]:
        """Lines that have arrived since the start, and those that wait before this to be read."""
        for _ in range(3):
            before = self.arrived
            waiting = self.waiting() // self._line
            # Else some of those that waited have arrived meanwhile, and would count twice.
            if before == self.arrived:
                return before, waiting
        return self.arrived, 0

    def newest(self) -> np.ndarray | None:
        """A copy of the line that arrived last; None if there is none, or if it was lost."""
        with self._changed:
            count = self._written // self._line
            return None if self._spilt or not count else self._lines[(count - 1) % self._capacity].copy()

    def space(self) -> memoryview:
        """Where to put bytes: a part of the ring, empty if it is full or what did not fit is not over."""
        with self._changed:
            free = 0 if self._spilt else self._free()
        start = self._written % len(self._bytes)
        return self._bytes[start : min(start + free, len(self._bytes))]

    def wait_for_space(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(self._free, seconds)

    def put(self, count: int, now: float) -> None:
        """Bytes were put into `space`."""
        with self._changed:
            before, after = self._written // self._line, (self._written + count) // self._line
            self._times[np.arange(before, after) % self._capacity] = now
            self._written += count
            self._changed.notify_all()

    def spill(self) -> int:
        """How many bytes to throw away next: 0 when there is room again and the last line lost is complete."""
        with self._changed:
            if self._free() < len(self._bytes) // 4:
                return SPILL_BYTES
            left = -self._spilt % self._line
            if not left:
                self._end_spill()
            return left

    def spilt(self, count: int) -> None:
        """Bytes were thrown away."""
        with self._changed:
            self._spilt += count

    def leave(self, final: bool, error: str | None = None) -> None:
        """The writer went away; a line that it began is forgotten."""
        with self._changed:
            stray = self._written % self._line + self._spilt % self._line
            self._written -= self._written % self._line
            self._end_spill()
            self._marks.append((self._written // self._line, WriterGone(stray, final, error)))
            self._changed.notify_all()

    def take(self, most: int, seconds: float) -> LineBlock | LostLines | WriterGone | None:
        """What comes next, lines or what happened between them; None after so many seconds without any.

        The lines stay where they are until `release` is called.
        """
        with self._changed:
            if not self._changed.wait_for(self._ready, seconds):
                return None
            if self._marks and self._marks[0][0] == self._taken:
                mark = self._marks.popleft()[1]
                if isinstance(mark, LostLines):
                    self._skipped += mark.lines
                return mark
            start = self._taken % self._capacity
            stop = min(start + most, self._capacity, start + self._ready())
            return LineBlock(self._taken + self._skipped, self._lines[start:stop], self._times[start:stop])

    def release(self, count: int) -> None:
        """So many of the lines that `take` gave are done with."""
        with self._changed:
            self._taken += count
            self._changed.notify_all()

    def _free(self) -> int:
        return len(self._bytes) - (self._written - self._taken * self._line)

    def _ready(self) -> int:
        """Lines before the next mark; of a mark that comes first, 1."""
        if self._marks:
            return max(1, self._marks[0][0] - self._taken)
        return self._written // self._line - self._taken

    def _end_spill(self) -> None:
        count = self._spilt // self._line
        if count:
            before = self._written // self._line
            self._marks.append((before, LostLines(before + self._lost, count)))
            self._lost += count
        self._spilt = 0


class LineReader:
    """Reads lines with a thread of its own.

    Arguments:
        path: of a file or a FIFO; `-` is the standard input.
        recorded: whether the writer can wait, as a file always can.
        reopen: whether to wait for another writer of a FIFO when one went away.

    Attributes:
        live: whether the lines come from something that does not wait.
        size: bytes of a file, or None.

    Raises:
        WoolError: there are no lines to be had from there.
    """

    def __init__(self, path: str, recorded: bool, reopen: bool):
        self._path, self._reopen = path, reopen
        self._spill = bytearray(SPILL_BYTES)
        self._stopped = threading.Event()
        self._has_lines = False
        """Whether anything was read since a writer went away."""
        self._file = self._opened()
        status = os.fstat(self._file.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
        self.live = self.size is None and not recorded
        flaw: WoolError | None = None
        if self._file.isatty():
            flaw = UsageError("standard input is a terminal; give a pipe, a FIFO or a file with detector lines")
        elif reopen and (path == "-" or not stat.S_ISFIFO(status.st_mode)):
            rule = f"{path} is no FIFO, and only one that has a name can be opened again"
            flaw = BadSetting("reopen", None, rule)
        if flaw:
            self._file.close()
            raise flaw
        if stat.S_ISFIFO(status.st_mode):
            _widen(self._file.fileno())

    @contextlib.contextmanager
    def reading(self, ring: Ring) -> Iterator[None]:
        """Reads lines into a ring while the context lasts; once only."""
        self._ring, ring.waiting = ring, self._waiting
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()
            self._file.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                # A writer that came and went before this end was opened leaves its lines there, but no sign of its end.
                if (self._has_input() or (self._reopen and self._has_lines)) and not self._read():
                    self._has_lines = False
                    if not self._reopen:
                        self._ring.leave(final=True)
                        return
                    # Opened before the other is closed: a FIFO without any reader would kill its next writer. And
                    # before anybody hears of it, who might start one.
                    left, self._file = self._file, self._opened()
                    left.close()
                    self._ring.leave(final=False)
        except Exception as error:  # The inspection must hear of it, whatever it is, or it would wait for ever.
            self._ring.leave(final=True, error=in_one_line(error))

    def _waiting(self) -> int:
        """Bytes in the pipe, where its writer does not wait."""
        if not self.live:
            return 0
        try:
            found = array.array("i", [0])
            fcntl.ioctl(self._file.fileno(), termios.FIONREAD, found)
            return found[0]
        except (OSError, ValueError):
            # Closed meanwhile, or nothing that tells.
            return 0

    def _opened(self) -> io.FileIO:
        if self._path == "-":
            if sys.stdin is None:
                raise WoolError("standard input: is closed; give a pipe, a FIFO or a file with detector lines")
            return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
        try:
            # Without O_NONBLOCK, opening a FIFO would wait for its writer, and nothing could interrupt it.
            return open(self._path, "rb", buffering=0, opener=lambda *how: os.open(how[0], how[1] | os.O_NONBLOCK))
        except OSError as error:
            raise WoolError(f"{self._path}: cannot be opened ({error.strerror})") from None

    def _has_input(self) -> bool:
        if self.size is not None:
            return True
        poll = select.poll()
        poll.register(self._file, select.POLLIN)
        return bool(poll.poll(1e3 * POLL_SECONDS))

    def _read(self) -> bool:
        """Reads what is there; returns whether the writer is."""
        space = self._ring.space()
        if len(space):
            count = self._file.readinto(space)
            if count:
                self._has_lines = True
                self._ring.put(count, time.monotonic())
        elif not self.live:
            self._ring.wait_for_space(POLL_SECONDS)
            return True
        else:
            count = self._throw_away()
        return count is None or count > 0

    def _throw_away(self) -> int | None:
        """Reads while the ring is full."""
        while (wanted := self._ring.spill()) and not self._stopped.is_set():
            if not self._has_input():
                continue
            count = self._file.readinto(memoryview(self._spill)[:wanted])
            if not count:
                return count
            self._ring.spilt(count)
        return None


def _widen(pipe: int) -> None:
    """Gives a pipe more room; it is a reserve only, so what the system does not allow is not missed."""
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass
