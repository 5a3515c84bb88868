"""How well the rejects of a belt hit the defects that are marked on it."""

from collections.abc import Iterable, Sequence

import numpy as np

from wool_tf.belt.layout import Belt
from wool_tf.belt.streaming import StreamRun
from wool_tf.data.annotations.scans import Box


def judge(belt: Belt, run: StreamRun) -> dict:
    """The figures of a run in which the belt passed once.

    A defect is found if a reject holds the middle of its box, and looked at if a tile does. A reject is false if it
    touches no box of a visible defect. Lengths are per metre of product, air not counted; stretches that several
    rejects name count once.

    Returns:
        As JSON values: `defects` (by type, and `all`: `boxes`, `looked_at` and `found`), `false_rejects` and
        `false_mm` per metre of product, `rejected_share` of the product's length, `unseen_mm`, `forgotten_mm` (what no
        event accounts for), `late` (rejects that came later than stated), and figures of the program's own.
    """
    said, pixel = run.said, run.said.start["pixel_mm"]
    rejects = [_area(event, pixel) for event in said.rejects]
    seen = [_box(*tile, pixel) for tile in said.tiles or ()]
    found: dict[str, dict[str, int]] = {}
    for box in belt.boxes:
        hit = any(_holds_middle(area, box) for area in rejects)
        looked_at = any(_holds_middle(area, box) for area in seen)
        for name in (box.defect, "all"):
            entry = found.setdefault(name, {"boxes": 0, "looked_at": 0, "found": 0})
            entry["boxes"] += 1
            entry["looked_at"] += int(looked_at)
            entry["found"] += int(hit)
    true = {event["reject"] for event, area in zip(said.rejects, rejects, strict=True) if _is_true(area, belt.boxes)}
    false = [area for event, area in zip(said.rejects, rejects, strict=True) if event["reject"] not in true]
    metres = belt.product_lines * pixel / 1000
    numbers = {event["reject"] for event in said.rejects}
    return {
        "product_m": round(metres, 2),
        "defects": dict(sorted(found.items())),
        "rejects": len(numbers),
        "false_rejects": round((len(numbers) - len(true)) / metres, 4),
        "false_mm": round(_length(false) * pixel / metres, 2),
        "rejected_share": round(_length(rejects) * pixel / 1000 / metres, 4),
        **program_figures(run),
    }


def program_figures(run: StreamRun) -> dict:
    """How the program kept up in a run, as JSON values."""
    said = run.said
    delays = [event["latency_mm"] for event in said.rejects]
    times = [event["latency_ms"] for event in said.rejects]
    return {
        "lines": run.lines,
        "lines_per_second": round(run.lines / run.seconds, 1),
        "tiles": said.summary["tiles"],
        "tile_latency_ms": said.summary["latency_ms"],
        "stated_latency": said.start["stated_latency"],
        "reject_latency_mm": _percentiles(delays),
        "reject_latency_ms": _percentiles(times),
        "late": sum(alarm["alarm"] == "late" for alarm in said.alarms),
        "unseen_mm": round(sum(end - start for start, end in (event["along_mm"] for event in said.unseen)), 1),
        "lost_lines": said.summary["lost_lines"],
        "forgotten_mm": round(said.forgotten_mm + max(0.0, said.summary["along_mm"] - said.end_mm), 1),
        "thinned": said.summary["thinned"],
        "thinnest": [said.deepest, len(said.start["levels_mm"]) - 1],
        "alarms": sorted({alarm["alarm"] for alarm in said.alarms}),
        "longest_write_ms": round(1e3 * run.longest_write, 1),
        "peak_memory_mb": said.summary["peak_memory_mb"],
        "memory_mb": quarters(run.memory),
    }


def quarters(memory: Sequence[tuple[float, float]]) -> dict | None:
    """Mean and most of a program's memory in MB in the first and the last quarter of a run; None of too short a one.

    Arguments:
        memory: seconds and MB at that time, in order.
    """
    values = np.array([megabytes for _, megabytes in memory])
    values = values[~np.isnan(values)]
    quarter = len(values) // 4
    if not quarter:
        return None
    parts = {"first": values[:quarter], "last": values[-quarter:]}
    return {name: {"mean": round(float(part.mean()), 1), "max": float(part.max())} for name, part in parts.items()}


def _percentiles(values: list[float]) -> dict | None:
    if not values:
        return None
    middle, most = (round(float(value), 1) for value in np.percentile(values, (50, 95)))
    return {"p50": middle, "p95": most, "max": max(values)}


def _area(event: dict, pixel: float) -> Box:
    """The elements and lines of a reject."""
    (top, bottom), (left, right) = event["along_mm"], event["across_mm"]
    return _box(top, bottom, left, right, pixel)


def _box(top: float, bottom: float, left: float, right: float, pixel: float) -> Box:
    """The elements and lines of what is given in millimetres."""
    return Box(round(left / pixel), round(top / pixel), round(right / pixel), round(bottom / pixel))


def _holds_middle(area: Box, box: Box) -> bool:
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return area.x0 <= x < area.x1 and area.y0 <= y < area.y1


def _is_true(area: Box, boxes: Iterable[Box]) -> bool:
    return any(area.touches(box) for box in boxes)


def _length(areas: Iterable[Box]) -> int:
    """Lines that any of the areas names."""
    length, end = 0, 0
    for area in sorted(areas, key=lambda area: area.y0):
        length += max(0, area.y1 - max(area.y0, end))
        end = max(end, area.y1)
    return length
