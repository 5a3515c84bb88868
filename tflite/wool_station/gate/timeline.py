"""Which lines of the belt are at the gate, and whether all of them are known to be good.

All is counted in lines of the belt. A gate opens for what it knows, and for nothing else: a line passes only if it
arrived while this was listening, all about it is decided, and neither a reject nor an `unseen` is about it.
"""

import bisect
import dataclasses
import math

from wool_board.errors import BadSetting
from wool_board.options import NEEDED, numbers, option
from wool_board.settings import check

REJECT, UNSEEN, UNKNOWN = "reject", "unseen", "unknown"
"""Why a lane does not pass: a reject is at the gate; belt that was not inspected; belt of which all is not known
yet, or no longer."""

ROUNDING = 0.0501
"""Millimetres: positions of events have one decimal."""

SLIP = 16
"""Lines by which the clock may go back, because the belt did; further back, positions mean something else."""


@dataclasses.dataclass(frozen=True)
class GateGeometry:
    """Where the gate is, and how far beyond its edges it acts.

    Raises:
        BadSetting: a value breaks its rule.
    """

    distance_mm: float = option(
        NEEDED, "Along the belt, from the detector to where the gate begins.", above=0, below=math.inf
    )
    width_mm: float = option(NEEDED, "Of the gate along the belt.", above=0, below=math.inf)
    lead_mm: float = option(
        50,
        "Belt before a reject for which the gate rejects already: what passes while it moves, and at least in 20 ms.",
        at_least=0,
        below=math.inf,
    )
    hold_mm: float = option(20, "Belt behind a reject for which the gate still rejects.", at_least=0, below=math.inf)
    lanes: tuple[tuple[float, float], ...] = option(
        (),
        "From where to where one of several gates reaches across the belt, in mm; may be given several times. By "
        "default there is one, over all of it.",
        form="FROM,TO",
        read=numbers("FROM,TO, for example 0,250", float, 2),
        name="lane",
        repeated=True,
    )

    def __post_init__(self) -> None:
        check(self)
        if self.lead_mm >= self.distance_mm:
            raise BadSetting("lead_mm", self.lead_mm, f"must be below `distance_mm`={self.distance_mm:g}")
        for left, right in self.lanes:
            if not 0 <= left < right < math.inf:
                raise BadSetting("lanes", (left, right), "must be FROM,TO in mm across the belt, 0 <= FROM < TO")

    @property
    def count(self) -> int:
        """Lanes."""
        return max(1, len(self.lanes))

    def window(self, line: int, pixel_mm: float) -> tuple[int, int]:
        """The lines that decide, the end exclusive, when all before `line` have arrived."""
        first = line - (self.distance_mm + self.width_mm + self.hold_mm) / pixel_mm
        return math.floor(first + 1e-6), math.ceil(line - (self.distance_mm - self.lead_mm) / pixel_mm - 1e-6)

    def touched(self, left_mm: float, right_mm: float) -> list[int]:
        """Numbers of the lanes that something across the belt lies in; all if it lies in none, or there is only one."""
        found = [number for number, (left, right) in enumerate(self.lanes) if left_mm < right and left < right_mm]
        return found or list(range(self.count))


class Spans:
    """Stretches of lines, joined where they overlap or touch."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, start: int, stop: int) -> None:
        """Adds lines, the end exclusive."""
        if stop <= start:
            return
        first = bisect.bisect_left(self._spans, start, key=lambda span: span[1])
        last = bisect.bisect_right(self._spans, stop, key=lambda span: span[0])
        if first < last:
            start, stop = min(start, self._spans[first][0]), max(stop, self._spans[last - 1][1])
        self._spans[first:last] = [(start, stop)]

    def touch(self, start: int, stop: int) -> bool:
        """Whether any of the lines, the end exclusive, is in here."""
        first = bisect.bisect_right(self._spans, start, key=lambda span: span[1])
        return first < len(self._spans) and self._spans[first][0] < stop

    def forget_before(self, line: int) -> None:
        """Forgets stretches that end before a line."""
        del self._spans[: bisect.bisect_right(self._spans, line, key=lambda span: span[1])]


class Timeline:
    """What is known of the belt from the detector to the gate.

    Arguments:
        geometry: of the gate.
        pixel_mm: of the belt from line to line.

    Attributes:
        line: before which all lines have arrived, or None before the first clock message.
        step: lines that the last clock message was further than the one before.
    """

    def __init__(self, geometry: GateGeometry, pixel_mm: float):
        self.line: int | None = None
        self.step = 0
        self._geometry, self._pixel_mm = geometry, pixel_mm
        self._known_from: int | None = None
        self._decided = 0
        self._rejects = [Spans() for _ in range(geometry.count)]
        self._unseen = Spans()

    def reject(self, along_mm: tuple[float, float], across_mm: tuple[float, float]) -> int:
        """Something is to be thrown out; returns how many lines of it have come to the gate already."""
        start, stop = self._lines(along_mm)
        for lane in self._geometry.touched(*across_mm):
            self._rejects[lane].add(start, stop)
        return self._late(start)

    def unseen(self, along_mm: tuple[float, float]) -> None:
        """Nobody looked at some lines."""
        self._unseen.add(*self._lines(along_mm))

    def forget(self) -> None:
        """Nothing of what has arrived so far is known any more."""
        self._known_from = None

    def advance(self, line: int, decided: int) -> None:
        """The belt is at a line, and all is decided of the lines before another."""
        before = line if self.line is None else self.line
        if line < before - SLIP:
            self.forget()
            before = line
        self.line = max(line, before)
        self.step, self._decided = self.line - before, decided
        if self._known_from is None:
            self._known_from = self.line
        first, _ = self._geometry.window(self.line, self._pixel_mm)
        for spans in (*self._rejects, self._unseen):
            spans.forget_before(first)

    def reasons(self) -> tuple[str | None, ...]:
        """For each lane why it must not pass; None if all at the gate is known to be good."""
        if self.line is None or self._known_from is None:
            return (UNKNOWN,) * self._geometry.count
        first, stop = self._geometry.window(self.line, self._pixel_mm)
        unseen = UNSEEN if self._unseen.touch(first, stop) else None
        unknown = None if self._known_from <= first and stop <= self._decided else UNKNOWN
        return tuple(REJECT if spans.touch(first, stop) else unseen or unknown for spans in self._rejects)

    def _lines(self, along_mm: tuple[float, float]) -> tuple[int, int]:
        """The lines that events can mean by rounded millimetres: exact unless lines are closer than those."""
        start, stop = along_mm
        return math.ceil((start - ROUNDING) / self._pixel_mm), math.floor((stop + ROUNDING) / self._pixel_mm)

    def _late(self, start: int) -> int:
        if self.line is None:
            return 0
        return max(0, self._geometry.window(self.line, self._pixel_mm)[1] - start)
