"""What passes under the detector on a day in short: the beam drifts, elements die, and the belt stands."""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from wool_tf.belt.layout import Belt
from wool_tf.data.annotations.scans import Box

STOP_LINES = 1500
"""Lines for which the belt stands."""
STOP_PART = 256
STEADY = 8
"""Lines whose mean is what a product that stands shows."""


@dataclasses.dataclass(frozen=True)
class Hour:
    """What happens in an hour, which is some passes of the belt.

    Attributes:
        brightness: of the beam at its begin and at its end, as multiples of the references'.
        elements: of elements that are ill, what becomes of their counts.
        begins: what happens to the program at its begin: "", "terminate", "kill", "full disk" or "slow reader".
        stop: lines for which the belt stands in the middle of a product, while lines go on to come.
    """

    brightness: tuple[float, float]
    elements: dict[int, str]
    begins: str = ""
    stop: int = 0

    def begin(self, belt: Belt) -> int:
        """Line of the hour before which the belt stands."""
        middle = len(belt.scans) // 2
        return belt.starts[middle] + belt.scans[middle].lines // 2

    def lines(self, belt: Belt, passes: int) -> int:
        """Lines that come in the hour."""
        return passes * belt.lines + self.stop

    def boxes(self, belt: Belt, passes: int) -> list[Box]:
        """The defects that pass in the hour; one that stands under the detector is as long as the stop."""
        moved = [(turn * belt.lines, box) for turn in range(passes) for box in belt.boxes]
        return [
            dataclasses.replace(box, y0=self._place(box.y0 + shift, belt), y1=self._place(box.y1 + shift, belt))
            for shift, box in moved
        ]

    def _place(self, line: int, belt: Belt) -> int:
        return line + self.stop if line >= self.begin(belt) else line


def plan(width: int) -> list[Hour]:
    """Eight hours: a tube that drifts, three elements that die, a belt that stands twice, two restarts, a kill, a slow
    reader and a full disk."""
    dead, noisy, stuck = {width // 5: "dead"}, {width // 2: "noisy"}, {4 * width // 5: "stuck"}
    return [
        Hour((0.9, 1.0), {}),
        Hour((1.0, 1.03), {}, "terminate"),
        Hour((1.03, 1.13), dead, stop=STOP_LINES),
        Hour((1.13, 1.13), dead, "kill"),
        Hour((1.13, 1.06), dead | noisy),
        Hour((1.06, 1.0), dead | noisy, "slow reader"),
        Hour((1.0, 0.97), dead | noisy | stuck, "full disk"),
        Hour((0.97, 0.97), dead | noisy | stuck, "terminate", STOP_LINES),
    ]


def counts(belt: Belt, hour: Hour, passes: int, size: int) -> Iterator[np.ndarray]:
    """The lines of an hour, in arrays of `size` or less."""
    dark = belt.dark.mean(axis=0)
    rng, total, done = np.random.default_rng(0), hour.lines(belt, passes), 0
    for lines in _passing(belt, hour, passes, rng):
        for start in range(0, len(lines), size):
            counts = lines[start : start + size]
            share = (done + np.arange(len(counts))) / total
            bright = hour.brightness[0] + share * (hour.brightness[1] - hour.brightness[0])
            seen = dark + (counts - dark) * bright[:, None]
            for element, illness in hour.elements.items():
                seen[:, element] = _ill(illness, seen[:, element], float(dark[element]), rng)
            done += len(counts)
            yield np.clip(np.rint(seen), 0, np.iinfo(counts.dtype).max).astype(counts.dtype)


def _passing(belt: Belt, hour: Hour, passes: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The lines of a detector that nothing is wrong with, in arrays of any length."""
    begin, done = hour.begin(belt) if hour.stop else -1, 0
    for lines in itertools.chain.from_iterable(belt.counts() for _ in range(passes)):
        if done <= begin < done + len(lines):
            cut = begin - done
            yield lines[:cut]
            # What stands shows the same but for the noise, which the bright reference tells.
            shown = lines[max(0, cut - STEADY) : cut + 1].mean(axis=0)
            noise = belt.bright.std(axis=0)
            for start in range(0, hour.stop, STOP_PART):
                part = rng.normal(shown, noise, (min(STOP_PART, hour.stop - start), len(shown)))
                yield np.clip(np.rint(part), 0, np.iinfo(lines.dtype).max).astype(lines.dtype)
            yield lines[cut:]
        else:
            yield lines
        done += len(lines)


def _ill(illness: str, counts: np.ndarray, dark: float, rng: np.random.Generator) -> np.ndarray:
    """What an element gives that ought to give some counts."""
    if illness == "dead":
        return rng.normal(dark, 20, len(counts))
    if illness == "noisy":
        return counts + rng.normal(0, 0.2 * float(np.mean(abs(counts))), len(counts))
    return np.full(len(counts), 8000.0)
