"""Which lines are broken: begun by one writer and ended by another, or begun in the middle.

Nothing in a stream of lines says where one begins. But each element of a detector has a gain of its own, by which the
references divide. Where a line is out of place, the division leaves that pattern in it, turned over, instead of taking
it out: so the pattern is looked for in every line, and in parts of it. It is found as far as elements differ by more
than the product does from one to the next; lines of a detector whose elements are all alike cannot be checked.
"""

import numpy as np

from wool_board.image.flat_field import BRIGHTER, FlatField

PART = 160
"""Elements that are looked at together, and twice, four times as many …, and all; parts overlap by half."""

MISSING = 0.5
"""Share of the pattern from which on it is missing: 0 in a line that is in its place, 1 where it is out of it."""

SIGMAS = 5.7
"""Standard deviations by which it must be: 1 part of 170 million by chance, where texture is normally distributed."""

ALIKE = 1.4
"""By what chance deviates more than if neighbours were independent: what is compared are differences of neighbours, in
lines and pattern alike. Of white noise they have correlations of -2/3 and 1/6, and this is the root of
1 + 2 ((2/3)² + (1/6)²)."""

ROUGH = 0.1
"""Difference of an element's attenuation from its neighbours' as no product has it but at its edges. Where bytes are
exchanged, samples are anything, and most elements have it."""

AROUND = 16
"""Lines around a broken one that are not believed: one in which a few elements are wrong is not found, but the line
that has the others is near. One that was looked at already, when a broken one comes next, stays believed."""


TOPPED = 8
"""Samples with the highest value of a line, at least, if that is the end of the range, where they have no pattern."""

CERTAIN = 4.0
"""How many times its noise the pattern must be: the references' noise is left in every line, wherever that is."""


class LineCheck:
    """Looks whether lines are in their place.

    Arguments:
        correction: of the detector.
    """

    def __init__(self, correction: FlatField):
        good = np.zeros(len(correction.gain), bool)
        good[correction.good] = True
        # What is made of neighbours has no pattern of its own, nor have those beside it one that is theirs alone.
        sound = good & np.roll(good, 1) & np.roll(good, -1)
        gain = np.where(good, np.maximum(correction.gain, 1), 1)
        pattern = np.where(sound, _detail(np.log(gain)[np.newaxis])[0], 0)
        # A few elements that differ much are not to decide.
        scale = np.median(np.abs(pattern[sound])) if sound.any() else 0.0
        pattern = np.clip(pattern, -5 * scale, 5 * scale).astype(np.float32)
        if pattern.std() < CERTAIN * _noise(correction):
            pattern[:] = 0
        self._pattern, self._parts = pattern, _parts(len(gain))
        self._sizes = self._parts.sum(axis=0)
        self._left_out: tuple[int, ...] = ()
        self._is_left_out = np.zeros(len(gain), bool)
        self._weights, self._power = self._weighed(self._is_left_out)
        self._since = AROUND
        """Lines since the last one that was broken, at most so many."""

    def leave_out(self, elements: tuple[int, ...]) -> None:
        """From now on passes over elements that are ill, and not repaired: they have their pattern no longer."""
        if elements != self._left_out:
            self._left_out = elements
            self._is_left_out = np.isin(np.arange(len(self._pattern)), elements)
            self._weights, self._power = self._weighed(self._is_left_out)

    def broken(self, lines: np.ndarray, attenuation: np.ndarray) -> np.ndarray:
        """(n,) whether lines are broken, or near one that is.

        Arguments:
            lines: (n, width) counts.
            attenuation: (n, width) of them.
        """
        detail = _detail(attenuation)
        # Of a tube that became brighter, lines are as smooth as before.
        rough = (np.abs(detail) > ROUGH).astype(np.float32) @ self._parts > 0.5 * self._sizes
        anything = rough & ((attenuation < BRIGHTER).astype(np.float32) @ self._parts > 0.2 * self._sizes)
        detail = np.clip(detail, -ROUGH, ROUGH)
        lacks: np.ndarray = np.any(self._lacks_pattern(detail, self._weights, self._power), axis=1)
        for line in np.flatnonzero(lacks).tolist():
            topped = lines[line] == lines[line].max()
            if np.count_nonzero(topped) >= TOPPED:
                lacks[line] = self._lacks_pattern(detail[line : line + 1], *self._weighed(topped)).any()
        return self._with_lines_around(anything.any(axis=1) | lacks)

    def _weighed(self, passed_over: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(width, parts) the pattern in each part, and (parts,) its power, without some elements and those beside."""
        beside = np.convolve(passed_over | self._is_left_out, np.ones(3), "same") > 0
        pattern = np.where(beside, 0, self._pattern)
        return self._parts * pattern[:, np.newaxis], (pattern**2) @ self._parts

    def _lacks_pattern(self, detail: np.ndarray, weights: np.ndarray, power: np.ndarray) -> np.ndarray:
        """(n, parts) whether the pattern is missing."""
        # Attenuation is the logarithm of the gain less that of the line, so what is left of the pattern is turned over.
        left = detail @ weights
        square = (detail**2) @ self._parts
        # Of what is not the pattern itself.
        rest = np.maximum(square * power - left**2, 0)
        deviation = ALIKE * np.sqrt(rest / self._sizes)
        # Samples that are all alike, as at the end of their range, have no pattern, neither their own nor another.
        has_one = power - 2 * left + square > power / 4
        return (left > MISSING * power) & (left > SIGMAS * deviation) & has_one

    def _with_lines_around(self, found: np.ndarray) -> np.ndarray:
        near = np.convolve(found, np.ones(2 * AROUND + 1), "full")[AROUND : AROUND + len(found)] > 0.5
        near[: max(0, AROUND - self._since)] = True
        last = np.flatnonzero(found)
        self._since = min(AROUND, len(found) - 1 - int(last[-1]) if len(last) else self._since + len(found))
        return near


def _noise(correction: FlatField) -> float:
    """Standard deviation of the references' noise in what `_detail` makes of the logarithm of the gain."""
    good = correction.good
    if not correction.lines or not len(good):
        return np.inf
    relative = np.median(correction.spread[good] / np.maximum(correction.gain[good], 1))
    return float(relative) * (1.5 / correction.lines) ** 0.5


def _parts(width: int) -> np.ndarray:
    """(width, parts) 1 where an element belongs to a part."""
    spans, size = [(0, width)], PART
    while size < width:
        spans += [(start, start + size) for start in (*range(0, width - size, size // 2), width - size)]
        size *= 2
    starts, stops = np.array(spans).T
    elements = np.arange(width)[:, np.newaxis]
    return ((elements >= starts) & (elements < stops)).astype(np.float32)


def _detail(lines: np.ndarray) -> np.ndarray:
    """By how much each element differs from the mean of its neighbours; at the ends, from its only one."""
    padded = np.pad(lines, ((0, 0), (1, 1)), mode="reflect")
    return lines - (padded[:, :-2] + padded[:, 2:]) / 2
