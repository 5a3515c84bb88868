"""Every program of the station is killed again and again while the belt passes: what did the gate do meanwhile?"""

import collections
import dataclasses
import logging
import random
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from wool_station.events import Event, RejectEvent, Span, Start, StretchEvent, TileEvent, Unseen, typed
from wool_station.gate.timeline import GateGeometry
from wool_station.store.reader import StoreReader
from wool_tf.belt.background import Background
from wool_tf.belt.detector import DetectorStream, LineTimes, first_lines
from wool_tf.belt.gate import edges
from wool_tf.belt.gate.edges import Output
from wool_tf.belt.layout import Belt
from wool_tf.belt.programs.process import Program, has_said
from wool_tf.belt.programs.service import Service
from wool_tf.belt.station import processes
from wool_tf.belt.station.page_client import PageFigures
from wool_tf.belt.station.processes import GATE, INSPECT, Commands, Station
from wool_tf.belt.streaming import ROUNDING

log = logging.getLogger(__name__)

PAUSE_SECONDS = (2.0, 10.0)
"""From a start to the next kill, at least and at most: some come while the gate does not pass yet."""

RELAY_SECONDS = 0.2
"""After which a relay that watches the gate's signs of life takes the supply from the valve."""

LOOK_SECONDS = 0.5
KILLED = "killed"


class Kill(NamedTuple):
    """A program that was killed, and when it was dead, in seconds of the monotonic clock."""

    name: str
    time: float


@dataclasses.dataclass(frozen=True)
class KillFigures:
    """What followed when a program was killed.

    Attributes:
        kills: how often it was.
        while_passing: how often the gate let pass then.
        needless_mm: rejected needlessly after it, in the mean.
    """

    kills: int
    while_passing: int
    needless_mm: int


@dataclasses.dataclass(frozen=True)
class GateAccount:
    """What the gate did while programs were killed.

    Attributes:
        belt_mm: that came.
        due_mm: that had to be rejected.
        missed_mm: of that, what passed, if the pin of a dead gate lets nothing pass.
        missed_without_input_mm: the same, if the pin stays as it was until a relay notices.
        kills: by program.
    """

    belt_mm: float
    due_mm: float
    missed_mm: float
    missed_without_input_mm: float
    kills: dict[str, KillFigures]


@dataclasses.dataclass(frozen=True)
class StoreLosses:
    """Records that were seen in the store, corrections that were acknowledged, and how many of them were lost."""

    seen: int
    lost: int
    corrections: int
    lost_corrections: int


@dataclasses.dataclass(frozen=True)
class RejectCounts:
    """Rejects that were told, recorded and, but for None without a broker, published."""

    told: int
    recorded: int
    published: int | None


@dataclasses.dataclass(frozen=True)
class KilledRun(GateAccount):
    """The same, and what became of the rest of the station; the last four as in `StationFigures` and `GateFigures`."""

    store: StoreLosses
    rejects: RejectCounts
    page: PageFigures
    peak_memory_mb: dict[str, float]
    scheduled: bool
    stood_seconds: float


