"""Elements that die while the inspection runs are found, told, and repaired as those that the references show.

Each element is compared with its neighbours over a span of lines, by the rules for references: its signal and its
noise. A median over neighbours keeps the edges of a product, and only what is narrower than half of them stands out.
"""

import dataclasses

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from wool_board.belt.events import Alarms
from wool_board.image.flat_field import AIR, Correction
from wool_board.image.references import GAIN, MAX_RUN, NOISE

NEIGHBOURS = 9
"""Elements, itself in the middle, whose median an element is compared with."""

GONE = 0.1
"""Share of its neighbours' signal below which an element is dead at once."""

SPANS = 4
"""Spans for which a signal must be outside of `GAIN` before its element is dead: not a strand in the product."""

FINE = 2
"""Spans for which nothing must be wrong with an element before it is no longer repaired."""

CHANGES = 8
"""Counts by which the elements move over a span, in the median, if one that stands still is remarkable."""

NAMED = 16
"""Elements that an alarm names at most."""


@dataclasses.dataclass(frozen=True)
class Span:
    """Some lines that are judged together.

    Attributes:
        mean: (width,) counts.
        moved: (width,) highest less lowest count.
        sample: (n, width) counts, the first of the lines.
    """

    mean: np.ndarray
    moved: np.ndarray
    sample: np.ndarray


class ElementWatch:
    """Knows which elements to repair.

    Arguments:
        correction: of the references.
        alarms: are switched on and off.

    Attributes:
        correction: with the elements to be repaired at present.
    """

    def __init__(self, correction: Correction, alarms: Alarms):
        self.correction = self._first = correction
        self._alarms, self._good = alarms, correction.good
        self._dark, self._gain = correction.dark[self._good], correction.gain[self._good]
        width = len(self._good)
        self._weak, self._fine = np.zeros(width, int), np.full(width, FINE)
        """Spans in a row for which elements had a wrong signal; and for which nothing was wrong with them."""
        self._flaws = {name: np.zeros(width, bool) for name in ("stuck", "dead", "noisy")}

    def judge(self, span: Span, level: float, where: dict) -> None:
        """Judges the elements by some lines.

        Arguments:
            span: the lines.
            level: attenuation of the open beam.
            where: which lines they are, for alarms.
        """
        signal = np.maximum((span.mean[self._good] - self._dark) / self._gain, 1e-6)
        around = _median(signal)
        in_air = -np.log(np.minimum(_beside(signal), 1)) < AIR + max(level, 0)
        wrong = (signal < GAIN[0] * around) | (in_air & (signal > GAIN[1] * around))
        self._weak = np.where(wrong, self._weak + 1, 0)
        moved = span.moved[self._good]
        found = {
            "stuck": (moved == 0) & (np.median(moved) >= CHANGES),
            "dead": (signal < GONE * around) | (self._weak >= SPANS),
            "noisy": in_air & self._is_noisy(span.sample),
        }
        self._fine = np.where(np.any(list(found.values()), axis=0), 0, self._fine + 1)
        for name, now in found.items():
            self._flaws[name] = now | (self._flaws[name] & (self._fine < FINE))
        self._repair(where)

    def _is_noisy(self, sample: np.ndarray) -> np.ndarray:
        # From line to line, so that a product that moves past is no noise.
        steps = np.diff(sample[:, self._good].astype(np.float32), axis=0).std(axis=0) / np.sqrt(2)
        return steps > NOISE * np.maximum(_median(steps), 1)

    def _repair(self, where: dict) -> None:
        flawed = np.zeros(len(self._first.gain), bool)
        flawed[list(self._first.bad)] = True
        flawed[self._good[np.any(list(self._flaws.values()), axis=0)]] = True
        beyond = _long_runs(flawed)
        bad = tuple(sorted({*self._first.bad, *np.flatnonzero(flawed & ~beyond).tolist()}))
        if bad != self.correction.bad:
            self.correction = dataclasses.replace(self._first, bad=bad)
        self._set("stuck_elements", self._flaws["stuck"], "elements stand still while others change", where)
        self._set("dead_elements", self._flaws["dead"], "elements have lost their signal", where)
        self._set("noisy_elements", self._flaws["noisy"], "elements are far noisier than their neighbours", where)
        text = f"more than {MAX_RUN} elements side by side, which cannot be repaired: service"
        self._set("unrepaired_elements", beyond[self._good], text, where)

    def _set(self, name: str, flawed: np.ndarray, text: str, where: dict) -> None:
        elements = self._good[flawed][:NAMED].tolist()
        self._alarms.set(name, bool(elements), f"{text}: take new references", elements=elements, **where)


def _median(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, NEIGHBOURS // 2, mode="reflect")
    return np.median(sliding_window_view(padded, NEIGHBOURS), axis=1)


def _beside(values: np.ndarray) -> np.ndarray:
    """The lower of the medians of an element's neighbours on its left and on its right."""
    half = NEIGHBOURS // 2
    medians = np.median(sliding_window_view(np.pad(values, half, mode="reflect"), half), axis=1)
    return np.minimum(medians[: len(values)], medians[half + 1 :])


def _long_runs(flawed: np.ndarray) -> np.ndarray:
    """Which of the flawed elements have too many flawed neighbours to be repaired."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flawed, [False]]).astype(np.int8))).reshape(-1, 2)
    found = np.zeros_like(flawed)
    for start, stop in edges:
        found[start:stop] = stop - start > MAX_RUN
    return found
