"""Errors of the gate: how far from the right place it began and ended to reject, in millimetres of the belt."""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from wool_station.events import Span
from wool_station.gate.timeline import GateGeometry
from wool_tf.belt.detector import LineTimes


@dataclasses.dataclass(frozen=True)
class Edge:
    """Where a gate began (`on`) or ended to reject.

    Attributes:
        on: whether it began.
        ideal_mm: where the belt ought to have been at the detector.
        error_mm: how much further it was; below 0 it had not come as far.
    """

    on: bool
    ideal_mm: float
    error_mm: float


class Output(NamedTuple):
    """An output of a gate of one lane that has changed: when, in seconds of the monotonic clock, and why nothing passes
    from then on, or None if the lane passes."""

    monotonic: float
    why: str | None


@dataclasses.dataclass(frozen=True)
class GateRecord:
    """What a gate did.

    Attributes:
        edges: of the stretches that were to be rejected.
        missed_mm: of what was to be rejected, and passed as it was at the gate.
        needless_mm: that was rejected besides, for a reason each.
    """

    edges: tuple[Edge, ...]
    missed_mm: float
    needless_mm: dict[str, float]


def judge(
    outputs: list[Output], stretches: Iterable[Span], place: GateGeometry, written: LineTimes, pixel_mm: float
) -> GateRecord:
    """Compares what a gate of one lane did with what it was told.

    Arguments:
        outputs: see `told_outputs`.
        stretches: of the belt, from and to in millimetres, that were to be rejected.
        place: of the gate.
        written: the lines that were given to the inspection.
        pixel_mm: of the belt from line to line.
    """
    bare = joined((start + place.distance_mm, stop + place.distance_mm + place.width_mm) for start, stop in stretches)
    wide = joined((start - place.lead_mm, stop + place.hold_mm) for start, stop in bare)
    rejected = rejecting(outputs, written, pixel_mm)
    end = float(written.lines[-1]) * pixel_mm
    edges: list[Edge] = []
    for number, (start, stop) in enumerate(wide):
        found = [one[:2] for one in rejected if one[0] < stop and start < one[1]]
        if not found or stop > end:
            continue
        before, after = found[0][0], found[-1][1]
        # Where it rejected already, for another reason, or went on, there is no edge.
        if not number or wide[number - 1][1] < before:
            edges.append(Edge(True, start, before - start))
        if number + 1 == len(wide) or after < wide[number + 1][0]:
            edges.append(Edge(False, stop, after - stop))
    missed = length(bare, end) - common(bare, [one[:2] for one in rejected], end)
    needless: dict[str, float] = {}
    for start, stop, why in rejected:
        needless[why] = needless.get(why, 0.0) + stop - start - common(wide, [(start, stop)], end)
    shown = {why: round(mm, 1) for why, mm in needless.items() if mm > pixel_mm}
    return GateRecord(tuple(edges), round(missed, 1), shown)


def joined(stretches: Iterable[Span]) -> list[Span]:
    """Stretches in order, those that overlap or touch as one."""
    found: list[Span] = []
    for start, stop in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(stop, found[-1][1])
        else:
            found.append((start, stop))
    return found


def told_outputs(gate: Iterable[dict]) -> list[Output]:
    """The outputs that a gate of one lane told among its events, in order."""
    return [Output(event["monotonic"], event["why"][0]) for event in gate if event["event"] == "output"]


def rejecting(outputs: list[Output], written: LineTimes, pixel_mm: float) -> list[tuple[float, float, str]]:
    """Where the belt was at the detector, from and to in millimetres, while the gate rejected, and why it began to."""
    found, since, why = [], None, ""
    for output in outputs:
        at = written.at(output.monotonic) * pixel_mm
        if output.why is None and since is not None:
            found.append((since, at, why))
            since = None
        elif output.why is not None and since is None:
            since, why = at, output.why
    if since is not None:
        found.append((since, float(written.lines[-1]) * pixel_mm, why))
    return found


def length(stretches: list[Span], end: float) -> float:
    """Of stretches that do not overlap each other, as far as an end."""
    return sum(max(0.0, min(stop, end) - min(start, end)) for start, stop in stretches)


def common(one: list[Span], other: list[Span], end: float) -> float:
    """Length of what is in both, as far as an end, of stretches that do not overlap each other."""
    total = 0.0
    for start, stop in one:
        for first, last in other:
            total += max(0.0, min(stop, last, end) - max(start, first))
    return total
