"""How well the rejects of a belt hit the defects that are marked on it."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from wool_station.events import JudgedEvent
from wool_tf import records
from wool_tf.belt.layout import Belt
from wool_tf.belt.streaming import StreamRun
from wool_tf.data.annotations.scans import Box


@dataclasses.dataclass(frozen=True)
class DefectCounts:
    """Marked defects: how many passed, and of how many a tile and a reject hold the middle of the box."""

    boxes: int
    looked_at: int
    found: int


@dataclasses.dataclass(frozen=True)
class Percentiles:
    """The median, the 95th percentile and the most of some values, in their unit."""

    p50: float
    p95: float
    max: float


@dataclasses.dataclass(frozen=True)
class StatedLatency:
    """How long after its start a reject is told at the latest, as the program states: `mm` of belt, and `ms`."""

    mm: float
    ms: float


@dataclasses.dataclass(frozen=True)
class InspectionStart:
    """What figures need of the program's first event.

    Attributes:
        pixel_mm: from line to line.
        stated_latency: None where lines may wait.
        levels_mm: from tile to tile, along and across, at each level of overlap.
    """

    pixel_mm: float
    stated_latency: StatedLatency | None
    levels_mm: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class InspectionSummary:
    """What figures need of the program's last event.

    Attributes:
        tiles: that the network looked at.
        latency_ms: of tiles, or None without any.
        lost_lines: that it could not take.
        thinned: how often the overlap of tiles was thinned.
        along_mm: how far the belt is.
        peak_memory_mb: by its own account.
    """

    tiles: int
    latency_ms: Percentiles | None
    lost_lines: int
    thinned: int
    along_mm: float
    peak_memory_mb: float


@dataclasses.dataclass(frozen=True)
class MemoryUse:
    """Mean and most of a program's memory in a part of a run, in MB (10⁶ bytes)."""

    mean: float
    max: float


@dataclasses.dataclass(frozen=True)
class MemoryQuarters:
    """A program's memory in the first and in the last quarter of a run."""

    first: MemoryUse
    last: MemoryUse


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramFigures:
    """How the program kept up in a run.

    Attributes:
        lines: that were written.
        lines_per_second: of these.
        tiles: that the network looked at.
        tile_latency_ms: of tiles, or None without any.
        stated_latency: None where lines may wait.
        reject_latency_mm, reject_latency_ms: from the start of a reject to its being told, or None without any.
        late: rejects that came later than stated.
        unseen_mm: length of what nobody looked at.
        lost_lines: that the program could not take.
        forgotten_mm: length of what no event accounts for.
        thinned: how often the overlap of tiles was thinned.
        thinnest: the thinnest level of overlap that was used, and the thinnest that there is.
        alarms: names of those that there were, sorted.
        longest_write_ms: for which the pipe held the writer up, at most.
        peak_memory_mb: of the program, by its own account.
        memory_mb: None of a short run.
    """

    lines: int
    lines_per_second: float
    tiles: int
    tile_latency_ms: Percentiles | None
    stated_latency: StatedLatency | None
    reject_latency_mm: Percentiles | None
    reject_latency_ms: Percentiles | None
    late: int
    unseen_mm: float
    lost_lines: int
    forgotten_mm: float
    thinned: int
    thinnest: tuple[int, int]
    alarms: tuple[str, ...]
    longest_write_ms: float
    peak_memory_mb: float
    memory_mb: MemoryQuarters | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class InspectionFigures(ProgramFigures):
    """How well the rejects of a run hit the defects. Stretches that several rejects name count once.

    Attributes:
        product_m: metres of product that passed.
        defects: by type, and `all`.
        rejects: that were told.
        false_rejects: that touch no box of a visible defect, per metre of product.
        false_mm: length of these, per metre of product.
        rejected_share: of the product's length.
    """

    product_m: float
    defects: dict[str, DefectCounts]
    rejects: int
    false_rejects: float
    false_mm: float
    rejected_share: float


