"""Whether a belt stands whose lines come by time: then they show the same product over and over.

Two lines of an even product that moves differ by noise alone, as do two lines of one that stands. What tells them apart
is the product's texture: under a belt that stands, it stays where it is. So means of `BLOCK` lines are taken, less
their local mean across the belt and less what each element usually shows (streaks along the belt, dirt, errors of the
references), and `WINDOW` of them are compared, as in an analysis of variance: what they have in common must be more
than chance gives (`SIGMAS`), and what they differ by no more than the noise, which the lines themselves tell.

A product whose texture drowns in the noise, one that is the same along the belt, and the first `KNOWN` blocks of each
product tell nothing: then the belt may stand or move, and nobody can say which.
"""

import collections
from typing import NamedTuple

import numpy as np

from wool_board.belt.events import Alarms
from wool_board.belt.strip import BLOCK
from wool_board.image.flat_field import FlatField

WINDOW = 7
"""Blocks that are compared."""

SIGMAS = 5.0
"""Standard deviations above chance that what they have in common must be. Normally distributed, that is one window of
three million; `tests/board/belt/test_standstill.py` counts."""

STILL, MOVES = 1.3, 1.6
"""Variance from block to block, as a multiple of what noise alone gives, below which a product may stand, and above
which it moves."""

LEAST = 16
"""Elements that must show product for it to tell."""

SHOWS = 0.1
"""Attenuation above which an element shows product."""

WIDE = 15
"""Elements whose mean is taken off: what varies more slowly across the belt may be even along it."""

KNOWN, MEMORY = 8, 128
"""Blocks from which, at least and at most, it is known what an element usually shows."""

CAP = 6.6
"""How much one element may count: what 1 of 100 exceeds by chance, so that a speck of dirt decides nothing."""

REACH = 8
"""Elements beside each other whose noise may be alike."""

RECENT = 16
"""Blocks over which it is averaged how much they vary."""

UNCLEAR = 64
"""Blocks that tell nothing, one after the other, until that is an alarm."""


class MeanBlock(NamedTuple):
    """The mean of some lines.

    Attributes:
        detail: (n,) mean attenuation less its local mean.
        noise: (n,) variance of the mean, by the differences from line to line.
        expected: (n,) the same as the open beam has it.
        shows: (n,) whether product is there.
    """

    detail: np.ndarray
    noise: np.ndarray
    expected: np.ndarray
    shows: np.ndarray


