"""The station beside an inspection, with somebody at its page and a broker for what it publishes, all as processes."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from wool_board.exit_status import INTERRUPTED
from wool_station.events import Event, RejectEvent, typed
from wool_station.gate.timeline import GateGeometry
from wool_station.store.reader import StoreReader, event_of
from wool_tf.belt import scoring
from wool_tf.belt.gate import run as gate_run
from wool_tf.belt.layout import Belt
from wool_tf.belt.programs.process import Program, has_said
from wool_tf.belt.programs.service import Service
from wool_tf.belt.scoring import MemoryQuarters
from wool_tf.belt.station import broker
from wool_tf.belt.station.broker import Mosquitto, MqttSubscriber
from wool_tf.belt.station.page_client import PageClient, PageFigures

INSPECT, GATE, RECORD, PAGE, MQTT = "inspect", "gate", "record", "page", "mqtt"
"""The programs, as their services are called."""

TOPIC = "wool/line"
SAMPLE_SECONDS = 1.0
"""From one look at the memory of the programs to the next."""

CORRECT_EACH = 5
"""Looks at the memory, from one correction on the page to the next."""

REJECTS = "SELECT body FROM events WHERE event = 'reject'"

END_SECONDS = 1.0
"""For what was told last to come to where it is kept."""


class Commands(NamedTuple):
    """What runs: the folder of the board's programs, and inspection and gate as commands without their places."""

    board: Path
    inspection: list
    gate: list


@dataclasses.dataclass(frozen=True)
class StationFigures:
    """What came through.

    Attributes:
        peak_memory_mb, memory_mb: of the programs by name, in 1e6 bytes.
        page: what came to its reader.
        told_rejects, recorded_rejects, published_rejects: rejects, and parts of them, that the inspection told, that
            are in the store, and that came by MQTT; None without a broker.
        scheduled: whether all programs had the CPU priority of their services, which takes root.
    """

    peak_memory_mb: dict[str, float]
    memory_mb: dict[str, MemoryQuarters | None]
    page: PageFigures
    told_rejects: int
    recorded_rejects: int
    published_rejects: int | None
    scheduled: bool


class Station:
    """Memory, page and MQTT beside an inspection, and a gate and the inspection itself if wanted.

    Arguments:
        board: folder of the programs of the board, `tflite/`.
        folder: for the store and settings, which must be there.
        feed: socket of the inspection.
        others: commands of `INSPECT` and `GATE`, where they are to run.

    Attributes:
        programs: by name; without `MQTT` where this machine has no broker.
        store: folder of the recorder.
        client: at the page.
        subscriber: at the broker, or None.
    """

    def __init__(self, board: Path, folder: Path, feed: Path, others: dict[str, list]):
        self.store, self._folder = folder / "store", folder
        port, station, given = broker.free_port(), board / "station.py", [f"--feed={feed}"]
        kept = [*given, f"--store={self.store}"]
        self.programs: dict[str, Program] = {}
        self._board = board
        for name, command in others.items():
            self._add(name, command)
        self._add(RECORD, [station, "record", *kept])
        self._add(PAGE, [station, "serve", *kept, f"--port={port}"])
        self.client = PageClient(port)
        self.subscriber: MqttSubscriber | None = None
        self._mqtt = [board / "mqtt.py", *given, f"--topic={TOPIC}"]
        self._ended = threading.Event()

    @contextlib.contextmanager
    def working(self) -> Iterator["Station"]:
        """Runs it; when the context ends the inspection's lines must have ended, and all programs do as they are asked.

        Raises:
            WoolError: one does not begin, or ends with an error.
        """
        with contextlib.ExitStack() as stack:
            if broker.PROGRAM:
                made = stack.enter_context(Mosquitto(self._folder))
                self.subscriber = stack.enter_context(MqttSubscriber(made.port, TOPIC))
                self._add(MQTT, [*self._mqtt, f"--broker=127.0.0.1:{made.port}"])
            for program in self.programs.values():
                stack.enter_context(program)
            self._wait()
            stack.enter_context(self.client)
            watcher = threading.Thread(target=self._watch, daemon=True)
            watcher.start()
            try:
                yield self
            finally:
                self._ended.set()
                watcher.join()
            if INSPECT in self.programs:
                self.programs[INSPECT].end(0, None)
                time.sleep(END_SECONDS)
            for name, program in self.programs.items():
                if name != INSPECT:
                    program.end(INTERRUPTED)

    def figures(self, told: Iterable[Event | None]) -> StationFigures:
        """What came through of the rejects that were told, and how the programs ran."""
        programs = dict(sorted(self.programs.items()))
        return StationFigures(
            peak_memory_mb={name: program.peak_mb for name, program in programs.items()},
            memory_mb={name: scoring.quarters(program.memory) for name, program in programs.items()},
            page=self.client.figures(),
            told_rejects=_count(told),
            recorded_rejects=_count(map(event_of, StoreReader(self.store).rows(REJECTS))),
            published_rejects=None if self.subscriber is None else _count(map(typed, self.subscriber.of("reject"))),
            scheduled=all(program.is_scheduled for program in programs.values()),
        )

    def _add(self, name: str, command: list) -> None:
        self.programs[name] = Program(command, Service.named(self._board, name))

    def _wait(self) -> None:
        """Until all work."""
        if INSPECT in self.programs:
            self.programs[INSPECT].wait_for(has_said("start"))
            for name in self.programs.keys() & {GATE}:
                self.programs[name].wait_for(has_said("feed_heard"))
        # It says its address once it listens.
        self.programs[PAGE].wait_for(bool)
        if MQTT in self.programs:
            self.programs[MQTT].wait_for(has_said("broker"))

    def _watch(self) -> None:
        count = 0
        while not self._ended.wait(SAMPLE_SECONDS):
            for program in self.programs.values():
                program.sample()
            count += 1
            if count % CORRECT_EACH == 0:
                self.client.correct()


def _count(events: Iterable[Event | None]) -> int:
    """Rejects among them, and parts of rejects, that differ."""
    return len({(event.time, event.reject, event.part) for event in events if isinstance(event, RejectEvent)})


def beside(
    belt: Belt, commands: Commands, place: GateGeometry, folder: Path, lines_per_second: float, more: list
) -> Station:
    """A station with inspection and gate.

    Arguments:
        belt, commands, place, lines_per_second: see `run.run`.
        folder: for all that is made.
        more: arguments of the inspection.
    """
    feed = folder / "feed"
    inspect = gate_run.inspecting(belt, [*commands.inspection, *more], folder, feed, lines_per_second)
    gate = gate_run.gating(commands.gate, feed, place)
    return Station(commands.board, folder, feed, {INSPECT: inspect, GATE: gate})
