"""Whether a line of the detector is a step of the belt: by the belt's encoder, by its counts, or by time alone.

Lines that an encoder triggers are each a step further. Lines that come by time are so only while the belt runs at its
speed. Where the encoder's count comes with each line, lines are chosen by it; where there is none, `standstill` tells
as far as the product does.
"""

import math
from typing import Any

import numpy as np

from wool_board.belt.events import Alarms
from wool_board.belt.strip import BLOCK
from wool_board.image.scan_files import LineFormat

POSITIONS = ("encoder", "time", "count")
"""Lines triggered by the encoder; by time; and by time, each with the encoder's count behind its samples."""

COUNT = np.dtype("<u4")
"""An encoder's count, which starts over from 0 when it is full."""

MOST_STEPS = 8
"""Steps that one line may stand for; the belt is too fast for its lines if they are more than one."""

JUMP = MOST_STEPS
"""Steps from one line to the next, on or back, beyond which no belt goes: the encoder was set anew, or a count is
damaged. A belt that seemed to jump on and back would lose the lines between."""


def with_counts(layout: LineFormat, position: str) -> LineFormat:
    """How lines come that have a count behind their samples, where they have one."""
    extra = COUNT.itemsize // layout.dtype.itemsize if position == "count" else 0
    return LineFormat(layout.width + extra, layout.type)


class EncoderCounts:
    """Chooses lines by the encoder's counts, so that there is one for each step of the belt.

    A belt that stands, creeps or goes back gives lines that are left out until it is further than ever.

    Arguments:
        width: samples before the count.
        step: counts from one line to the next.
        alarms: are switched on and off.

    Attributes:
        left_out: lines since the start.
    """

    def __init__(self, width: int, step: float, alarms: Alarms):
        self.left_out = 0
        self._width, self._step, self._alarms = width, step, alarms
        self._last: int | None = None
        self._position = 0
        self._next = 0.0
        """Count of the last line, of all since the first, and from which on the next line is chosen."""
        self._lost = 0
        """Lines that were lost since the last one."""

    def choose(self, lines: np.ndarray) -> np.ndarray:
        """Indices of the lines that are chosen, of (n, width and count); of one that stands for several, repeated."""
        counts = np.ascontiguousarray(lines[:, self._width :]).view(COUNT)[:, 0].astype(np.int64)
        before = counts[:1] if self._last is None else [self._last]
        moved = _moved(np.diff(counts, prepend=before))
        likely = np.ones(len(counts))
        likely[0] += self._lost
        jumps = np.abs(moved) > (JUMP - 1 + likely) * self._step
        if jumps.any():
            # Else a belt that runs would seem to stand until it is further than the jump.
            text = "the encoder's count jumped as no belt does; counted as one step"
            self._alarms.once("encoder_jump", text, counts=int(moved[jumps][0]))
            moved[jumps] = np.rint(likely * self._step)[jumps]
        positions = self._position + np.cumsum(moved)
        self._last, self._position, self._lost = int(counts[-1]), int(positions[-1]), 0
        furthest = np.maximum.accumulate(np.maximum(positions, self._next - self._step))
        steps = np.floor((furthest - self._next) / self._step).astype(np.int64) + 1
        each = np.maximum(np.diff(steps, prepend=0), 0)
        self._next += self._step * float(each.sum())
        self.left_out += int(np.count_nonzero(each == 0))
        text = "the belt is faster than lines come: they are stretched to keep their places"
        self._alarms.set("too_fast", bool((each > 1).any()), text)
        text = "the belt stands, or goes back: lines are left out"
        self._alarms.set("belt_stopped", bool(len(each) >= BLOCK and not each[-BLOCK:].any()), text)
        return np.repeat(np.arange(len(lines)), each)

    def pass_over(self, lines: int) -> None:
        """So many lines were lost, and count as one step each: the belt's place is that many steps further.

        If it did not move as far, the lines that follow are left out until it has.
        """
        if self._last is not None:
            self._next += lines * self._step
            self._lost += lines

    def mark(self) -> tuple[int | None, int, float]:
        """Where the belt is after the lines that `choose` has had, for `ahead`."""
        return self._last, self._position, self._next

    def ahead(self, mark: tuple[int | None, int, float], line: np.ndarray) -> int:
        """How many lines will be chosen behind a mark up to some later line, (width and count).

        May be called by any thread.
        """
        last, position, following = mark
        if last is None:
            return 0
        position += _moved(int(line[self._width :].view(COUNT)[0]) - last)
        return max(0, math.floor((position - following) / self._step) + 1)


def _moved(difference: Any) -> Any:
    """How far an encoder has moved, of the difference of two counts, which start over from 0: a number or an array."""
    half = 1 << (8 * COUNT.itemsize - 1)
    return (difference + half) % (2 * half) - half
