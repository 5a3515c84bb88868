"""What the gate did, in figures."""

import collections
import time

from wool_board.belt.latency_histogram import LatencyHistogram


class GateReport:
    """Counts, from the start on.

    Arguments:
        seconds: from one summary to the next.
        lead_mm: beyond that, what passes from one clock message to the next is a jump.
    """

    def __init__(self, seconds: float, lead_mm: float):
        self._seconds, self._lead = seconds, lead_mm
        self._began = self._told = time.monotonic()
        self._counts = dict.fromkeys(("clocks", "jumps", "late", "rejects", "unseen", "feed_lost"), 0)
        self._longest = 0.0
        self._latency = LatencyHistogram()
        self._belt: list[collections.defaultdict[str, float]] = []

    def count(self, name: str) -> None:
        """One more of something."""
        self._counts[name] += 1

    def clock(self, step_mm: float, age: float, reasons: tuple[str | None, ...]) -> None:
        """A clock message has come, so many seconds after the belt was there, and the output was asked for."""
        self.count("clocks")
        self._longest = max(self._longest, step_mm)
        if step_mm > self._lead:
            self.count("jumps")
        self._latency.add(1e3 * age)
        self._belt = self._belt or [collections.defaultdict(float) for _ in reasons]
        for passed, reason in zip(self._belt, reasons, strict=True):
            passed[reason or "pass"] += step_mm

    def is_due(self) -> bool:
        return time.monotonic() - self._told >= self._seconds

    def fields(self) -> dict:
        """The fields of a summary; from now on, the next one is not due."""
        self._told = time.monotonic()
        belt = [{name: round(mm, 1) for name, mm in sorted(lane.items())} for lane in self._belt]
        return {
            "seconds": round(self._told - self._began, 1),
            **self._counts,
            "longest_step_mm": round(self._longest, 1),
            "clock_age_ms": self._latency.summary(),
            "belt_mm": belt,
        }