def run(
    belt: Belt, commands: Commands, place: GateGeometry, lines_per_second: float, times: int, seed: int
) -> KilledRun:
    """Kills each program some times at random moments, and starts it as its service would.

    Arguments:
        belt, commands, place, lines_per_second: see `run.run`.
        times: that each is killed.
        seed: of which is killed when.

    Raises:
        WoolError: a program ends with an error, or does not begin anew.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        detector = DetectorStream(belt, folder / "lines", lines_per_second, None)
        more = [detector.fifo, f"--state={folder / 'state.json'}"]
        station = processes.beside(belt, commands, place, folder, lines_per_second, more)
        seen = StoreObserver(station)
        with station.working(), detector, seen:
            kills = _kill(station, commands.board, times, random.Random(seed))
        inspections = placed(station.programs[INSPECT], detector.openings)
        found = station.figures(event for one in inspections for event in one.events)
        return KilledRun(
            **vars(account(inspections, station.programs[GATE].said, kills, place, detector.written)),
            store=seen.lost(),
            rejects=RejectCounts(found.told_rejects, found.recorded_rejects, found.published_rejects),
            page=found.page,
            peak_memory_mb=found.peak_memory_mb,
            scheduled=found.scheduled,
            stood_seconds=round(detector.stood, 2),
        )


def _kill(station: Station, board: Path, times: int, rng: random.Random) -> list[Kill]:
    names = [name for name in station.programs for _ in range(times)]
    rng.shuffle(names)
    kills: list[Kill] = []
    for number, name in enumerate(names, start=1):
        time.sleep(rng.uniform(*PAUSE_SECONDS))
        program = station.programs[name]
        kills.append(Kill(name, program.kill()))
        log.info(f"{number} of {len(names)}: {name} killed")
        time.sleep(Service.named(board, name).restart_seconds)
        program.start()
    for name in (INSPECT, GATE):
        station.programs[name].wait_for(has_said("start" if name == INSPECT else "feed_heard"))
    time.sleep(PAUSE_SECONDS[1])
    return kills


class StoreObserver(Background):
    """What anybody could see in the store, for as long as the context lasts.

    Arguments:
        station: whose store, and whose client at the page.
    """

    def __init__(self, station: Station):
        super().__init__()
        self._station, self._reader = station, StoreReader(station.store)
        self._records: set[tuple] = set()

    def lost(self) -> StoreLosses:
        """What was seen or acknowledged, and how much of it is there no longer."""
        select = "SELECT operator FROM corrections"
        operators = {row["operator"] for row in self._reader.rows(select)}
        said = set(self._station.client.corrections)
        return StoreLosses(len(self._records), len(self._records - self._there()), len(said), len(said - operators))

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._records |= self._there()

    def _there(self) -> set[tuple]:
        tiles = self._reader.rows("SELECT inspection, start_mm, left_mm FROM tiles")
        return {tuple(row) for row in (*tiles, *self._reader.rows("SELECT time, event, body FROM events"))}


@dataclasses.dataclass(frozen=True)
class Inspected:
    """What an inspection said, from its start on, and the number of the first line that it was given."""

    events: list[Event | None]
    first: int

    @property
    def start(self) -> Start:
        begun = self.events[0]
        assert isinstance(begun, Start)
        return begun


def placed(inspection: Program, openings: list[tuple[float, int]]) -> list[Inspected]:
    """What each inspection that was given lines said.

    Arguments:
        inspection: the program.
        openings: see `DetectorStream`.
    """
    first = first_lines(inspection.began, openings)
    runs = [(inspection.runs[number], line) for number, line in sorted(first.items())]
    return [Inspected(list(map(typed, run)), line) for run, line in runs if run]


def account(
    inspections: list[Inspected], gate: list[dict], kills: list[Kill], place: GateGeometry, written: LineTimes
) -> GateAccount:
    """What the gate did.

    Arguments:
        inspections: see `placed`.
        gate: events of the gate.
        kills: in their order.
        place: of the gate.
        written: the lines.
    """
    pixel = inspections[0].start.pixel_mm
    due = [(a + place.distance_mm, b + place.distance_mm + place.width_mm) for a, b in to_reject(inspections, written)]
    told = edges.told_outputs(gate)
    outputs = with_deaths(told, kills, 0.0)
    held = edges.rejecting(with_deaths(told, kills, RELAY_SECONDS), written, pixel)
    rejected, end = edges.rejecting(outputs, written, pixel), float(written.lines[-1]) * pixel
    due = edges.joined(due)
    missed, missed_held = (
        edges.length(due, end) - edges.common(due, [one[:2] for one in spans], end) for spans in (rejected, held)
    )
    return GateAccount(
        round(end, 1),
        round(edges.length(due, end), 1),
        round(missed, 1),
        round(missed_held, 1),
        _after(kills, outputs, rejected, due, place, written, pixel),
    )


def to_reject(inspections: list[Inspected], written: LineTimes) -> list[Span]:
    """What of the belt, from and to in millimetres, must not be called good.

    That is what an inspection rejected, called defective or did not see, and all that none has accounted for: what was
    on its way when it was killed, and what passed before the next one read.
    """
    pixel = inspections[0].start.pixel_mm
    bad, known = [], []
    for one in inspections:
        shift = one.first * pixel - one.start.first_mm
        for event in one.events:
            if not isinstance(event, TileEvent | StretchEvent | RejectEvent):
                continue
            start, stop = (max(one.first * pixel, place + shift) for place in event.along_mm)
            if isinstance(event, RejectEvent | Unseen) or (isinstance(event, TileEvent) and event.defective):
                bad.append((start, stop))
            if not isinstance(event, RejectEvent):
                known.append((start, stop))
    ends = [(0.0, 0.0), *edges.joined(known), (float(written.lines[-1]) * pixel, float("inf"))]
    gaps = [(before[1], after[0]) for before, after in zip(ends, ends[1:], strict=False)]
    return edges.joined((start, stop) for start, stop in [*bad, *gaps] if stop - start > ROUNDING)


def with_deaths(outputs: list[Output], kills: list[Kill], seconds: float) -> list[Output]:
    """The outputs of a gate, and that it lets nothing pass so many seconds after each of its deaths."""
    # What it did in the milliseconds before it died, and had no time to say, is not known.
    deaths = [Output(kill.time + seconds, KILLED) for kill in kills if kill.name == GATE]
    return sorted([*outputs, *deaths], key=lambda output: output.monotonic)


def _after(
    kills: list[Kill],
    outputs: list[Output],
    rejected: list[tuple[float, float, str]],
    due: list[Span],
    place: GateGeometry,
    written: LineTimes,
    pixel: float,
) -> dict[str, KillFigures]:
    """For each program what followed when it was killed."""
    wide = edges.joined((start - place.lead_mm, stop + place.hold_mm) for start, stop in due)
    found: dict[str, list[tuple[bool, float]]] = collections.defaultdict(list)
    ends = [*(kill.time for kill in kills[1:]), float(written.seconds[-1])]
    for kill, until in zip(kills, ends, strict=True):
        begin, end = (written.at(moment) * pixel for moment in (kill.time, until))
        here = [(max(start, begin), min(stop, end)) for start, stop, _ in rejected if start < end and begin < stop]
        needless = edges.length(here, end) - edges.common(here, wide, end)
        before = [output.why is None for output in outputs if output.monotonic < kill.time]
        found[kill.name].append((bool(before and before[-1]), needless))
    return {
        name: KillFigures(len(ones), sum(passing for passing, _ in ones), round(sum(mm for _, mm in ones) / len(ones)))
        for name, ones in sorted(found.items())
    }
