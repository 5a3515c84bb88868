"""Percentiles of latencies, in as much memory after a year as after a minute."""

import math

import numpy as np

SHORTEST, LONGEST, STEP = 0.1, 1e7, 1.02
"""Milliseconds of the first and the last bin of a histogram, and from each to the next."""

_WIDTH = math.log(STEP)


class LatencyHistogram:
    """Latencies, of which percentiles are known to two per cent, and the longest."""

    def __init__(self) -> None:
        self._counts = np.zeros(int(np.log(LONGEST / SHORTEST) / np.log(STEP)) + 2, np.int64)
        self._longest = 0.0

    def add(self, milliseconds: float) -> None:
        number = 0 if milliseconds <= SHORTEST else 1 + int(math.log(milliseconds / SHORTEST) / _WIDTH)
        self._counts[min(number, len(self._counts) - 1)] += 1
        self._longest = max(self._longest, milliseconds)

    def summary(self) -> dict | None:
        """`p50`, `p95` and `max` in milliseconds; None if there were none."""
        total = int(self._counts.sum())
        if not total:
            return None
        sums = np.cumsum(self._counts)
        found = {}
        for percent in (50, 95):
            number = int(np.searchsorted(sums, total * percent / 100))
            found[f"p{percent}"] = round(min(float(SHORTEST * STEP**number), self._longest), 2)
        return {**found, "max": round(self._longest, 2)}
