"""How fast an inspection is at most, with the station beside it and without, and what memory both take for how long."""

import dataclasses
import logging
import statistics
import tempfile
from pathlib import Path

from wool_station.gate.timeline import GateGeometry
from wool_tf.belt import streaming
from wool_tf.belt.gate import run as gate_run
from wool_tf.belt.layout import Belt
from wool_tf.belt.station.processes import GATE, Commands, Station, StationFigures
from wool_tf.belt.streaming import StreamRun

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Pace:
    """How fast the inspection was, without the station and with it.

    Attributes:
        without, beside: lines a second of each run.
        ratios: of each pair, with the station to without.
        median: of these.
    """

    without: tuple[float, ...]
    beside: tuple[float, ...]
    ratios: tuple[float, ...]
    median: float


def alone(belt: Belt, commands: Commands, lines_per_second: float, lines: int) -> StreamRun:
    """Streams a belt as fast as the inspection takes it, nothing beside it.

    Arguments:
        belt: Belt.
        commands: of the programs.
        lines_per_second: of the belt in real time.
        lines: how many.
    """
    program, model, *more = commands.inspection
    return streaming.stream(belt, program, model, lines_per_second, 0, lines, False, more)


def accompanied(
    belt: Belt, commands: Commands, place: GateGeometry, lines_per_second: float, lines: int
) -> tuple[StreamRun, StationFigures]:
    """The same with the station beside it, whose figures are returned, too."""
    program, model, *more = commands.inspection
    with tempfile.TemporaryDirectory() as made:
        feed = Path(made) / "feed"
        station = Station(commands.board, Path(made), feed, {GATE: gate_run.gating(commands.gate, feed, place)})
        with station.working():
            more = [*more, f"--feed={feed}"]
            run = streaming.stream(belt, program, model, lines_per_second, 0, lines, False, more)
        return run, station.figures(run.said.rejects)


def compare(belt: Belt, commands: Commands, place: GateGeometry, lines_per_second: float, pairs: int) -> Pace:
    """Lets the belt pass some times without the station and with it, in turn, so that both see the machine alike.

    Arguments:
        belt, commands, place, lines_per_second: see `accompanied`.
        pairs: of runs.
    """
    without: list[float] = []
    beside: list[float] = []
    for number in range(pairs):
        turns = [
            (without, lambda: alone(belt, commands, lines_per_second, belt.lines)),
            (beside, lambda: accompanied(belt, commands, place, lines_per_second, belt.lines)[0]),
        ]
        # What comes second may find the machine warm, or busy.
        for found, measure in turns if number % 2 == 0 else turns[::-1]:
            run = measure()
            found.append(round(run.lines / run.seconds, 1))
        log.info(
            f"pair {number + 1} of {pairs}: {without[-1]:,.0f} lines a second alone, {beside[-1]:,.0f} with the station"
        )
    ratios = tuple(round(slow / fast, 3) for fast, slow in zip(without, beside, strict=True))
    return Pace(tuple(without), tuple(beside), ratios, round(statistics.median(ratios), 3))