class StandstillWatch:
    """Recognises by its lines that the belt stands, where only time triggers them.

    Arguments:
        correction: of the detector.
        alarms: are switched on and off.

    Attributes:
        lines: for which the belt stood; by so many lengths of a step, positions are too far.
    """

    def __init__(self, correction: FlatField, alarms: Alarms):
        self.lines = 0
        self._alarms, self._good = alarms, correction.good
        signal = np.maximum(correction.gain, 1)[self._good]
        self._spread = np.maximum(correction.spread[self._good], 0.3) / signal
        self._rest = np.empty((0, len(self._good)), np.float32)
        self._window: collections.deque[MeanBlock] = collections.deque(maxlen=WINDOW)
        self._usual = UsualDetail(len(self._good))
        self._varies, self._unclear = 1.0, 0

    def look(self, first: int, attenuation: np.ndarray) -> None:
        """Takes notice of the (n, width) attenuation of lines, the first of them line `first`."""
        rest = np.concatenate([self._rest, attenuation[:, self._good]])
        whole = len(rest) // BLOCK * BLOCK
        self._rest = rest[whole:]
        for lines in rest[:whole].reshape(-1, BLOCK, rest.shape[1]):
            self._add(self._block(lines), first)

    def _block(self, lines: np.ndarray) -> MeanBlock:
        mean = lines.mean(axis=0, dtype=np.float64)
        expected = (self._spread * np.exp(mean)) ** 2 / BLOCK
        # Samples are whole numbers, so noise may hide between two of them.
        noise = np.maximum((np.diff(lines, axis=0) ** 2).mean(axis=0) / (2 * BLOCK), expected / 100)
        shows = mean > SHOWS
        return MeanBlock(np.where(shows, mean - _local_mean(mean, shows), 0), noise, expected, shows)

    def _add(self, block: MeanBlock, line: int) -> None:
        stands = self._alarms.is_standing("belt_stopped")
        if np.count_nonzero(block.shows) < LEAST:
            # Of the next product, elements may usually show something else.
            self._window.clear()
            self._usual = UsualDetail(len(self._good))
            self._unclear = 0
            self._tell(False, line)
            return
        if len(self._window) == WINDOW and not stands:
            self._usual.add(self._window[0])
        self._window.append(block)
        common, varies, changed = self._compare() if len(self._window) == WINDOW else (0.0, 1.0, 1.0)
        chance = _deviation(int(np.count_nonzero(block.shows)))
        if stands:
            stands = changed < max(MOVES, 1 + SIGMAS * chance) and common > SIGMAS / 2
        else:
            stands = varies < STILL and common > SIGMAS
            self.lines += (WINDOW - 1) * BLOCK if stands else 0
            # Of one that varies a lot, what follows is to tell soon all the same.
            self._varies += (min(varies, 2 * MOVES) - self._varies) / RECENT
        self.lines += BLOCK if stands else 0
        self._tell(stands, line)
        # Of texture that varies so much, twice as much would be in common as is needed.
        self._look_whether_it_tells(stands or WINDOW * (self._varies - 1) > 2 * SIGMAS * chance, line)

    def _tell(self, stands: bool, line: int) -> None:
        text = "the product under the detector does not move: positions are too far by the length of the stop"
        self._alarms.set("belt_stopped", stands, text, line=line)

    def _look_whether_it_tells(self, tells: bool, line: int) -> None:
        self._unclear = 0 if tells else self._unclear + 1
        text = (
            "the product is too even to tell whether the belt moves: it may stand, and positions hold only if it moves"
        )
        if tells or self._unclear == UNCLEAR:
            self._alarms.set("belt_unclear", not tells, text, line=line)

    def _compare(self) -> tuple[float, float, float]:
        """How far what the blocks have in common is above chance, in standard deviations; how much they vary, as a
        multiple of the noise; and how much the last one differs from the one before."""
        blocks = list(self._window)
        noise = np.mean([block.noise for block in blocks], axis=0)
        varies = np.var([block.detail for block in blocks], axis=0, ddof=1) / noise
        shows = np.all([block.shows for block in blocks], axis=0)
        known = shows & (self._usual.blocks >= KNOWN)
        if np.count_nonzero(known) < LEAST:
            return 0.0, 1.0, 1.0
        # Where lines differ by more than noise, the texture is finer than a line is long, and moves.
        excess = float(np.mean(noise[shows] / np.mean([block.expected for block in blocks], axis=0)[shows]))
        varies = max(float(np.mean(varies[shows])), excess if excess > MOVES else 0.0)
        changed = float(np.mean((blocks[-1].detail - blocks[-2].detail)[shows] ** 2 / (2 * noise[shows])))
        common = np.mean([block.detail for block in blocks], axis=0) - self._usual.detail
        common /= np.sqrt(noise / WINDOW + self._usual.variance)
        return _above_chance(common[known], max(1.0, varies)), varies, changed


class UsualDetail:
    """What each element shows while nothing is known to stand.

    Attributes:
        detail: (n,) mean over blocks; the older ones count less.
        variance: (n,) of that mean.
        blocks: (n,) how many there were.
    """

    def __init__(self, elements: int):
        self.detail, self.blocks = np.zeros(elements), np.zeros(elements, np.int64)
        self._spread = np.zeros(elements)

    @property
    def variance(self) -> np.ndarray:
        spread = np.maximum(self._spread, self._spread[self.blocks > 0].mean() if self.blocks.any() else 0)
        # Blocks that follow each other may have some of the texture in common.
        return 2 * spread / np.clip(self.blocks, 1, MEMORY)

    def add(self, block: MeanBlock) -> None:
        """Takes notice of a block."""
        shows = block.shows
        self.blocks[shows] += 1
        weight = 1 / np.minimum(self.blocks[shows], MEMORY)
        change = block.detail[shows] - self.detail[shows]
        self.detail[shows] += weight * change
        self._spread[shows] = (1 - weight) * (self._spread[shows] + weight * change**2)


def _local_mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Of each element the mean over itself and its neighbours, of those that count; `WIDE` in all."""
    ones = np.ones(WIDE)
    return np.convolve(values * counts, ones, "same") / np.maximum(np.convolve(counts, ones, "same"), 1)


def _above_chance(common: np.ndarray, noise: float) -> float:
    """How far the mean square of standard normal numbers is above 1, in its standard deviations.

    Arguments:
        common: (n,) the numbers, of elements beside each other, so that neighbours may be alike.
        noise: by what they are noisier than that.
    """
    power = float(np.mean(common**2))
    if not power:
        return 0.0
    square = float(np.mean(np.minimum(common**2 / noise, CAP)))
    alike = sum(float(np.mean(common[:-lag] * common[lag:]) / power) ** 2 for lag in range(1, REACH + 1))
    return (square - 1) / _deviation(len(common) / (1 + 2 * alike))


def _deviation(count: float) -> float:
    """Standard deviation of the mean square of so many standard normal numbers."""
    return (2 / count) ** 0.5
