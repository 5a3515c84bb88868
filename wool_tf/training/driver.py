"""Runs units of work in parallel processes; a unit that is done is not run again.

A unit is done when its record is there, and nothing else is remembered, so a run that was interrupted in any way goes
on where it was. Units say how far they are in small files beside the records, which the main process reads: it works
the same for one process, many, or many machines that share a folder.

A unit that fails leaves a note of its attempts beside the place of its record. Training that ran off is tried once more
with other random numbers, and the note says so to whoever goes on later; a process that was killed is replaced, and its
unit tried once more alone, when it has all of the memory. Then the run goes on without the unit, and without those that
need it.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wool_tf.errors import Diverged, Unwritable, WoolError, first_line
from wool_tf.training import pool, records

POLL_SECONDS = 0.5
BEAT_SECONDS = 1.0
ATTEMPTS = 2
WRITTEN = ("started", "seconds", "attempts", "kept")
"""What the driver adds to every record; a file without it is not one."""

Progress = Callable[[float, str], None]


@dataclasses.dataclass(frozen=True)
class Unit:
    """One piece of work with one record.

    Attributes:
        name: `resnet18-adam-none/repeat0/fold0/hard1`; its record is `<name>.json` in the folder of the records.
        run: does the work and returns the record. Is told how to report progress, and the number of the attempt, from
            0. Must be picklable.
        cost: expected time, in any unit that is the same for all.
        product: file that the work leaves besides the record, or None.
        needs: name of an earlier unit of the chain whose product the work reads, or None.
        keep: whether the product stays when the chain is done.
    """

    name: str
    run: Callable[[Progress, int], dict]
    cost: float
    product: Path | None = None
    needs: str | None = None
    keep: bool = True

    def record(self, folder: Path) -> Path:
        """Path of its record."""
        return folder / f"{self.name}.json"

    def failure(self, folder: Path) -> Path:
        """Path of the note of its failed attempts."""
        return folder / f"{self.name}.failed.json"


@dataclasses.dataclass(frozen=True)
class Status:
    """How far a run is.

    Attributes:
        share: finished share of the work, 0 to 1.
        remaining: seconds to the end at the speed so far, or None while that is unknown.
        finished, units: number of finished units, and of all.
        failed: number of units that failed for good, or needed one that did.
        running: (name, share, note) of every unit at work.
    """

    share: float
    remaining: float | None
    finished: int
    units: int
    failed: int
    running: tuple[tuple[str, float, str], ...]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        records: the record of every unit that is done, by its name.
        failures: of every unit that failed for good, its attempts: a `kind` and a `reason` each.
        skipped: names of the units that needed one that failed.
    """

    records: dict[str, dict]
    failures: dict[str, list[dict]]
    skipped: tuple[str, ...]


def run(
    chains: Sequence[Sequence[Unit]],
    folder: Path,
    jobs: int,
    show: Callable[[Status], None],
    scheduler: str | None = None,
) -> Outcome:
    """Runs chains of units, each chain in order, different chains in parallel.

    Arguments:
        chains: units of one chain may use what earlier ones left; chains must not depend on each other.
        folder: of the records.
        jobs: processes at work at the same time; with 1 the calling process does it all.
        show: told the status about twice a second, from another thread.
        scheduler: address of a Dask cluster that does the work instead; all its machines see the folder under the same
            path.

    Raises:
        WoolError: the folder cannot be written, or the cluster cannot be reached; finished units keep their records.
    """
    units = [unit for chain in chains for unit in chain]
    # The longest first, so that no worker is left alone with it at the end.
    ordered = sorted(chains, key=lambda chain: -sum(unit.cost for unit in chain))
    _forgive(units, folder)
    left = [chain for chain in ordered if _todo(chain, folder)]
    try:
        with _shown(units, folder, show), _token(folder) as token:
            if scheduler is not None:
                _run_on_cluster(left, folder, scheduler, token)
            elif min(jobs, len(left)) > 1:
                _run_parallel(left, folder, min(jobs, len(left)), token)
            else:
                for chain in left:
                    run_chain(chain, folder, token)
    except Orphaned:
        raise WoolError(f"{folder}: was deleted, or taken over by another run; start again") from None
    return _outcome(units, folder)


def plan(chains: Sequence[Sequence[Unit]], folder: Path) -> list[Unit]:
    """The units that a run would do, in the order of the chains."""
    return [unit for chain in chains for unit in _todo(chain, folder)]


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


def _todo(chain: Sequence[Unit], folder: Path) -> list[Unit]:
    """The units of a chain that have to run: those without a record, and those whose lost product one of them needs."""
    todo, needed = [], set()
    failed = {unit.name for unit in chain if _failed(unit, folder)}
    for unit in chain:
        if unit.needs in failed:
            failed.add(unit.name)
    for unit in reversed(chain):
        if unit.name in failed:
            continue
        missing = unit.product is not None and not unit.product.exists()
        if not _done(unit, folder) or (missing and (unit.keep or unit.name in needed)):
            todo.append(unit)
            needed.add(unit.needs)
    return todo[::-1]


