"""A detector: lines come at an even speed into a FIFO, whether anybody takes them or not."""

import fcntl
import os
import struct
import termios
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wool_tf.belt import streaming
from wool_tf.belt.background import Background
from wool_tf.belt.layout import Belt

CHUNK_SECONDS = 0.002
"""From one write to the next: a detector gives line by line, and of what comes in bunches positions are not exact."""

LATE_SECONDS = 0.01
"""By which this may be late, and catch up. If it is not let run for longer, the belt stood meanwhile: no belt moves in
leaps, and nothing could follow them."""

ENDLESS = 1 << 62


class LineTimes(NamedTuple):
    """How many lines a detector had given, and when, in seconds of the monotonic clock: (n,) arrays."""

    seconds: np.ndarray
    lines: np.ndarray

    def at(self, seconds: float) -> float:
        """Lines by a time, in between as at an even speed."""
        return float(np.interp(seconds, self.seconds, self.lines))


class Fifo:
    """A FIFO that is written whether anybody reads it or not.

    Arguments:
        path: is made.

    Attributes:
        openings: seconds of the monotonic clock and number of the first line, of each reader that there was.
    """

    def __init__(self, path: Path):
        os.mkfifo(path)
        self.openings: list[tuple[float, int]] = []
        self._path = path
        self._end: int | None = None

    def write(self, content: bytes, number: int) -> None:
        """Writes lines, the first of which is line `number`; where nobody reads, they are lost."""
        began = time.monotonic()
        try:
            if self._end is None:
                self._end = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
                os.set_blocking(self._end, True)
                self.openings.append((began, number))
            left = memoryview(content)
            while left:
                left = left[os.write(self._end, left) :]
        except OSError:
            # Nobody has opened it, or whoever had is gone; what is left in it goes with the last end.
            self.close()

    @property
    def waiting(self) -> int:
        """Bytes that were written and not read."""
        if self._end is None:
            return 0
        return struct.unpack("i", fcntl.ioctl(self._end, termios.FIONREAD, bytes(4)))[0]

    def close(self) -> None:
        if self._end is not None:
            os.close(self._end)
        self._end = None


def first_lines(began: Sequence[float], openings: Iterable[tuple[float, int]]) -> dict[int, int]:
    """The first line that each reader was given, by its number; none of readers that were given none.

    Arguments:
        began: when each reader began, in seconds of the monotonic clock.
        openings: see `Fifo`.
    """
    found: dict[int, int] = {}
    for moment, line in openings:
        found.setdefault(sum(start <= moment for start in began) - 1, line)
    return found


class DetectorStream(Background):
    """Writes lines in a thread of its own as long as the context lasts, or until all are written.

    Arguments:
        belt: what passes, over and over if it has less lines.
        fifo: is made.
        lines_per_second: of the belt.
        lines: how many; None: until the end of the context.

    Attributes:
        fifo: that the lines come through.
        openings: see `Fifo`.
        longest_write: seconds for which a reader held it up, at most.
        stood: seconds for which the belt stood, because this process was not let run.
    """

    def __init__(self, belt: Belt, fifo: Path, lines_per_second: float, lines: int | None):
        super().__init__()
        self.fifo, self._pipe = fifo, Fifo(fifo)
        self.openings = self._pipe.openings
        self.longest_write = self.stood = 0.0
        self._belt, self._rate, self._lines = belt, lines_per_second, lines or ENDLESS
        self._seconds: list[float] = []
        self._counts: list[int] = []

    @property
    def written(self) -> LineTimes:
        """The lines that came, and when."""
        count = len(self._counts)
        return LineTimes(np.array(self._seconds[:count]), np.array(self._counts, float))

    def _run(self) -> None:
        began, total = time.monotonic(), 0
        self._note(began, 0)
        try:
            for chunk in streaming.chunks(self._belt, max(1, round(self._rate * CHUNK_SECONDS)), self._lines):
                late = time.monotonic() - began - (total + len(chunk)) / self._rate
                time.sleep(max(0.0, -late))
                if late > LATE_SECONDS:
                    began, self.stood = began + late, self.stood + late
                    self._note(time.monotonic(), total)
                if self._ended.is_set():
                    break
                before = time.monotonic()
                self._pipe.write(chunk.tobytes(), total)
                self.longest_write = max(self.longest_write, time.monotonic() - before)
                total += len(chunk)
                self._note(time.monotonic(), total)
        finally:
            self._pipe.close()

    def _note(self, seconds: float, count: int) -> None:
        self._seconds.append(seconds)
        self._counts.append(count)
