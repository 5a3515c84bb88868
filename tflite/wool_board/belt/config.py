"""How a belt is inspected."""

import dataclasses

from wool_board.belt.rows import GAP
from wool_board.belt.strip import BLOCK
from wool_board.belt.tiles import Tiling
from wool_board.image.scan_files import LineFormat

LINES_PER_SECOND = 1250.0
"""Of the detector at full speed, where nothing else is said: 1 m/s of 0.8 mm."""


@dataclasses.dataclass(frozen=True)
class InspectionConfig:
    """How to inspect.

    Attributes:
        layout: of the lines.
        window: attenuation shown white and black.
        pixel_mm: distance of lines, and of elements.
        part: lines that a reject may be long before it is told in parts.
        latency: lines that may arrive from the start of a reject to its event, above `shortest_latency`. None: all
            of them, because the writer can wait.
        spacing: lines without any air, or with nothing but air, after which that is an alarm.
        stall_seconds: time without a line after which an alarm is given; None: never.
        report_seconds: time from summary to summary.
        first: number of the first line, above 0 where this inspection follows another.
        position: what a line says of the place of the belt, one of `motion.POSITIONS`.
        count_mm: of the belt from one count of its encoder to the next, with `count`.
    """

    layout: LineFormat
    window: tuple[float, float]
    pixel_mm: float
    part: int
    latency: int | None
    spacing: int
    stall_seconds: float | None
    report_seconds: float
    first: int
    position: str
    count_mm: float

    def mm(self, pixels: float) -> float:
        """A length in millimetres, as events have it."""
        return round(pixels * self.pixel_mm, 1)

    def span(self, start: int, stop: int) -> list[float]:
        """From where to where, in millimetres."""
        return [self.mm(start), self.mm(stop)]

    def line(self, mm: float) -> float:
        """The line, and part of a line, that a length ends at; whole where `pixel_mm` times a whole number gave it."""
        return round(mm / self.pixel_mm, 6)

    def backlog(self, tiling: Tiling) -> int | None:
        """Lines that may wait behind the tiles that are looked at, so that the latency is kept; None: all."""
        return None if self.latency is None else self.latency - shortest_latency(tiling, self.part)


def shortest_latency(tiling: Tiling, part: int) -> int:
    """Lines that may arrive from the start of a reject to its event even if no line ever waits."""
    # The reject itself, the row that shows its end, lines that tell whether the product goes on, the time for that row.
    return part + tiling.seen + max(tiling.margin, GAP + BLOCK) + tiling.seen
