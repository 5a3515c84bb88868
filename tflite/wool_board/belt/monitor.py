"""Whether the lines are what the detector should give: alarms for what no network would notice.

A detector that hangs, a tube that went off or references that do not belong to it still give lines, and lines of
another width still give pictures; what the network says of them means nothing.
"""

import numpy as np

from wool_board.belt.beam import STILL_BRIGHT, OpenBeam
from wool_board.belt.elements import ElementWatch, Span
from wool_board.belt.events import Alarms
from wool_board.image import saturation
from wool_board.image.flat_field import BRIGHTER, BRIGHTER_SHARE, FlatField
from wool_board.image.neighbours import local_median
from wool_board.image.scan_files import LineFormat

SPAN = 256
"""Lines that are judged together."""

SAMPLE = 64
"""Lines that are enough to judge by at the end, and that are looked at for their width."""

STUCK_LINES = 16
"""Noise makes every line differ from the one before; so many alike are no working detector's."""

SATURATED_SHARE = 0.01
"""Lines with more than this share of samples at the end of the detector's range are saturated."""

OPEN = 0.9
"""Share of the open beam of the references above which the range of a detector may end, as it did not in them."""

NEIGHBOURS = 5
"""Elements whose median is taken off a line: what is left differs from element to element, as no edge of wool does."""

ALIKE = 0.4
"""Correlation of what is left with the same of the references below which lines are not of this detector, or not of
this width. Simulated scans have 0.8 and more, lines of a wrong width below 0.1."""

OUTLIER = 5.0
"""How many times the median of a pattern's elements may one of them weigh."""

CERTAIN = 4.0
"""How many times its noise the references' pattern must be to judge lines by it."""

PERIODIC = 0.05
"""Autocorrelation of a sample of lines from which on it tells their width; chance gives below 0.02."""