def _done(unit: Unit, folder: Path) -> bool:
    return _record(unit, folder) is not None


def _record(unit: Unit, folder: Path) -> dict | None:
    return records.read(unit.record(folder), *WRITTEN)


def _failed(unit: Unit, folder: Path) -> bool:
    kinds = [attempt["kind"] for attempt in attempts(unit, folder)]
    # By kind: how often training runs off must not depend on how often the machine fails.
    return not _done(unit, folder) and any(kinds.count(kind) >= ATTEMPTS for kind in kinds)


def attempts(unit: Unit, folder: Path) -> list[dict]:
    """The failed attempts of a unit, each with its `kind` (diverged, died or error) and `reason`."""
    found = records.read(unit.failure(folder), "attempts")
    return found["attempts"] if found else []


def note_failure(unit: Unit, folder: Path, kind: str, reason: str, details: str = "") -> None:
    """Adds a failed attempt to the note of a unit."""
    attempt = {"kind": kind, "reason": reason} | ({"details": details} if details else {})
    records.write(unit.failure(folder), {"unit": unit.name, "attempts": [*attempts(unit, folder), attempt]})


def _forgive(units: Sequence[Unit], folder: Path) -> None:
    """Forgets what the machine is to blame for: the next run has its chance. Training that runs off always will."""
    for unit in units:
        found = attempts(unit, folder)
        kept = [attempt for attempt in found if attempt["kind"] == "diverged"]
        if kept != found:
            unit.failure(folder).unlink()
            for attempt in kept:
                note_failure(unit, folder, attempt["kind"], attempt["reason"])


def _outcome(units: Sequence[Unit], folder: Path) -> Outcome:
    found = {unit.name: _record(unit, folder) for unit in units}
    done = {name: record for name, record in found.items() if record is not None}
    failures = {unit.name: attempts(unit, folder) for unit in units if _failed(unit, folder)}
    skipped = tuple(name for name in found if name not in done and name not in failures)
    return Outcome(done, failures, skipped)


def _run_parallel(chains: Sequence[Sequence[Unit]], folder: Path, jobs: int, token: str) -> None:
    """Runs chains in worker processes, whatever happens to these."""
    while chains:
        try:
            pool.run(run_chain, [(chain, folder, token, os.getpid()) for chain in chains], jobs, folder)
            return
        except pool.Died:
            # Which of the processes died is not known: whatever was at work is tried again, alone.
            suspects = [(chain, unit) for chain in chains if (unit := _at_work(chain, folder))]
            if not suspects:
                raise WoolError(
                    "worker processes die as they start, most likely because memory runs out; use fewer --jobs"
                ) from None
            for _, unit in suspects:
                _note_death(unit, folder, "its process was killed, most likely because memory ran out")
            for chain, unit in suspects:
                _run_alone(chain, unit, folder, token)
            chains = [chain for chain in chains if _todo(chain, folder)]


def _run_alone(chain: Sequence[Unit], unit: Unit, folder: Path, token: str) -> None:
    """Runs one unit of a chain in a process of its own, with nothing beside it."""
    try:
        pool.run(run_chain, [(chain, folder, token, os.getpid(), unit.name)], 1, folder)
    except pool.Died:
        _note_death(unit, folder, "its process was killed again, though alone, most likely because memory ran out")


def _note_death(unit: Unit, folder: Path, reason: str) -> None:
    note_failure(unit, folder, "died", reason)
    _beat_path(unit.record(folder)).unlink(missing_ok=True)


def _run_on_cluster(chains: Sequence[Sequence[Unit]], folder: Path, scheduler: str, token: str) -> None:
    tasks = [(chain, folder, token, None) for chain in chains]
    for number in pool.run_on_cluster(run_chain, tasks, scheduler):
        for _ in range(ATTEMPTS):  # The cluster has tried it several times.
            unit = _at_work(chains[number], folder) or _todo(chains[number], folder)[0]
            note_failure(unit, folder, "died", "the cluster's workers died of it, most likely because memory ran out")
        _beat_path(unit.record(folder)).unlink(missing_ok=True)


def _at_work(chain: Sequence[Unit], folder: Path) -> Unit | None:
    """The unit of a chain that was begun and is not done."""
    return next((unit for unit in chain if _beat_path(unit.record(folder)).exists()), None)


