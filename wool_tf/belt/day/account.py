"""What became of every line of a simulated day, and of every defect."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from wool_tf.belt.day.lines import Hour
from wool_tf.belt.layout import Belt
from wool_tf.data.annotations.scans import Box

NOTHING, AIR, TILE, UNSEEN, UNTOLD = range(5)
"""What the program told of a line."""
KINDS = {"air": AIR, "tile": TILE, "unseen": UNSEEN, "untold": UNTOLD}
"""By the name of the event that tells it."""


class Process(Protocol):
    """One run of the program.

    Attributes:
        events: that it told, in order; empty of one that writes to a full disk and is not heard at all.
        first: number of the first line that it was given, or None if it was given none.
        memory: that it used at most, in MB.
    """

    events: list[dict]
    first: int | None
    memory: float


def of(belt: Belt, processes: Sequence[Process], hours: list[Hour], sent: int, passes: int) -> dict:
    """The account of a day, as JSON values.

    Arguments:
        belt: passes some times an hour.
        processes: the runs of the program, in order.
        hours: of the day.
        sent: number of lines that were sent.
        passes: of the belt in an hour.

    Returns:
        `lines`: sent; `shares_m`: metres of each kind, which sum to what was sent; `hours`: of each hour metres of each
        kind, defects marked, looked at and found, false rejects per metre of product; `alarms`: how often each began;
        `unseen_m`, by reason; `stopped_m`, for how much the belt stood and for how much the program told that it did;
        `untold`, `memory_mb` and `reject_latency_mm`.
    """
    told, before = _Told(sent), 0.0
    for process in processes:
        if process.events:
            before = told.add(process, before)
    ends = list(itertools.accumulate((hour.lines(belt, passes) for hour in hours), initial=0))
    return {
        "lines": sent,
        "sent_m": round(sent * told.pixel / 1000, 2),
        "shares_m": _metres(told.kinds, told.pixel),
        "hours": [_hour(belt, told, hour, first, passes) for hour, first in zip(hours, ends, strict=False)],
        "alarms": dict(sorted(told.alarms.items())),
        "unseen_m": {reason: round(metres, 2) for reason, metres in sorted(told.unseen.items())},
        "stopped_m": {
            "stood": round(sum(hour.stop for hour in hours) * told.pixel / 1000, 2),
            "told": round(told.stood * told.pixel / 1000, 2),
        },
        "untold": told.untold,
        "memory_mb": round(max(process.memory for process in processes), 1),
        "reject_latency_mm": max(told.latencies, default=None),
    }


class _Told:
    """What all processes told, by the numbers of the lines that were sent.

    Attributes:
        kinds: (lines,) what was told of each line.
        tiles, rejects: their areas, in elements and lines.
        alarms: by name, how often they began.
        unseen: metres, by reason.
        untold: events that were left out.
        latencies: of rejects, in millimetres.
        stood: lines for which the belt was said to stand.
        pixel: length of a line in millimetres.
    """

    def __init__(self, sent: int):
        self.kinds = np.full(sent, NOTHING, np.int8)
        self.tiles: list[Box] = []
        self.rejects: list[Box] = []
        self.alarms: dict[str, int] = {}
        self.unseen: dict[str, float] = {}
        self.untold, self.stood, self.pixel = 0, 0, 1.0
        self.latencies: list[float] = []

    def add(self, process: Process, before: float) -> float:
        """Takes what a process told.

        Arguments:
            process: that told something.
            before: the line at which the millimetres of the process before it began.

        Returns:
            The line at which its own begin.
        """
        start = process.events[0]
        self.pixel = start["pixel_mm"]
        first = len(self.kinds) if process.first is None else process.first
        shift = first - start.get("first_mm", 0) / self.pixel
        self.stood += _stood(process.events, self.pixel)
        for event in process.events:
            self._count(event)
            if _is_placed(event):
                self._place(event, shift, before, first)
        return shift

    def _count(self, event: dict) -> None:
        kind = event["event"]
        if kind == "alarm" and event.get("on") is not False:
            self.alarms[event["alarm"]] = self.alarms.get(event["alarm"], 0) + 1
        if kind == "unseen":
            metres = (event["along_mm"][1] - event["along_mm"][0]) / 1000
            self.unseen[event["reason"]] = self.unseen.get(event["reason"], 0.0) + metres
        if kind == "untold":
            self.untold += sum(event["events"].values())
        if kind == "reject":
            self.latencies.append(event["latency_mm"])

    def _place(self, event: dict, shift: float, before: float, first: int) -> None:
        start, stop = (round(mm / self.pixel + shift) for mm in event["along_mm"])
        if event.get("reason") == "restart":
            # It is told in the millimetres of the process before.
            start, stop = round(event["along_mm"][0] / self.pixel + before), first
        kind = event["event"]
        if kind in KINDS:
            self.kinds[max(start, 0) : max(stop, 0)] = KINDS[kind]
        if kind in ("tile", "reject"):
            left, right = (round(mm / self.pixel) for mm in event["across_mm"])
            (self.tiles if kind == "tile" else self.rejects).append(Box(left, start, right, stop))


def _is_placed(event: dict) -> bool:
    """Whether it has a beginning and an end along the belt; a summary has one number, which is how far the belt is."""
    return event["event"] != "summary" and bool(event.get("along_mm"))


def _stood(events: list[dict], pixel: float) -> int:
    """Lines between the beginnings and the ends of the alarms of a process that the belt stands.

    No summary tells of them where the process was killed.
    """
    lines, since = 0, None
    for event in events:
        if event["event"] == "alarm" and event["alarm"] == "belt_stopped":
            lines += 0 if since is None else event["line"] - since
            since = event["line"] if event["on"] else None
    seen = max((event["along_mm"][1] for event in events if _is_placed(event)), default=0.0) / pixel
    return lines if since is None else lines + max(0, round(seen) - since)


def _metres(told: np.ndarray, pixel: float) -> dict:
    """Metres of each kind."""
    names = {"seen": TILE, "air": AIR, "unseen": UNSEEN, "untold": UNTOLD, "lost": NOTHING}
    return {name: round(int((told == kind).sum()) * pixel / 1000, 2) for name, kind in names.items()}


def _hour(belt: Belt, told: _Told, hour: Hour, first: int, passes: int) -> dict:
    """The figures of one hour, whose first line is `first`."""
    size = hour.lines(belt, passes)
    boxes = [dataclasses.replace(box, y0=box.y0 + first, y1=box.y1 + first) for box in hour.boxes(belt, passes)]
    here = [box for box in told.rejects if first <= box.y0 < first + size]
    near = [box for box in told.tiles if first - size <= box.y0 < first + size]
    metres = passes * belt.product_lines * told.pixel / 1000
    false = sum(not any(area.touches(box) for box in boxes) for area in here)
    by_type: dict[str, dict[str, int]] = {}
    for box in boxes:
        count = by_type.setdefault(box.defect or "", {"boxes": 0, "looked_at": 0, "found": 0})
        count["boxes"] += 1
        count["looked_at"] += _held(near, box)
        count["found"] += _held(told.rejects, box)
    return {
        "told_m": _metres(told.kinds[first : first + size], told.pixel),
        "defects": by_type,
        "false_rejects_per_m": round(false / metres, 3),
    }


def _held(areas: list[Box], box: Box) -> bool:
    """Whether the middle of a box is in one of the areas."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return any(area.x0 <= x < area.x1 and area.y0 <= y < area.y1 for area in areas)
