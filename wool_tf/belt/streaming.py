"""Streams a belt through `tflite/inspect_line.py`, as the detector does, and keeps what the program says."""

import collections
import dataclasses
import itertools
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from pathlib import Path

import numpy as np

from wool_station.events import Alarm, RejectEvent, TileEvent, Unseen, typed
from wool_tf.belt.layout import Belt
from wool_tf.belt.programs.process import Program

log = logging.getLogger(__name__)

CHUNK_SECONDS = 0.01
"""From one write to the next in real time; a detector's interface hands over lines in such bunches."""

CHUNK_LINES = 256
"""Lines of a write where it goes as fast as possible."""

SAMPLE_SECONDS = 1.0
"""From one look at the program's memory to the next."""

SAY_SECONDS = 15.0
"""From one word on how far it is to the next."""

ROUNDING = 0.11
"""Millimetres: the events' have one decimal."""


@dataclasses.dataclass
class InspectionLog:
    """What the program said.

    Attributes:
        start: the first event, as it came.
        rejects, unseen, alarms, tiles: events of these kinds; tiles are None if they are not kept.
        summary: the last event, as it came.
        counts: events by kind.
        deepest: the thinnest level of overlap.
        end_mm: how far along the belt every line is accounted for.
        forgotten_mm: length of what no event accounts for.
    """

    start: dict = dataclasses.field(default_factory=dict)
    rejects: list[RejectEvent] = dataclasses.field(default_factory=list)
    unseen: list[Unseen] = dataclasses.field(default_factory=list)
    alarms: list[Alarm] = dataclasses.field(default_factory=list)
    summary: dict = dataclasses.field(default_factory=dict)
    tiles: list[TileEvent] | None = dataclasses.field(default_factory=list)
    counts: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    deepest: int = 0
    end_mm: float = 0.0
    forgotten_mm: float = 0.0

    def append(self, message: dict) -> None:
        """Takes notice of an event."""
        kind = message["event"]
        self.counts[kind] += 1
        if kind in ("tile", "air", "unseen", "untold") and message.get("along_mm"):
            begin, end = message["along_mm"]
            if begin > self.end_mm + ROUNDING:
                self.forgotten_mm += begin - self.end_mm
            self.end_mm = max(self.end_mm, end)
        if kind in ("start", "summary"):
            setattr(self, kind, message)
            return
        match event := typed(message):
            case TileEvent() if self.tiles is not None:
                self.tiles.append(event)
            case RejectEvent():
                self.rejects.append(event)
            case Unseen():
                self.unseen.append(event)
            case Alarm():
                self.alarms.append(event)
        if kind == "overlap":
            self.deepest = max(self.deepest, message["level"])


@dataclasses.dataclass(frozen=True)
class StreamRun:
    """One streaming.

    Attributes:
        said: what the program said.
        lines: that were written.
        seconds: that it took.
        longest_write: seconds for which the pipe held the writer up, at most.
        memory: seconds since the start and MB (10⁶ bytes) of the program's memory, every `SAMPLE_SECONDS`.
    """

    said: InspectionLog
    lines: int
    seconds: float
    longest_write: float
    memory: tuple[tuple[float, float], ...]


def stream(
    belt: Belt,
    program: Path,
    model: Path,
    lines_per_second: float,
    speed: float,
    lines: int,
    keep_tiles: bool = True,
    more: Sequence = (),
) -> StreamRun:
    """Streams a belt, over and over if it is shorter than wanted.

    Arguments:
        belt: Belt.
        program: `tflite/inspect_line.py`.
        model: TFLite file with its card.
        lines_per_second: of the belt in real time.
        speed: multiple of real time; 0: as fast as the program takes lines, which then may let the writer wait.
        lines: how many.
        keep_tiles: whether to remember where tiles were; not where the belt passes for hours.
        more: options of the program.

    Raises:
        WoolError: the program ends with an error.
    """
    with tempfile.TemporaryDirectory() as made:
        dark, bright = belt.references(Path(made))
        command = [program, model, f"--dark={dark}", f"--bright={bright}", *more]
        command += [f"--width={belt.width}", f"--type={belt.type}", f"--lines_per_second={lines_per_second:g}"]
        command += ["--recorded"] * (speed == 0)
        with Program(command, record=lambda: InspectionLog(tiles=[] if keep_tiles else None), is_fed=True) as process:
            # What is written before the program is ready would wait in the pipe and count as its delay.
            process.wait_for(lambda said: bool(said.counts))
            fed = _feed(belt, process, lines_per_second * speed, lines)
            process.end(0, None)
    return StreamRun(process.runs[0], *fed)


def _feed(
    belt: Belt, program: Program, rate: float, lines: int
) -> tuple[int, float, float, tuple[tuple[float, float], ...]]:
    """Writes the lines at a rate per second, 0 for no limit; returns the fields of `StreamRun` after `said`."""
    size = max(1, round(rate * CHUNK_SECONDS)) if rate else CHUNK_LINES
    began, written, longest, told = time.monotonic(), 0, 0.0, 1
    for chunk in chunks(belt, size, lines):
        if rate:
            time.sleep(max(0.0, began + (written + len(chunk)) / rate - time.monotonic()))
        before = time.monotonic()
        if not program.write(chunk.tobytes()):
            break
        now = time.monotonic()
        longest, written = max(longest, now - before), written + len(chunk)
        if now - began >= SAMPLE_SECONDS * len(program.memory):
            program.sample()
        if now - began >= SAY_SECONDS * told:
            told += 1
            log.info(f"{written:,} of {lines:,} lines, {program.peak_mb:.1f} MB at most")
    memory = tuple((round(moment - began, 1), megabytes) for moment, megabytes in program.memory)
    return written, time.monotonic() - began, longest, memory


def chunks(belt: Belt, size: int, lines: int) -> Iterator[np.ndarray]:
    """The belt over and over, in pieces of `size` lines or less."""
    left = lines
    for _ in itertools.count():
        for counts in _ahead(belt.counts()):
            for start in range(0, len(counts), size):
                chunk = counts[start : start + min(size, left)]
                left -= len(chunk)
                yield chunk
                if not left:
                    return


def _ahead(items: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same items, each read while the one before is used: to decode a scan takes longer than lines may be late."""
    with futures.ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, items, None)
        while (item := following.result()) is not None:
            following = pool.submit(next, items, None)
            yield item