def run_chain(
    chain: Sequence[Unit], folder: Path, token: str, main: int | None = None, last: str | None = None
) -> None:
    """Runs what is left of a chain, in the process that calls.

    Arguments:
        chain: units, in order.
        folder: of the records.
        token: of the run, which ends when another one holds the folder.
        main: process that the calling one must not outlive, or None.
        last: name of the unit after which to stop, or None for the whole chain.

    Raises:
        Unwritable: the folder cannot be written.
        Orphaned: another run has taken the folder over.
    """
    # A unit that failed takes along those that need it, so what is left is asked for anew.
    names = [unit.name for unit in chain]
    while todo := _todo(chain, folder):
        if last is not None and names.index(todo[0].name) > names.index(last):
            return
        _attempt(todo[0], folder, _Beat(_beat_path(todo[0].record(folder)), folder, token, main))
    for unit in chain:
        record = _record(unit, folder) or {}
        # What an earlier run was to keep stays.
        if unit.product is not None and not unit.keep and not record.get("kept"):
            unit.product.unlink(missing_ok=True)


def _attempt(unit: Unit, folder: Path, beat: "_Beat") -> None:
    started, clock = time.time(), time.monotonic()
    beat(0, "starting")
    diverged = [attempt for attempt in attempts(unit, folder) if attempt["kind"] == "diverged"]
    try:
        document = unit.run(beat, len(diverged))
        beat.check()
        record = document | {"started": started, "seconds": time.monotonic() - clock, "attempts": diverged}
        record["kept"] = unit.keep
        records.write(unit.record(folder), record)
    except Unwritable:
        raise
    except Diverged as error:
        note_failure(unit, folder, "diverged", str(error))
    except Exception as error:  # Whatever it is, the other units are not to blame.
        known = isinstance(error, WoolError)
        reason = str(error) if known else f"{type(error).__name__}: {first_line(error)}"
        note_failure(unit, folder, "error", reason, "" if known else traceback.format_exc())
    beat.end()


def _beat_path(record: Path) -> Path:
    return record.with_suffix(".progress")


@contextlib.contextmanager
def _token(folder: Path) -> Iterator[str]:
    """Names a run: workers that it has left behind find another name in the folder, or none, and end."""
    token, path = uuid.uuid4().hex, folder / ".run"
    records.write(path, token)
    try:
        yield token
    finally:
        path.unlink(missing_ok=True)


class Orphaned(BaseException):
    """The run that this work was for is no more."""


class _Beat:
    """Writes how far a unit is, at most once a second; ends the work when its run is gone."""

    def __init__(self, path: Path, folder: Path, token: str, main: int | None):
        self.path, self.folder, self.token, self.main, self.next = path, folder, token, main, 0.0

    def __call__(self, share: float, note: str) -> None:
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + BEAT_SECONDS
        self.check()
        # Progress is a courtesy: on a full disk it is the result that has to fail, with its own message.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".progress-new")
            temporary.write_text(json.dumps([share, note]))
            os.replace(temporary, self.path)

    def check(self) -> None:
        """Ends the work if its run is gone: the folder may be another run's by now."""
        if self.main is not None and self.main != os.getppid():
            os._exit(1)
        if records.read(self.folder / ".run") != self.token:
            raise Orphaned

    def end(self) -> None:
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _shown(units: Sequence[Unit], folder: Path, show: Callable[[Status], None]) -> Iterator[None]:
    """Shows the status until the work is done."""
    for unit in units:
        _beat_path(unit.record(folder)).unlink(missing_ok=True)
        if not _done(unit, folder):
            # A damaged record, if any: that a file is there has to mean that the unit is done.
            unit.record(folder).unlink(missing_ok=True)
    finished = threading.Event()
    watcher = _Watcher(units, folder)

    def watch() -> None:
        cost = 0.0
        # Looking after thousands of units must not keep a core busy.
        while not finished.wait(max(POLL_SECONDS, 20 * cost)):
            started = time.monotonic()
            show(watcher.status())
            cost = time.monotonic() - started

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
        self.folder = folder
        self.total, self.units = sum(unit.cost for unit in units), len(units)
        self.open = [unit for unit in units if not _done(unit, folder)]
        self.before = self.total - sum(unit.cost for unit in self.open)
        self.started = time.monotonic()

    def status(self) -> Status:
        # There may be thousands of records; that one exists is all that has to be asked twice a second.
        self.open = [unit for unit in self.open if not unit.record(self.folder).exists()]
        running, failed, left = [], set(), 0.0
        for unit in self.open:
            beat = records.read(_beat_path(unit.record(self.folder)))
            if beat is not None:
                running.append((unit.name, *beat))
                left += unit.cost * (1 - beat[0])
            elif unit.needs in failed or _failed(unit, self.folder):
                failed.add(unit.name)
            else:
                left += unit.cost
        done = self.total - left
        remaining = None
        if done > self.before:
            remaining = (time.monotonic() - self.started) * left / (done - self.before)
        finished = self.units - len(self.open)
        return Status(done / self.total, remaining, finished, self.units, len(failed), tuple(running))
