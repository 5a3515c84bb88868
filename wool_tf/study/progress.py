"""How far units are: they say so in small files beside their records, which the main process reads.

It works the same for one process, many, or many machines that share a folder.
"""

import contextlib
import dataclasses
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wool_tf import records
from wool_tf.study import units
from wool_tf.study.units import Unit

POLL_SECONDS = 0.5
BEAT_SECONDS = 1.0
SUFFIX = ".progress"
LEAST_SHARE = 0.02
"""Of the work to be done, before which nothing is said of the time that is left: at first networks are compiled, and a
few steps after half a minute would make days of an hour."""


@dataclasses.dataclass(frozen=True)
class Status:
    """How far a run is.

    Attributes:
        share: finished share of the work, 0 to 1.
        remaining: seconds to the end at the speed so far, or None while that is unknown.
        finished, units: number of finished units, and of all.
        running: (name, share, note) of every unit at work.
    """

    share: float
    remaining: float | None
    finished: int
    units: int
    running: tuple[tuple[str, float, str], ...]


class OrphanedRun(BaseException):
    """The run that this work was for has ended."""


class Heartbeat:
    """Writes how far a unit is, at most once a second; ends the work when its run is gone."""

    def __init__(self, unit: Unit, folder: Path, token: str, main: int | None):
        self.path, self.folder, self.token, self.main, self.next = _path(unit, folder), folder, token, main, 0.0

    def __call__(self, share: float, note: str) -> None:
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + BEAT_SECONDS
        self.check()
        # No error of its own: on a full disk, writing the record fails as well, and that is told of.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(f"{SUFFIX}-new")
            temporary.write_text(json.dumps([share, note]))
            os.replace(temporary, self.path)

    def check(self) -> None:
        """Ends the work if its run is gone: the folder may be another run's by now."""
        if self.main is not None and self.main != os.getppid():
            os._exit(1)
        if records.read(self.folder / ".run") != self.token:
            raise OrphanedRun


def end(unit: Unit, folder: Path) -> None:
    """Removes the note that a unit is at work."""
    units.remove(_path(unit, folder))


def at_work(chain: Sequence[Unit], folder: Path) -> Unit | None:
    """The unit of a chain that was begun and is not done."""
    return next((unit for unit in chain if _path(unit, folder).exists()), None)


@contextlib.contextmanager
def token(folder: Path) -> Iterator[str]:
    """Identifies a run: its workers end when they find another token in the folder, or none."""
    name, path = uuid.uuid4().hex, folder / ".run"
    records.write(path, name)
    try:
        yield name
    finally:
        # Nobody reads it any more; where the disk has become read-only, writing a record has failed and is told of.
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def shown(
    everything: Sequence[Unit], left: Sequence[Unit], folder: Path, show: Callable[[Status], None]
) -> Iterator[None]:
    """Shows the status until the work is done, each once.

    Arguments:
        everything: all units.
        left: those that have to run.
        folder: of the records.
        show: told the status about twice a second, from another thread.
    """
    finished, watcher, last = threading.Event(), Watcher(everything, left, folder), None

    def tell() -> None:
        nonlocal last
        status = watcher.status()
        if status != last:
            show(status)
        last = status

    def watch() -> None:
        cost = 0.0
        # Checking thousands of units must not keep a core busy.
        while not finished.wait(max(POLL_SECONDS, 20 * cost)):
            started = time.monotonic()
            tell()
            cost = time.monotonic() - started

    tell()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        tell()


class Watcher:
    """Reads the status from the files."""

    def __init__(self, everything: Sequence[Unit], left: Sequence[Unit], folder: Path):
        self.folder, self.units = folder, len(everything)
        self.total = sum(unit.cost for unit in everything)
        self.before = self.total - sum(unit.cost for unit in left)
        again = {unit.name for unit in left}
        # A unit that has to run for its lost product has a record already, and is done when it has a new one.
        stamps = [(unit, _stamp(unit.record(folder))) for unit in everything]
        self.open = [(unit, stamp) for unit, stamp in stamps if stamp is None or unit.name in again]
        self.started = time.monotonic()

    def status(self) -> Status:
        """The status of this moment."""
        # There may be thousands of records; whether one is there is all that has to be asked twice a second.
        self.open = [(unit, old) for unit, old in self.open if _stamp(unit.record(self.folder)) in (None, old)]
        running, failed, left = [], set[str](), 0.0
        for unit, _ in self.open:
            beat = records.read(_path(unit, self.folder))
            if isinstance(beat, list):
                share, note = beat
                running.append((unit.name, share, note))
                left += unit.cost * (1 - share)
            elif failed.intersection(unit.needs) or units.failed(unit, self.folder):
                failed.add(unit.name)
            else:
                left += unit.cost
        done = self.total - left
        remaining = None
        if done - self.before >= LEAST_SHARE * (self.total - self.before) > 0:
            remaining = (time.monotonic() - self.started) * left / (done - self.before)
        finished = self.units - len(self.open)
        return Status(done / self.total, remaining, finished, self.units, tuple(running))


def _path(unit: Unit, folder: Path) -> Path:
    return unit.record(folder).with_suffix(SUFFIX)


def _stamp(path: Path) -> tuple[int, int] | None:
    """What tells a file from one that replaces it, or None where there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_mtime_ns
