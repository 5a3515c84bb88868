"""Times works that take turns, so that whatever slows the machine down slows all of them, and compares them.

One thread is timed by the processor time of the process, which other work on the machine changes little; more threads
by the clock on the wall, since threads that wait for each other use no processor.
"""

import time
from collections.abc import Callable, Mapping

import numpy as np

PERCENTILES = (50, 90, 99)
SETTLING = 2
"""Runs at the start of a turn that are not timed: in them a work fetches its data into the caches again."""
FEWEST = 3
"""Timed runs in a turn; more, where more are needed to fill it."""


class Times:
    """What a work took.

    Attributes:
        milliseconds: (rounds, runs) of the clock that ratios are taken from.
        wall: the same of the clock on the wall.
    """

    def __init__(self, milliseconds: np.ndarray, wall: np.ndarray):
        self.milliseconds, self.wall = milliseconds, wall

    @property
    def median(self) -> float:
        """Milliseconds of a run."""
        return float(np.median(self.milliseconds))

    def divided(self, number: int) -> "Times":
        """The times of one of several things that a run does at once."""
        return Times(self.milliseconds / number, self.wall / number)

    def figures(self) -> dict:
        """Percentiles in milliseconds, those of the clock on the wall beside them, and the number of runs."""
        found = _percentiles(self.milliseconds, "ms") | _percentiles(self.wall, "wall_ms")
        return found | {"runs": int(self.milliseconds.size)}

    def compared(self, reference: "Times") -> dict:
        """How many times as fast as a reference, in each round by medians: the median of rounds, and the quartiles."""
        ratios = np.median(reference.milliseconds, axis=1) / np.median(self.milliseconds, axis=1)
        low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()
        return {"ratio": round(middle, 4), "quartiles": [round(low, 4), round(high, 4)]}


def measure(
    works: Mapping[str, Callable[[], object]], threads: int, rounds: int, turn_seconds: float
) -> dict[str, Times]:
    """Times works in turns.

    Arguments:
        works: by name, what a run is.
        threads: that a run uses.
        rounds: turns of each work, at least 1.
        turn_seconds: length of a turn, about; at least `FEWEST` runs are timed in one.

    Returns:
        The times of each work by its name.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    counts = {name: _runs(work, turn_seconds) for name, work in works.items()}
    found: dict[str, list] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            for _ in range(SETTLING):
                work()
            found[name].append([_timed(work, clock) for _ in range(counts[name])])
    arrays = {name: np.array(values) for name, values in found.items()}
    return {name: Times(values[..., 0], values[..., 1]) for name, values in arrays.items()}


def _runs(work: Callable[[], object], seconds: float) -> int:
    """How many runs fill a turn."""
    for _ in range(SETTLING):
        work()
    started = time.perf_counter()
    work()
    return max(FEWEST, int(seconds / (time.perf_counter() - started)))


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> tuple[float, float]:
    started, began = clock(), time.perf_counter()
    work()
    return 1e3 * (clock() - started), 1e3 * (time.perf_counter() - began)


def _percentiles(values: np.ndarray, unit: str) -> dict[str, float]:
    found = np.percentile(values, PERCENTILES).round(4).tolist()
    return {f"p{percent}_{unit}": value for percent, value in zip(PERCENTILES, found, strict=True)}