def judge(belt: Belt, run: StreamRun) -> InspectionFigures:
    """The figures of a run in which the belt passed once."""
    said, pixel = run.said, _start(run).pixel_mm
    rejects = [_area(event, pixel) for event in said.rejects]
    defects = count_defects(belt.boxes, [_area(tile, pixel) for tile in said.tiles or ()], rejects)
    if defects:
        defects["all"] = DefectCounts(*map(sum, zip(*map(dataclasses.astuple, defects.values()), strict=True)))
    true = {event.reject for event, area in zip(said.rejects, rejects, strict=True) if _is_true(area, belt.boxes)}
    false = [area for event, area in zip(said.rejects, rejects, strict=True) if event.reject not in true]
    metres = belt.product_lines * pixel / 1000
    numbers = {event.reject for event in said.rejects}
    return InspectionFigures(
        product_m=round(metres, 2),
        defects=dict(sorted(defects.items())),
        rejects=len(numbers),
        false_rejects=round((len(numbers) - len(true)) / metres, 4),
        false_mm=round(_length(false) * pixel / metres, 2),
        rejected_share=round(_length(rejects) * pixel / 1000 / metres, 4),
        **vars(program_figures(run)),
    )


def count_defects(boxes: Iterable[Box], tiles: Sequence[Box], rejects: Sequence[Box]) -> dict[str, DefectCounts]:
    """Marked defects by type, among tiles that were looked at and rejects that were told."""
    found: dict[str, list[tuple[bool, bool]]] = collections.defaultdict(list)
    for box in boxes:
        found[box.defect or ""].append((_holds_middle(tiles, box), _holds_middle(rejects, box)))
    return {name: DefectCounts(len(ones), *map(sum, zip(*ones, strict=True))) for name, ones in found.items()}


def program_figures(run: StreamRun) -> ProgramFigures:
    """How the program kept up in a run."""
    said = run.said
    start, summary = _start(run), records.typed(said.summary, InspectionSummary, "summary")
    return ProgramFigures(
        lines=run.lines,
        lines_per_second=round(run.lines / run.seconds, 1),
        tiles=summary.tiles,
        tile_latency_ms=summary.latency_ms,
        stated_latency=start.stated_latency,
        reject_latency_mm=_percentiles([event.latency_mm for event in said.rejects]),
        reject_latency_ms=_percentiles([event.latency_ms for event in said.rejects]),
        late=sum(alarm.alarm == "late" for alarm in said.alarms),
        unseen_mm=round(sum(end - start for start, end in (event.along_mm for event in said.unseen)), 1),
        lost_lines=summary.lost_lines,
        forgotten_mm=round(said.forgotten_mm + max(0.0, summary.along_mm - said.end_mm), 1),
        thinned=summary.thinned,
        thinnest=(said.deepest, len(start.levels_mm) - 1),
        alarms=tuple(sorted({alarm.alarm for alarm in said.alarms})),
        longest_write_ms=round(1e3 * run.longest_write, 1),
        peak_memory_mb=summary.peak_memory_mb,
        memory_mb=quarters(run.memory),
    )


def _start(run: StreamRun) -> InspectionStart:
    return records.typed(run.said.start, InspectionStart, "start")


def quarters(memory: Sequence[tuple[float, float]]) -> MemoryQuarters | None:
    """A program's memory in the first and the last quarter of a run; None of too short a one.

    Arguments:
        memory: seconds and MB at that time, in order.
    """
    values = np.array([megabytes for _, megabytes in memory])
    values = values[~np.isnan(values)]
    quarter = len(values) // 4
    if not quarter:
        return None
    return MemoryQuarters(_use(values[:quarter]), _use(values[-quarter:]))


def _use(megabytes: np.ndarray) -> MemoryUse:
    return MemoryUse(round(float(megabytes.mean()), 1), float(megabytes.max()))


def _percentiles(values: list[float]) -> Percentiles | None:
    if not values:
        return None
    middle, most = (round(float(value), 1) for value in np.percentile(values, (50, 95)))
    return Percentiles(middle, most, max(values))


def _area(event: JudgedEvent, pixel: float) -> Box:
    """The elements and lines that a tile or a reject is about."""
    (top, bottom), (left, right) = event.along_mm, event.across_mm
    return Box(round(left / pixel), round(top / pixel), round(right / pixel), round(bottom / pixel))


def _holds_middle(areas: Iterable[Box], box: Box) -> bool:
    """Whether the middle of a box is in one of the areas."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return any(area.x0 <= x < area.x1 and area.y0 <= y < area.y1 for area in areas)


def _is_true(area: Box, boxes: Iterable[Box]) -> bool:
    return any(area.touches(box) for box in boxes)


def _length(areas: Iterable[Box]) -> int:
    """Lines that any of the areas names."""
    length, end = 0, 0
    for area in sorted(areas, key=lambda area: area.y0):
        length += max(0, area.y1 - max(area.y0, end))
        end = max(end, area.y1)
    return length
