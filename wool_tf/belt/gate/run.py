"""Streams a belt through the inspection with a gate beside it, as on a board, and keeps what both say."""

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from wool_board.exit_status import INTERRUPTED
from wool_station.events import RejectEvent, Start, Unseen, typed
from wool_station.gate.timeline import GateGeometry
from wool_tf import records
from wool_tf.belt.detector import DetectorStream, LineTimes
from wool_tf.belt.gate import edges
from wool_tf.belt.gate.edges import GateRecord
from wool_tf.belt.layout import Belt
from wool_tf.belt.programs.process import Program, has_said
from wool_tf.belt.programs.service import Service
from wool_tf.belt.scoring import Percentiles

OF_FEED = ("feed_heard", "feed_lost")
"""Notes of the gate that come with every inspection that begins and ends."""

END_SECONDS = 1.0
"""For what has come to the gate last."""


class GateRun(NamedTuple):
    """What was said.

    Attributes:
        inspection, gate: events of both programs.
        written: the lines.
        stood: seconds for which the belt stood, because the detector's process was not let run.
    """

    inspection: list[dict]
    gate: list[dict]
    written: LineTimes
    stood: float


@dataclasses.dataclass(frozen=True)
class GateSummary:
    """What the gate counted from its start on, its last event.

    Attributes:
        time: of the event, in seconds since 1970.
        final: whether it is the last one.
        seconds: since the start.
        clocks, rejects, unseen: messages of the feed.
        jumps: clock messages before which the belt moved by more than the lead.
        late: rejects that were told when some of them had come to the gate.
        feed_lost: how often the connection was lost.
        longest_step_mm: from one clock message to the next.
        clock_age_ms: of clock messages when they were answered, or None without any.
        belt_mm: of each lane, what passed for which reason, and `pass`.
        output_failures: writes that failed.
        untold: events and changes that were left out.
    """

    event: str
    time: float
    final: bool
    seconds: float
    clocks: int
    jumps: int
    late: int
    rejects: int
    unseen: int
    feed_lost: int
    longest_step_mm: float
    clock_age_ms: Percentiles | None
    belt_mm: tuple[dict[str, float], ...]
    output_failures: int
    untold: int


@dataclasses.dataclass(frozen=True)
class GateFigures(GateRecord):
    """What the gate did.

    Attributes:
        unseen_mm: that the inspection told to be unseen.
        stood_seconds: for which the belt stood, because the detector's process was not let run.
        gate: by its own account.
        notes: what it said of its settings and its output.
    """

    unseen_mm: float
    stood_seconds: float
    gate: GateSummary
    notes: tuple[str, ...]


def run(belt: Belt, inspection: list, gate: list, place: GateGeometry, lines_per_second: float, lines: int) -> GateRun:
    """Streams a belt.

    Arguments:
        belt: Belt.
        inspection: command of the inspection: program and model, and whatever differs from the defaults.
        gate: command of the gate: program, beside which the units are, and its output.
        place: of the gate.
        lines_per_second: of the belt.
        lines: how many; the belt over and over if it has less.

    Raises:
        WoolError: a program ends with an error.
    """
    with tempfile.TemporaryDirectory() as made:
        feed = Path(made) / "feed"
        detector = DetectorStream(belt, Path(made) / "lines", lines_per_second, lines)
        inspect = inspecting(belt, [*inspection, detector.fifo], Path(made), feed, lines_per_second)
        services = [Service.named(Path(gate[0]).parent, name) for name in ("inspect", "gate")]
        programs = [Program(*one) for one in zip((inspect, gating(gate, feed, place)), services, strict=True)]
        with programs[0] as inspector, programs[1] as ejector:
            inspector.wait_for(has_said("start"))
            ejector.wait_for(has_said("feed_heard"))
            with detector:
                detector.wait()
            inspector.end(0, None)
            # The last product is to leave the gate: but lines, and so the gate's clock, have come to their end.
            time.sleep(END_SECONDS)
            ejector.end(INTERRUPTED)
    return GateRun(inspector.said, ejector.said, detector.written, detector.stood)


def inspecting(belt: Belt, inspection: list, folder: Path, feed: Path, lines_per_second: float) -> list:
    """The command of an inspection of a belt, with a feed; its references are in a folder where they are no files."""
    dark, bright = belt.references(folder)
    about = [f"--dark={dark}", f"--bright={bright}", f"--width={belt.width}", f"--type={belt.type}"]
    return [*inspection, *about, f"--lines_per_second={lines_per_second:g}", f"--feed={feed}"]


def gating(gate: list, feed: Path, place: GateGeometry) -> list:
    """The command of a gate of one lane at a place."""
    measures = ("distance_mm", "width_mm", "lead_mm", "hold_mm")
    return [*gate, f"--feed={feed}", *(f"--{name}={getattr(place, name):g}" for name in measures)]


def figures(run: GateRun, place: GateGeometry) -> GateFigures:
    """What the gate did."""
    heard = [typed(event) for event in run.inspection]
    spans = [event.along_mm for event in heard if isinstance(event, RejectEvent | Unseen)]
    outputs = edges.told_outputs(run.gate)
    start = next(event for event in heard if isinstance(event, Start))
    record = edges.judge(outputs, spans, place, run.written, start.pixel_mm)
    notes = {event["text"]: None for event in run.gate if event["event"] == "note" and event["name"] not in OF_FEED}
    unseen = [event.along_mm for event in heard if isinstance(event, Unseen)]
    return GateFigures(
        **vars(record),
        unseen_mm=sum(stop - start for start, stop in unseen),
        stood_seconds=round(run.stood, 2),
        gate=records.typed(run.gate[-1], GateSummary, "gate_summary"),
        notes=tuple(notes),
    )
