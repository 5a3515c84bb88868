"""Summaries of an inspection: what passed, what was found, how fast."""

import dataclasses
import math
import time
from collections.abc import Callable

from wool_board.belt.events import Events
from wool_board.belt.latency_histogram import LatencyHistogram
from wool_board.machine import board
from wool_board.options import option

COUNTS = ("tiles", "defective", "rejects", "unseen_lines", "lost_lines", "thinned")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SummaryOptions:
    """When summaries are told, for programs to take over (`settings.same`)."""

    report_seconds: float = option(60, "Time from summary to summary.", above=0, below=math.inf)


class Report:
    """Counts what happens, and tells it now and then and at the end.

    Arguments:
        events: is told.
        seconds: from one summary to the next.
        mm: turns lines into millimetres.
    """

    def __init__(self, events: Events, seconds: float, mm: Callable[[float], float]):
        self._events, self._seconds, self._mm = events, seconds, mm
        self._counts = dict.fromkeys(COUNTS, 0)
        self._began = self._told = time.monotonic()
        self._lines_before = self._tiles_before = self._slowest = 0
        self._all, self._recent = LatencyHistogram(), LatencyHistogram()

    def count(self, name: str, number: int) -> None:
        """So many more of one of `COUNTS`."""
        self._counts[name] += number

    def tile(self, defective: bool, latency_ms: float) -> None:
        """The network looked at a tile."""
        self.count("tiles", 1)
        self.count("defective", int(defective))
        self._all.add(latency_ms)
        self._recent.add(latency_ms)

    def reject(self, last: bool, lines: int) -> None:
        """A reject, or a part of one, was told when so many lines had come since its start."""
        self.count("rejects", int(last))
        self._slowest = max(self._slowest, lines)

    def is_due(self) -> bool:
        return time.monotonic() - self._told >= self._seconds

    def tell(self, final: bool, lines: int, stop: int, **fields: object) -> None:
        """Tells a summary.

        Arguments:
            final: whether it is about the whole inspection; others are about the time since the one before, but for
                counts, which always go on.
            lines: that have arrived.
            stop: line of the belt that comes next.
            fields: that it has besides.
        """
        now = time.monotonic()
        began, before, tiles = self._told, self._lines_before, self._tiles_before
        if final:
            began, before, tiles = self._began, 0, 0
        seconds = max(now - began, 1e-9)
        self._events.tell(
            "summary",
            final=final,
            seconds=round(now - self._began, 1),
            lines=lines,
            along_mm=self._mm(stop),
            **self._counts,
            lines_per_second=round((lines - before) / seconds, 1),
            tiles_per_second=round((self._counts["tiles"] - tiles) / seconds, 1),
            latency_ms=(self._all if final else self._recent).summary(),
            reject_latency_mm=self._mm(self._slowest),
            peak_memory_mb=board.peak_memory_mb(),
            **fields,
        )
        self._events.flush()
        self._told, self._lines_before, self._tiles_before = now, lines, self._counts["tiles"]
        self._recent = LatencyHistogram()
