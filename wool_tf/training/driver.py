"""Runs units of work in parallel processes; a unit that is done is not run again.

A unit is done when its record and its products are there, and nothing else is remembered, so a run that was interrupted
in any way goes on where it was. Units say how far they are in small files beside the records, which the main process
reads: it works the same for one process, many, or many machines that share a folder.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from wool_tf import quiet
from wool_tf.errors import WoolError
from wool_tf.training import records

POLL_SECONDS = 0.5
BEAT_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Unit:
    """One piece of work with one record.

    Attributes:
        name: `fold0/hard1`; its record is `<name>.json` in the folder of the records.
        run: does the work and returns the record. Is told how to report progress. Must be picklable.
        cost: expected time, in any unit that is the same for all.
        products: files that the work leaves besides the record. A unit is done when all of them are there.
    """

    name: str
    run: Callable[[Callable[[float, str], None]], dict]
    cost: float
    products: tuple[Path, ...] = ()

    def record(self, folder: Path) -> Path:
        """Path of its record."""
        return folder / f"{self.name}.json"

    def done(self, folder: Path) -> bool:
        """Whether its record can be read and its products are there."""
        return records.read(self.record(folder)) is not None and all(path.exists() for path in self.products)


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


def run(
    chains: Sequence[Sequence[Unit]], folder: Path, jobs: int, show: Callable[[Status], None]
) -> dict[str, dict]:
    """Runs chains of units, each chain in order, different chains in parallel.

    Arguments:
        chains: units of one chain may use what earlier ones left; chains must not depend on each other.
        folder: of the records.
        jobs: processes at work at the same time; with 1 the calling process does it all.
        show: told the status about twice a second, from another thread.

    Returns:
        The record of every unit, by its name.

    Raises:
        WoolError: a unit failed; finished units keep their records.
    """
    units = [unit for chain in chains for unit in chain]
    # The longest first, so that no worker is left alone with it at the end.
    ordered = sorted(chains, key=lambda chain: -sum(unit.cost for unit in chain))
    left = [chain for chain in ordered if not all(unit.done(folder) for unit in chain)]
    with _shown(units, folder, show):
        if min(jobs, len(left)) > 1:
            _run_parallel(left, folder, min(jobs, len(left)))
        else:
            for chain in left:
                _run_chain(chain, folder, os.getpid())
    return {unit.name: records.read(unit.record(folder)) for unit in units}


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds a folder for one run; the hold ends with the process, however it ends.

    Raises:
        WoolError: another run holds it, or the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")
    except OSError as error:
        raise WoolError(f"--out={folder}: cannot be written ({error.strerror}); choose another folder") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WoolError(f"--out={folder}: another run is at work there; wait, or choose another folder") from None
        yield


def _run_parallel(chains: Sequence[Sequence[Unit]], folder: Path, jobs: int) -> None:
    import joblib

    workers = {"backend": "loky", "initializer": _prepare}
    parallel = joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1, **workers)
    try:
        # Closing ends the workers at once, whatever they are at, when an error or Ctrl-C leaves from here.
        with contextlib.closing(
            parallel(joblib.delayed(_run_chain)(chain, folder, os.getpid()) for chain in chains)
        ) as finished:
            for _ in finished:
                pass
    except BrokenProcessPool:
        raise WoolError(
            "a training process was killed, most likely because memory ran out; what is finished is kept: "
            "start again with a smaller --jobs or --batch_size"
        ) from None


def _prepare() -> None:
    """Makes a worker process ready."""
    # Ctrl-C reaches the whole process group; the main process ends its workers itself, without their tracebacks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet.import_keras()


def _run_chain(chain: Sequence[Unit], folder: Path, main: int) -> None:
    for unit in chain:
        path = unit.record(folder)
        if unit.done(folder):
            continue
        beat = _Beat(_beat_path(path), main)
        started, clock = time.time(), time.monotonic()
        beat(0, "starting")
        try:
            document = unit.run(beat)
        except WoolError as error:
            raise WoolError(f"{unit.name}: {error}") from None
        beat.check()
        records.write(path, document | {"started": started, "seconds": time.monotonic() - clock})
        beat.end()


def _beat_path(record: Path) -> Path:
    return record.with_suffix(".progress")


class _Beat:
    """Writes how far a unit is, at most once a second; ends the process when the main process is gone."""

    def __init__(self, path: Path, main: int):
        self.path, self.main, self.next = path, main, 0.0
        path.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, share: float, note: str) -> None:
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + BEAT_SECONDS
        self.check()
        # Progress is a courtesy: on a full disk it is the result that has to fail, with its own message.
        with contextlib.suppress(OSError):
            temporary = self.path.with_suffix(".progress-new")
            temporary.write_text(json.dumps([share, note]))
            os.replace(temporary, self.path)

    def check(self) -> None:
        """Ends a worker whose main process is gone: the folder may be another run's by now."""
        if self.main not in (os.getpid(), os.getppid()):
            os._exit(1)

    def end(self) -> None:
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _shown(units: Sequence[Unit], folder: Path, show: Callable[[Status], None]) -> Iterator[None]:
    """Shows the status until the work is done."""
    for unit in units:
        _beat_path(unit.record(folder)).unlink(missing_ok=True)
    finished = threading.Event()
    watcher = _Watcher(units, folder)

    def watch() -> None:
        while not finished.wait(POLL_SECONDS):
            show(watcher.status())

    show(watcher.status())
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        show(watcher.status())


class _Watcher:
    """Reads the status from the files."""

    def __init__(self, units: Sequence[Unit], folder: Path):
        self.units, self.folder = units, folder
        self.total = sum(unit.cost for unit in units)
        self.done = {unit.name for unit in units if unit.done(folder)}
        self.before = sum(unit.cost for unit in units if unit.name in self.done)
        self.started = time.monotonic()

    def status(self) -> Status:
        running, cost = [], 0.0
        for unit in self.units:
            if unit.name not in self.done and unit.done(self.folder):
                self.done.add(unit.name)
            if unit.name in self.done:
                cost += unit.cost
                continue
            beat = records.read(_beat_path(unit.record(self.folder)))
            if beat is not None:
                running.append((unit.name, *beat))
                cost += unit.cost * beat[0]
        remaining = None
        if cost > self.before:
            elapsed = time.monotonic() - self.started
            remaining = elapsed * (self.total - cost) / (cost - self.before)
        return Status(cost / self.total, remaining, len(self.done), len(self.units), tuple(running))
