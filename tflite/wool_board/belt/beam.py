"""The open beam follows the tube: it is measured wherever nothing lies on the belt, and drift is told.

References are of one moment. A tube that warms up, ages or was set anew gives more or less X-ray than then, by which
all attenuation is wrong by the same number, the *level*: above 0 where there is less. Wool of attenuation 0.12 looks
like air under a beam that is 13 % brighter, so what is air is measured against the level, not against the references.

Nothing on the belt makes the beam brighter. So what is brighter than the open beam is believed at once. What is darker
may be product. It is followed slowly, by what still counts as air, but for one case: after an interruption (a start, a
beam that was off, no air for too long) a stretch that is even from end to end, as no wool is, tells the level.
"""

import math
from bisect import bisect_left, bisect_right

import numpy as np

from wool_board.belt.events import Alarms
from wool_board.belt.strip import BLOCK
from wool_board.image.flat_field import AIR, BRIGHTER

LIMIT = 0.25
"""The level is followed from `-LIMIT` to `LIMIT`: 28 % brighter and 22 % darker than the references."""

RATE = 1 / 32
"""Share of its distance from what is measured by which the level goes there in a block of lines that is all air."""

STEP = 0.005
"""The correction follows the level in steps, so that under a steady beam pixels are those of the references alone, the
very ones that networks are trained on."""

SETTLED = 4
"""Blocks of lines with air, after which the level is known."""

THIN = 0.06
"""Level above the beam's up to which lines may be empty, and only seem to have product: that is thinner nowhere in the
range of products, where all of a line is."""

UNEVEN = 32
"""Blocks of such lines, none of them air from end to end, after which it is an alarm: in a gap, the first ones are."""

DRIFT, STEADY = 0.05, 0.04
"""Level, up or down, above which drift is an alarm, and below which it is over."""

STILL_BRIGHT = BRIGHTER + 0.05
"""Level above which a beam is no longer too bright, if it was."""


class OpenBeam:
    """The level of the open beam, and what is remarkable about it.

    Arguments:
        width: elements of a line.
        black: attenuation from which on nothing is seen; lines of which most elements are darker show no beam.
        spacing: lines without any air, or with nothing but air, after which that is an alarm.
        alarms: are switched on and off.
        first: number of the first line.

    Attributes:
        level: attenuation of the open beam by the references.
        correction: attenuation that is to be taken off that by the references; within `STEP` of the level.
    """

    def __init__(self, width: int, black: float, spacing: int, alarms: Alarms, first: int = 0):
        self.level = self.correction = 0.0
        self._black, self._spacing, self._alarms = black, spacing, alarms
        self._columns = max(1, width // BLOCK)
        self._size = width // self._columns
        self._sum, self._count = np.zeros(width, np.float32), 0
        self._confirmed = 0
        """Blocks with air since the last interruption, at most `SETTLED`."""
        self._uneven = 0
        """Blocks of lines that are as good as empty since the last that was air from end to end."""
        self._air = self._product = first
        """Line behind the last that had some air; and some product; at first, the one before which nobody knows."""

    @property
    def percent(self) -> float:
        """How much brighter the beam is than in the references, in per cent."""
        return round(100 * math.expm1(-self.level), 1)

    def follow(self, first: int, attenuation: np.ndarray) -> None:
        """Takes notice of lines.

        Arguments:
            first: number of the first of them.
            attenuation: (n, width) by the references.
        """
        begin = 0
        if self._count:
            begin = min(BLOCK - self._count, len(attenuation))
            self._add(attenuation[:begin])
            if self._count == BLOCK:
                self._judge(self._levels(self._sum[None])[0], first + begin)
                self._restart()
        end = begin + (len(attenuation) - begin) // BLOCK * BLOCK
        sums = attenuation[begin:end].reshape(-1, BLOCK, attenuation.shape[1]).sum(axis=1)
        for number, levels in enumerate(self._levels(sums), start=1):
            self._judge(levels, first + begin + BLOCK * number)
        if end < len(attenuation):
            self._add(attenuation[end:])
        if abs(self.level - self.correction) > STEP:
            self.correction = round(self.level / STEP) * STEP
        self._tell(first + len(attenuation))

    def _restart(self) -> None:
        self._sum, self._count = np.zeros_like(self._sum), 0

    def _add(self, attenuation: np.ndarray) -> None:
        """Keeps lines until a block is full."""
        self._sum += attenuation.sum(axis=0)
        self._count += len(attenuation)

    def _levels(self, sums: np.ndarray) -> list[list[float]]:
        """Of the sums of each block of lines, the sorted medians of its blocks of elements: no element weighs much."""
        pixels = sums[:, : self._columns * self._size].reshape(len(sums), self._columns, self._size)
        middle = self._size // 2
        return np.sort(np.partition(pixels, middle, axis=2)[:, :, middle] / BLOCK, axis=1).tolist()

    def _judge(self, levels: list[float], stop: int) -> None:
        """Judges a block of lines, the last of them before line `stop`, by its levels."""
        # The second from either end, so that a chance among many blocks of elements decides nothing.
        spare = min(1, len(levels) - 1)
        lowest, highest = levels[spare], levels[-1 - spare]
        if levels[len(levels) // 2] > self._black:
            self._confirmed, self._air, self._product = 0, stop, stop
            return
        is_darker = self._confirmed < SETTLED and lowest > self.level + AIR and self._is_even(levels)
        if is_darker or -LIMIT <= lowest < self.level - AIR:
            alike = levels[bisect_left(levels, lowest) : bisect_left(levels, lowest + AIR)]
            self.level, self._confirmed = alike[len(alike) // 2], 0
        air = levels[bisect_right(levels, self.level - AIR) : bisect_left(levels, self.level + AIR)]
        if air:
            followed = self.level + RATE * (sum(air) - self.level * len(air)) / len(levels)
            self.level = min(max(followed, -LIMIT), LIMIT)
            self._confirmed, self._air = min(self._confirmed + 1, SETTLED), stop
        if len(air) == len(levels):
            self._uneven = 0
        elif levels[-1] < self.level + THIN:
            self._uneven += 1
        if highest > self.level + AIR:
            self._product = stop

    def _is_even(self, levels: list[float]) -> bool:
        return levels[-1] - levels[0] < AIR and levels[-1] < LIMIT

    def _tell(self, stop: int) -> None:
        drift = abs(self.level) > (STEADY if self._alarms.is_standing("beam_drift") else DRIFT)
        text = "the open beam is not that of the references: take new references"
        self._alarms.set("beam_drift", drift, text, percent=self.percent, line=stop)
        silent = stop - self._air > self._spacing
        if silent:
            self._confirmed = 0
        self._alarms.set("no_air", silent, "no air for longer than products follow each other", line=self._air)
        # A board of the detector that drifts by itself makes air product, on that board or on all others.
        text = "empty lines are not air from end to end: part of the detector drifts, or something thin lies on it"
        self._alarms.set("uneven_air", self._uneven >= UNEVEN, text, line=stop)
        text = "nothing but air for longer than products follow each other: is there no product?"
        self._alarms.set("only_air", stop - self._product > self._spacing, text, line=self._product)