class Monitor:
    """Watches the lines.

    Arguments:
        correction: of the detector.
        layout: of its lines.
        window: attenuation shown white and black.
        beam: which has followed the lines before the monitor looks at them.
        alarms: are switched on and off.

    Attributes:
        elements: what knows which of them to repair.
        knows_pattern: whether the references show a pattern by which the width can be checked.
    """

    def __init__(
        self, correction: FlatField, layout: LineFormat, window: tuple[float, float], beam: OpenBeam, alarms: Alarms
    ):
        self._correction, self._black, self._beam, self._alarms = correction, window[1], beam, alarms
        self.elements = ElementWatch(correction, alarms)
        self._good = correction.good
        gain = np.maximum(correction.gain, 1)
        self._pattern = _pattern(gain)[self._good]
        noise = np.median(correction.spread[self._good] / gain[self._good]) / np.sqrt(correction.lines)
        self.knows_pattern = bool(self._pattern.std() > CERTAIN * noise)
        self._sample = np.empty((SAMPLE, layout.width), layout.dtype)
        self._last: np.ndarray | None = None
        self._same = 0
        self._restart()

    def look(self, first: int, lines: np.ndarray, attenuation: np.ndarray) -> None:
        """Takes notice of lines.

        Arguments:
            first: number of the first of them.
            lines: (n, width) counts.
            attenuation: (n, width) of them.
        """
        self._look_for_repeats(first, lines)
        begin = 0
        while begin < len(lines):
            stop = min(begin + SPAN - self._count, len(lines))
            self._add(lines[begin:stop], attenuation[begin:stop])
            if self._count == SPAN:
                self._judge(first + stop)
            begin = stop

    def finish(self, stop: int) -> None:
        """Judges the last lines, before line `stop`, if they are not too few."""
        if self._count >= SAMPLE:
            self._judge(stop)

    def _restart(self) -> None:
        self._count = self._brighter = 0
        self._top = self._at_top = self._close = 0
        self._topped: set[int] = set()
        """The highest count of a span; how many samples have it, and come close to it; and which elements have it."""
        width = self._sample.shape[1]
        self._sum, self._attenuation = np.zeros(width), np.zeros(width)
        self._low, self._high = np.full(width, np.inf), np.full(width, -np.inf)

    def _add(self, lines: np.ndarray, attenuation: np.ndarray) -> None:
        room = self._sample[self._count :]
        room[: len(lines)] = lines[: len(room)]
        self._count += len(lines)
        self._sum += lines.sum(axis=0, dtype=np.uint32)
        self._attenuation += attenuation.sum(axis=0)
        high = lines.max(axis=0)
        self._low, self._high = np.minimum(self._low, lines.min(axis=0)), np.maximum(self._high, high)
        self._brighter += int(np.count_nonzero(attenuation < BRIGHTER))
        self._look_at_top(lines, high)

    def _look_at_top(self, lines: np.ndarray, high: np.ndarray) -> None:
        """Counts the samples at the highest value and close to it; `high` has the highest of each element."""
        high = high[self._good]
        top = int(high.max())
        if top > self._top:
            self._top, self._at_top, self._close, self._topped = top, 0, 0, set()
        least = self._top - saturation.reach(self._top)
        near = self._good[high >= least]
        if len(near):
            samples = lines[:, near]
            at_top = int(np.count_nonzero(samples == self._top))
            self._at_top += at_top
            self._close += int(np.count_nonzero(samples >= max(least, 0))) - at_top
            self._topped.update(self._good[high == self._top].tolist())

    def _look_for_repeats(self, first: int, lines: np.ndarray) -> None:
        previous = lines[:1] if self._last is None else self._last
        differs = np.empty(len(lines), bool)
        differs[0] = self._last is None or (lines[0] != previous[0]).any()
        differs[1:] = (lines[1:] != lines[:-1]).any(axis=1)
        self._last = lines[-1:].copy()
        # Each run of equal lines begins with one that differs from the line before it.
        begins = np.flatnonzero(differs)
        begins = np.concatenate([[-self._same], begins])
        runs = np.diff([*begins, len(lines)])
        self._same, longest = int(runs[-1]), runs.argmax()
        text = f"the detector hangs: {STUCK_LINES} lines or more are all alike"
        self._alarms.set("stuck_lines", bool(runs[longest] >= STUCK_LINES), text, line=first + int(begins[longest]))

    def _judge(self, stop: int) -> None:
        """Judges the lines since the last time, the last of them before line `stop`."""
        where = {"lines": [stop - self._count, stop]}
        pixels = self._count * len(self._sum)
        dark = bool(np.median(self._attenuation) / self._count > self._black)
        self._alarms.set("dark_beam", dark, "most elements see hardly any X-ray: is the tube on?", **where)
        # Under a product that covers the beam it is as bright as before.
        still = self._alarms.is_standing("bright_beam") and self._beam.level < STILL_BRIGHT
        bright = still or self._brighter > BRIGHTER_SHARE * pixels
        text = "brighter than the open beam of the references: are these its references?"
        self._alarms.set("bright_beam", bool(bright), text, **where)
        varies = bool((self._high > self._low).any())
        top = self._saturation(pixels, varies)
        saturated = top is not None or (varies and self._are_cut(self._sample[: self._count]))
        text = "many samples are at the top of their range"
        self._alarms.set("saturated", saturated, text, top=self._top if top is None else top, **where)
        if self.knows_pattern and not dark:
            self._judge_pattern(where)
        if not dark and not self._alarms.is_standing("wrong_pattern"):
            span = Span(self._sum / self._count, self._low, self._high, self._sample[: self._count])
            self.elements.judge(span, self._beam.level, where)
        self._restart()

    def _are_cut(self, sample: np.ndarray) -> bool:
        """Whether many samples are at an end that each element has of its own; only in a beam that is nearly open."""
        open_beam = sample.max(axis=0) > self._correction.dark + OPEN * self._correction.gain
        at_top = saturation.own_plateaus(sample, self._correction.spread)
        return int(at_top[open_beam].sum()) > SATURATED_SHARE * sample.size

    def _saturation(self, pixels: int, varies: bool) -> int | None:
        """The end of the range where many samples are at it; None where they are not.

        Arguments:
            pixels: number of the samples since the last time.
            varies: whether any element had two different counts.
        """
        found = self._at_top, self._close, len(self._topped)
        if self._at_top > SATURATED_SHARE * pixels:
            return self._top if saturation.is_end(self._top, self._sample.dtype, *found, varies) else None
        # Hot elements and marks hide an end below them; what is kept of the lines shows it.
        samples = self._sample[: self._count, self._good]
        level = saturation.level(saturation.histogram(samples))
        if level is None:
            return None
        at_level = samples == level
        share, elements = int(np.count_nonzero(at_level)), int(at_level.any(axis=0).sum())
        close = int(np.count_nonzero((samples >= level - saturation.reach(level)) & (samples < level)))
        is_end = saturation.is_end(level, self._sample.dtype, share, close, elements, varies)
        return level if is_end and share > SATURATED_SHARE * samples.size else None

    def _judge_pattern(self, where: dict) -> None:
        signal = np.maximum(self._sum / self._count - self._correction.dark, 1)
        shown = _pattern(signal)[self._good]
        alike = _correlation(shown, self._pattern)
        text = "the lines do not fit the references element by element: another detector, a wrong width or lost bytes?"
        found = {}
        if alike < ALIKE:
            found = {"correlation": round(alike, 3), "seems_width": seems_width(self._sample[: self._count])}
        self._alarms.set("wrong_pattern", alike < ALIKE, text, **found, **where)


def seems_width(sample: np.ndarray) -> int | None:
    """How many elements lines seem to have, from the distance at which their samples repeat; None if they do not.

    Arguments:
        sample: (lines, width) counts, cut into lines at a width that may be wrong.
    """
    values = sample.ravel().astype(np.float64)
    # What changes slowly repeats at every distance a little.
    values -= np.convolve(values, np.full(31, 1 / 31), "same")
    size = 1 << (2 * len(values) - 1).bit_length()
    power = np.abs(np.fft.rfft(values, size)) ** 2
    repeats = np.fft.irfft(power, size)[: len(values) // 4]
    repeats = repeats / np.arange(len(values), len(values) - len(repeats), -1) * len(values)
    if repeats[0] <= 0:
        return None
    repeats, shortest = repeats / repeats[0], NEIGHBOURS * 6
    most = repeats[shortest:].max()
    if most < PERIODIC:
        return None
    first = shortest + int(np.flatnonzero(repeats[shortest:] > 0.8 * most)[0])
    return first + int(repeats[first : first + 3].argmax())


def _pattern(signal: np.ndarray) -> np.ndarray:
    """What differs from element to element in a line."""
    logarithm = np.log(signal)
    return logarithm - local_median(logarithm, NEIGHBOURS)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two patterns, in which no single element weighs much."""
    one, other = (np.clip(values, *(np.array([-OUTLIER, OUTLIER]) * np.median(abs(values)))) for values in (one, other))
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / scale) if scale else 0.0
