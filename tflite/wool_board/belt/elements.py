"""Elements that die while the inspection runs are found, told, and repaired as those that the references show.

Each element is compared with its neighbours over a span of lines, by the rules for references: its signal and its
noise. A median over neighbours keeps the edges of a product, and only what is narrower than half of them stands out.
So that whole groups of elements that die stand out as well, and those at the ends of the detector, each is also
compared with itself in the references: it must have a signal, and in air no more noise than then.

Under product, texture adds to the noise, but to that of neighbours alike, and a median over lines leaves out single
strands and pellets. So where product is even across the belt, an element that has far greater steps from line to line
than its neighbours, time and again, is noisy as well. At an edge, torn fibres make such steps: there it is not told.
"""

import dataclasses

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from wool_board.belt.events import Alarms
from wool_board.image.flat_field import AIR, FlatField
from wool_board.image.neighbours import local_median
from wool_board.image.references import GAIN, MAX_RUN, NOISE

NEIGHBOURS = 9
"""Elements, itself in the middle, whose median an element is compared with."""

GONE = 0.1
"""Share of its neighbours' signal below which an element is dead at once."""

SPANS = 4
"""Spans for which a signal must be outside of `GAIN` before its element is dead: not a strand in the product. So many
more with lines outside of it than without make an element noisy that is well in between."""

FINE = 2
"""Spans for which nothing must be wrong with an element before it is no longer repaired."""

NOISE_LINES = 32
"""Lines that are enough to tell three times the noise from chance."""

MEDIAN_STEP = 0.954
"""Median size of the differences from line to line where noise is normally distributed, in standard deviations of a
line: few steps, as of a product that begins, do not change it."""

WIDE = 31
"""Elements, itself in the middle, whose noise an element's is compared with under product: fifteen that are noisy side
by side are still told, but seven at an end of the detector."""

EVEN = 1.5
"""How many times the least of the signals of these the greatest may be, at most, if product is even there."""

EVERY = 4
"""From so many spans one is looked at for noise under product, to spare time; `SPANS` of them must show it."""

CHANGES = 8
"""Counts by which the elements move over a span, in the median, if one that stands still is remarkable."""

HELD = 16
"""Lines of one count over and over that no working element has, if its noise is no less than `LEAST_NOISE` counts: of
rounded normal numbers so many are equal once in 10^11. One that is held time and again is as good as noisy."""

LEAST_NOISE = 2.0

FLAWS = ("stuck", "dead", "noisy", "flickering")
NAMED = 16
"""Elements that an alarm names at most."""


