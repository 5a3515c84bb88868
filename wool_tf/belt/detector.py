"""A detector: lines come at an even speed into a FIFO, whether anybody takes them or not."""

import os
import time
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


class DetectorStream(Background):
    """Writes lines in a thread of its own as long as the context lasts, or until all are written.

    Arguments:
        belt: what passes, over and over if it has less lines.
        fifo: is made.
        lines_per_second: of the belt.
        lines: how many; None: until the end of the context.

    Attributes:
        fifo: that the lines come through.
        openings: seconds of the monotonic clock and number of the first line, of each reader that there was.
        longest_write: seconds for which a reader held it up, at most.
        stood: seconds for which the belt stood, because this process was not let run.
    """

    def __init__(self, belt: Belt, fifo: Path, lines_per_second: float, lines: int | None):
        super().__init__()
        os.mkfifo(fifo)
        self.fifo = fifo
        self.openings: list[tuple[float, int]] = []
        self.longest_write = self.stood = 0.0
        self._belt, self._rate, self._lines = belt, lines_per_second, lines or ENDLESS
        self._seconds: list[float] = []
        self._counts: list[int] = []
        self._writing: int | None = None

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
                self._put(chunk.tobytes(), total)
                total += len(chunk)
                self._note(time.monotonic(), total)
        finally:
            self._close()

    def _note(self, seconds: float, count: int) -> None:
        self._seconds.append(seconds)
        self._counts.append(count)

    def _put(self, content: bytes, number: int) -> None:
        """Writes lines, the first of which is line `number`; where nobody reads, they are lost."""
        before = time.monotonic()
        try:
            if self._writing is None:
                self._writing = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
                os.set_blocking(self._writing, True)
                self.openings.append((before, number))
            left = memoryview(content)
            while left:
                left = left[os.write(self._writing, left) :]
        except OSError:
            # Nobody has opened it, or whoever had is gone; what is left in it goes with the last end.
            self._close()
        self.longest_write = max(self.longest_write, time.monotonic() - before)

    def _close(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
        self._writing = None
