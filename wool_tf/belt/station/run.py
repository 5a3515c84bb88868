"""A belt passes with all of the station beside the inspection."""

import dataclasses
import tempfile
import time
from pathlib import Path

from wool_station.gate.timeline import GateGeometry
from wool_tf.belt import scoring
from wool_tf.belt.detector import DetectorStream
from wool_tf.belt.gate import run as gate_run
from wool_tf.belt.gate.run import GateFigures, GateRun
from wool_tf.belt.layout import Belt
from wool_tf.belt.scoring import InspectionFigures
from wool_tf.belt.station import processes
from wool_tf.belt.station.processes import GATE, INSPECT, Commands, StationFigures
from wool_tf.belt.streaming import InspectionLog, StreamRun


@dataclasses.dataclass(frozen=True)
class StationRun:
    """What was found in a run with all of the station beside the inspection."""

    inspection: InspectionFigures
    gate: GateFigures
    station: StationFigures


def run(belt: Belt, commands: Commands, place: GateGeometry, lines_per_second: float, lines: int) -> StationRun:
    """Streams a belt with all of the station beside the inspection.

    Arguments:
        belt: Belt.
        commands: of the programs.
        place: of the gate.
        lines_per_second: of the belt.
        lines: how many.

    Raises:
        WoolError: a program ends with an error.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        detector = DetectorStream(belt, folder / "lines", lines_per_second, lines)
        station = processes.beside(belt, commands, place, folder, lines_per_second, [detector.fifo])
        with station.working(), detector:
            began = time.monotonic()
            detector.wait()
            seconds = time.monotonic() - began
        inspected, written = station.programs[INSPECT].said, detector.written
        said = InspectionLog()
        for event in inspected:
            said.append(event)
        ran = StreamRun(said, lines, seconds, detector.longest_write, tuple(station.programs[INSPECT].memory))
        gate = GateRun(inspected, station.programs[GATE].said, written, detector.stood)
        return StationRun(scoring.judge(belt, ran), gate_run.figures(gate, place), station.figures(said.rejects))