@dataclasses.dataclass(frozen=True)
class Span:
    """Some lines that are judged together.

    Attributes:
        mean: (width,) counts.
        low, high: (width,) lowest and highest count.
        sample: (n, width) counts, the first of the lines.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    sample: np.ndarray


class ElementWatch:
    """Knows which elements to repair.

    Arguments:
        correction: of the references.
        alarms: are switched on and off.

    Attributes:
        correction: with the elements to be repaired at present.
        unrepaired: indices of elements that are ill, too many side by side to be repaired.
    """

    def __init__(self, correction: FlatField, alarms: Alarms):
        self.correction = self._first = correction
        self.unrepaired: tuple[int, ...] = ()
        self._alarms, self._good = alarms, correction.good
        self._dark, self._gain = correction.dark[self._good], correction.gain[self._good]
        self._noise = np.maximum(correction.spread[self._good], 1)
        # The floor is three times the noise in the dark, less than which there is nowhere.
        self._quiet = correction.floor * float(np.median(self._gain)) / 3
        width = len(self._good)
        self._weak = np.zeros(width, int)
        """Spans in a row for which elements had a wrong signal."""
        self._flickers = np.zeros(width, int)
        """Spans with lines outside of `GAIN`, less those without, since there were none more."""
        self._spans, self._restless = 0, np.zeros(width, int)
        """Spans under product in a row for which elements were too noisy."""
        self._fine = {name: np.full(width, FINE) for name in FLAWS}
        """Spans in a row that showed that a flaw was not there."""
        self._flaws = {name: np.zeros(width, bool) for name in FLAWS}
        self._flawed = np.zeros(width, bool)

    @property
    def ill(self) -> dict[str, list[int]]:
        """The elements that are ill, besides those of the references, by what is wrong with them."""
        return {name: self._good[flaw].tolist() for name, flaw in self._flaws.items() if flaw.any()}

    def resume(self, ill: dict[str, list[int]]) -> None:
        """Goes on with elements that were ill before; those that are no longer are found to be, as any other."""
        for name in FLAWS:
            self._flaws[name] = np.isin(self._good, ill.get(name, []))
            self._fine[name] = np.where(self._flaws[name], 0, FINE)
        self._flawed = np.logical_or.reduce(list(self._flaws.values()))
        if self._flawed.any():
            self._repair(self._flawed, {})

    def judge(self, span: Span, level: float, where: dict) -> None:
        """Judges the elements by some lines.

        Arguments:
            span: the lines.
            level: attenuation of the open beam.
            where: which lines they are, for alarms.
        """
        signal, around, in_air = self._compared(span.mean, level)
        wrong = (signal < GAIN[0] * around) | (in_air & (signal > GAIN[1] * around))
        self._weak = np.where(wrong, self._weak + 1, 0)
        strays = np.where(self._strays(span, level) & ~wrong, 1, -1)
        self._flickers = np.clip(self._flickers + np.where(self._is_held(span), 2 * SPANS, strays), 0, 2 * SPANS)
        moved = (span.high - span.low)[self._good]
        # Of each flaw, where it is, and where it can be told at all.
        found = {
            "stuck": (moved <= self._quiet, np.median(moved) >= CHANGES),
            "dead": ((signal < np.maximum(GONE * around, self._first.floor)) | (self._weak >= SPANS), True),
            "noisy": self._noisy_anywhere(span.sample.astype(np.float32), level),
            "flickering": (self._flickers >= SPANS, True),
        }
        for name, (there, told) in found.items():
            self._fine[name] = np.where(there & told, 0, self._fine[name] + told)
            self._flaws[name] = (there & told) | (self._flaws[name] & (self._fine[name] < FINE))
        flawed = np.logical_or.reduce(list(self._flaws.values()))
        if (flawed != self._flawed).any():
            self._flawed = flawed
            self._repair(flawed, where)

    def _compared(self, counts: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of mean counts the elements' signals, their neighbours' medians, and whether they lie in air."""
        signal = np.maximum((counts[self._good].astype(np.float32) - self._dark) / self._gain, 1e-6)
        around = local_median(signal, NEIGHBOURS)
        return signal, around, _beside(around) > np.exp(-AIR - max(level, 0))

    def _strays(self, span: Span, level: float) -> np.ndarray:
        """Which elements have lines that are far below their neighbours' lowest, or far above the open beam."""
        low, lowest, _ = self._compared(span.low, level)
        high, highest, _ = self._compared(span.high, level)
        return (low < GAIN[0] * lowest) | (high > GAIN[1] * np.maximum(highest, np.exp(-level)))

    def _is_held(self, span: Span) -> np.ndarray:
        """Which elements have one count over and over, not at their highest, while most others do not."""
        blocks = span.sample[: len(span.sample) // HELD * HELD, self._good].reshape(-1, HELD, len(self._good))
        high = blocks.max(axis=1)
        moved = high - blocks.min(axis=1)
        held = (moved <= self._quiet // 4) & (high < span.high[self._good])
        return (held & (np.median(moved, axis=1) >= CHANGES)[:, np.newaxis]).any(axis=0) & (self._quiet >= LEAST_NOISE)

    def _noisy_anywhere(self, lines: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Which elements are too noisy, and for which that can be told: in air at once, under product over time."""
        in_air, told_in_air = self._noisy(lines[:NOISE_LINES], level)
        self._spans += 1
        if self._spans % EVERY:
            return in_air, told_in_air
        noisy, told = self._noisy_in_product(lines)
        self._restless = np.where(told, np.where(noisy, self._restless + 1, 0), self._restless)
        # Meanwhile it is neither ill nor well: one that a restart found ill is not to be taken for well.
        told &= (self._restless == 0) | (self._restless >= SPANS)
        return np.where(told_in_air, in_air, self._restless >= SPANS), told_in_air | told

    def _noisy_in_product(self, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which elements have far greater steps than their neighbours, and where these see alike."""
        signal = (lines[:, self._good] - self._dark) / self._gain
        steps = np.median(np.abs(signal[1:] - signal[:-1]), axis=0)
        around = np.maximum(local_median(steps, WIDE), MEDIAN_STEP / self._gain)
        smooth = np.maximum(local_median(signal.mean(axis=0), NEIGHBOURS), self._first.floor)
        windows = sliding_window_view(np.pad(smooth, WIDE // 2, mode="reflect"), WIDE)
        return steps > NOISE * around, windows.max(axis=1) < EVEN * windows.min(axis=1)

    def _noisy(self, lines: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Which elements are too noisy in air, and for which that can be told: not at the edge of a product."""
        # From line to line, so that a product that moves past is no noise.
        steps = lines[1:] - lines[:-1]
        spread = np.sqrt(np.einsum("ij,ij->j", steps, steps)[self._good] / (2 * len(steps)))
        if spread.max() <= NOISE * max(spread.min(), 1) and not self._flaws["noisy"].any():
            # What no element has, none has more than its neighbours: that spares the medians nearly always.
            return np.zeros(len(spread), bool), np.zeros(len(spread), bool)
        _, _, in_air = self._compared(lines.mean(axis=0), level)
        noisy = spread > NOISE * np.maximum(local_median(spread, NEIGHBOURS), 1)
        return noisy | (in_air & self._noisier_than_before(steps, in_air)), in_air

    def _noisier_than_before(self, steps: np.ndarray, in_air: np.ndarray) -> np.ndarray:
        """Which elements are noisier than in the references, by more than most of those in air are."""
        ratio = np.median(np.abs(steps[:, self._good]), axis=0) / MEDIAN_STEP / self._noise
        return ratio > NOISE * max(1.0, float(np.median(ratio[in_air])) if in_air.any() else 1.0)

    def _repair(self, flawed: np.ndarray, where: dict) -> None:
        every = np.zeros(len(self._first.gain), bool)
        every[[*self._first.bad, *self._good[flawed]]] = True
        beyond = _long_runs(every)
        self.unrepaired = tuple(np.flatnonzero(beyond).tolist())
        bad = tuple(sorted({*self._first.bad, *np.flatnonzero(every & ~beyond).tolist()}))
        if bad != self.correction.bad:
            self.correction = self._first if bad == self._first.bad else dataclasses.replace(self._first, bad=bad)
        flaws = {name: self._good[flaw] for name, flaw in self._flaws.items()} | {
            "long": self._good[beyond[self._good]]
        }
        flaws["noisy"] = np.union1d(flaws["noisy"], flaws["flickering"])
        about = {name: {"elements": found[:NAMED].tolist(), **where} for name, found in flaws.items()}
        text = "elements stand still while others change: take new references"
        self._alarms.set("stuck_elements", len(flaws["stuck"]) > 0, text, **about["stuck"])
        text = "elements have lost their signal: take new references"
        self._alarms.set("dead_elements", len(flaws["dead"]) > 0, text, **about["dead"])
        text = "elements are far noisier than their neighbours: take new references"
        self._alarms.set("noisy_elements", len(flaws["noisy"]) > 0, text, **about["noisy"])
        text = f"more than {MAX_RUN} bad elements side by side cannot be repaired: service"
        self._alarms.set("unrepaired_elements", len(flaws["long"]) > 0, text, **about["long"])


def _beside(medians: np.ndarray) -> np.ndarray:
    """The lower of the medians of an element's neighbours on its left and on its right."""
    away = NEIGHBOURS // 2 + 1
    padded = np.pad(medians, away, mode="edge")
    return np.minimum(padded[: len(medians)], padded[2 * away :])


def _long_runs(flawed: np.ndarray) -> np.ndarray:
    """Which of the flawed elements have too many flawed neighbours to be repaired."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flawed, [False]]).astype(np.int8))).reshape(-1, 2)
    found = np.zeros_like(flawed)
    for start, stop in edges:
        found[start:stop] = stop - start > MAX_RUN
    return found
