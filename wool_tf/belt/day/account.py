"""What became of every line of a simulated day, and of every defect."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wool_tf.belt import scoring
from wool_tf.belt.day.lines import Hour
from wool_tf.belt.layout import Belt
from wool_tf.belt.scoring import DefectCounts
from wool_tf.data.annotations.scans import Box

NOTHING, AIR, TILE, UNSEEN, UNTOLD = range(5)
"""What the program told of a line."""
KINDS = {"air": AIR, "tile": TILE, "unseen": UNSEEN, "untold": UNTOLD}
"""By the name of the event that tells it."""
SHARES = (TILE, AIR, UNSEEN, UNTOLD, NOTHING)
"""In the order of the fields of `Shares`."""


class Process(NamedTuple):
    """One run of the program.

    Attributes:
        events: that it told, in order and as they came, for earlier versions lack fields; empty of one that writes to
            a full disk and is not heard at all.
        first: number of the first line that it was given, or None if it was given none.
    """

    events: list[dict]
    first: int | None


@dataclasses.dataclass(frozen=True)
class Shares:
    """What became of a stretch of the belt, in metres: a tile, air, told to be unseen or left out, or nothing told."""

    seen: float
    air: float
    unseen: float
    untold: float
    lost: float


@dataclasses.dataclass(frozen=True)
class Stopped:
    """Metres of lines for which the belt stood, and for which the program told that it did."""

    stood: float
    told: float


@dataclasses.dataclass(frozen=True)
class HourAccount:
    """An hour: what became of its lines, defects by type, and false rejects per metre of product."""

    told_m: Shares
    defects: dict[str, DefectCounts]
    false_rejects_per_m: float


@dataclasses.dataclass(frozen=True)
class DayAccount:
    """A day.

    Attributes:
        lines, sent_m: that were sent.
        shares_m: sum to `sent_m`.
        hours: in their order.
        alarms: how often each began, by name.
        unseen_m: metres by reason.
        stopped_m: see there.
        untold: events that were left out.
        memory_mb: that a process took at most, in 1e6 bytes.
        reject_latency_mm: from the start of a reject to its being told, at most; None without any.
    """

    lines: int
    sent_m: float
    shares_m: Shares
    hours: tuple[HourAccount, ...]
    alarms: dict[str, int]
    unseen_m: dict[str, float]
    stopped_m: Stopped
    untold: int
    memory_mb: float
    reject_latency_mm: float | None


def of(
    belt: Belt, processes: Sequence[Process], memory_mb: float, hours: list[Hour], sent: int, passes: int
) -> DayAccount:
    """The account of a day.

    Arguments:
        belt: passes some times an hour.
        processes: the runs of the program, in order.
        memory_mb: that one of them took at most.
        hours: of the day.
        sent: number of lines that were sent.
        passes: of the belt in an hour.
    """
    told, before = _Told(sent), 0.0
    for process in processes:
        if process.events:
            before = told.add(process, before)
    ends = list(itertools.accumulate((hour.lines(belt, passes) for hour in hours), initial=0))
    return DayAccount(
        lines=sent,
        sent_m=told.metres(sent),
        shares_m=told.shares(0, sent),
        hours=tuple(_hour(belt, told, hour, first, passes) for hour, first in zip(hours, ends, strict=False)),
        alarms=dict(sorted(told.alarms.items())),
        unseen_m={reason: round(metres, 2) for reason, metres in sorted(told.unseen.items())},
        stopped_m=Stopped(told.metres(sum(hour.stop for hour in hours)), told.metres(told.stood)),
        untold=told.untold,
        memory_mb=memory_mb,
        reject_latency_mm=max(told.latencies, default=None),
    )


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

    def metres(self, lines: int) -> float:
        """Of so many lines."""
        return round(lines * self.pixel / 1000, 2)

    def shares(self, first: int, stop: int) -> Shares:
        """What became of some lines."""
        return Shares(*(self.metres(int((self.kinds[first:stop] == kind).sum())) for kind in SHARES))

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


def _hour(belt: Belt, told: _Told, hour: Hour, first: int, passes: int) -> HourAccount:
    """The figures of one hour, whose first line is `first`."""
    size = hour.lines(belt, passes)
    boxes = [dataclasses.replace(box, y0=box.y0 + first, y1=box.y1 + first) for box in hour.boxes(belt, passes)]
    here = [box for box in told.rejects if first <= box.y0 < first + size]
    near = [box for box in told.tiles if first - size <= box.y0 < first + size]
    metres = passes * belt.product_lines * told.pixel / 1000
    false = sum(not any(area.touches(box) for box in boxes) for area in here)
    shares, defects = told.shares(first, first + size), scoring.count_defects(boxes, near, told.rejects)
    return HourAccount(shares, defects, round(false / metres, 3))
