"""Runs units of work in parallel processes; a unit that is done is not run again.

A unit is done when its record is there, and nothing else is remembered, so a run that was interrupted in any way goes
on where it was. It works the same for one process, many, or many machines that share a folder.

A unit that fails leaves a note of its attempts beside the place of its record. A training that diverged is tried once
more with other random numbers, also by a later run, which continues the count of the note; a process that was killed is
replaced, and its unit is tried once more alone, when it has all of the memory. Then the run goes on without the unit,
and without those that need it.
"""

import contextlib
import dataclasses
import fcntl
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wool_tf.errors import BadSetting, Divergence, Unwritable, WoolError, in_one_line
from wool_tf.networks import unit_records
from wool_tf.networks.unit_records import Attempt, UnitRecord
from wool_tf.study import cleanup, progress, units, workers
from wool_tf.study.progress import Heartbeat, OrphanedRun, Status
from wool_tf.study.units import ATTEMPTS, Unit

__all__ = ["Outcome", "Status", "Unit", "done", "exclusive", "plan", "run", "run_chain"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        records: the record of every unit that is done, by its name.
        failures: of every unit that failed for good, its attempts. Units that need such a one are in neither.
    """

    records: dict[str, UnitRecord]
    failures: dict[str, tuple[Attempt, ...]]


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
        folder: of the records; no other run works there.
        jobs: processes at work at the same time. None of them is the calling one, which is to survive them.
        show: told the status about twice a second, from another thread.
        scheduler: address of a Dask cluster that does the work instead; all its machines see the folder under the same
            path.

    Raises:
        WoolError: the folder cannot be written, a record is of another version, or the cluster cannot be reached;
            finished units keep their records.
    """
    # The longest first, so that no worker is left alone with it at the end.
    ordered = sorted(chains, key=lambda chain: -sum(unit.cost for unit in chain))
    everything = [unit for chain in chains for unit in chain]
    _tidy(chains, folder)
    work = [units.todo(chain, folder) for chain in ordered]
    left = [chain for chain, todo in zip(ordered, work, strict=True) if todo]
    try:
        with progress.shown(everything, sum(work, []), folder, show), progress.token(folder) as token:
            if scheduler is not None:
                _run_on_cluster(left, folder, scheduler, token)
            else:
                _run_parallel(left, folder, min(jobs, len(left)), token)
    except OrphanedRun:
        raise WoolError(f"{folder}: was deleted, or taken over by another run; start again") from None
    # A process that died has not removed the products of its chain.
    for chain in left:
        units.drop_products(chain, folder)
    return _outcome(everything, folder)


def plan(chains: Sequence[Sequence[Unit]], folder: Path) -> list[list[Unit]]:
    """The units of each chain that a run would do; it would try units again whose failures were not of divergence."""
    return [units.todo(chain, folder, ignore_machine_failures=True) for chain in chains]


def done(chains: Sequence[Sequence[Unit]], folder: Path) -> int:
    """How many units have their records."""
    return sum(units.record(unit, folder) is not None for chain in chains for unit in chain)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds a folder for one run, and clears away what killed runs have left there.

    The hold ends with the process, however it ends.

    Raises:
        WoolError: another run holds it, or the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")
    except OSError as error:
        raise BadSetting("out", folder, f"cannot be written ({error.strerror}); choose another folder") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadSetting("out", folder, "another run is at work there; wait, or choose another folder") from None
        except OSError as error:
            raise BadSetting("out", folder, f"cannot be locked ({error.strerror}); choose another disk") from None
        cleanup.clear(folder)
        yield


def _tidy(chains: Sequence[Sequence[Unit]], folder: Path) -> None:
    """Brings the folder to the state that a run without interruption would have left."""
    cleanup.clear_records(folder)
    for chain in chains:
        units.clear_machine_failures(chain, folder)
        for unit in chain:
            if units.record(unit, folder) is None:
                # A damaged record, if any: that a file is there has to mean that the unit is done.
                units.remove(unit.record(folder))
        if not units.todo(chain, folder):
            units.drop_products(chain, folder)


def _outcome(everything: Sequence[Unit], folder: Path) -> Outcome:
    done = {unit.name: record for unit in everything if (record := units.record(unit, folder)) is not None}
    failures = {unit.name: units.attempts(unit, folder) for unit in everything if units.failed(unit, folder)}
    return Outcome(done, failures)


def _run_parallel(chains: Sequence[Sequence[Unit]], folder: Path, jobs: int, token: str) -> None:
    """Runs chains in worker processes, and replaces those that die."""
    while chains:
        try:
            workers.run(run_chain, [(chain, folder, token, os.getpid()) for chain in chains], jobs, folder)
            return
        except workers.WorkerDeath:
            # Which of the processes died is not known: whatever was at work is tried again, alone.
            suspects = [(chain, unit) for chain in chains if (unit := progress.at_work(chain, folder))]
            if not suspects:
                raise WoolError(
                    "worker processes die as they start, most likely because memory runs out; use fewer jobs"
                ) from None
            for _, unit in suspects:
                _note_death(unit, folder, "its process was killed, most likely because memory ran out")
            for chain, unit in suspects:
                _run_alone(chain, unit, folder, token)
            chains = [chain for chain in chains if units.todo(chain, folder)]


def _run_alone(chain: Sequence[Unit], unit: Unit, folder: Path, token: str) -> None:
    """Runs one unit of a chain in a process of its own, with nothing beside it."""
    try:
        workers.run(run_chain, [(chain, folder, token, os.getpid(), unit.name)], 1, folder)
    except workers.WorkerDeath:
        _note_death(unit, folder, "its process was killed again, though alone, most likely because memory ran out")


def _note_death(unit: Unit, folder: Path, reason: str) -> None:
    units.note_failure(unit, folder, Attempt("died", reason))
    progress.end(unit, folder)


def _run_on_cluster(chains: Sequence[Sequence[Unit]], folder: Path, scheduler: str, token: str) -> None:
    """Runs chains on a cluster; where it gives one up, units that do not need the failed one go on."""
    while chains:
        tasks = [(chain, folder, token) for chain in chains]
        given_up = set(workers.run_on_cluster(run_chain, tasks, scheduler, folder))
        left = [number for number, chain in enumerate(chains) if units.todo(chain, folder)]
        if not given_up.issuperset(left):
            # Workers that do not find the token of the run take it for gone, and end.
            rule = (
                f"workers ended without leaving results in {folder}; every machine of the cluster must see that folder "
                "under this path; then the same command goes on"
            )
            raise BadSetting("scheduler", scheduler, rule)
        chains = [chains[number] for number in left]
        for chain in chains:
            unit = progress.at_work(chain, folder) or units.todo(chain, folder)[0]
            # The cluster has tried it several times, so it has failed for good.
            for _ in range(ATTEMPTS):
                _note_death(unit, folder, "the cluster's workers died of it, most likely because memory ran out")


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
        OrphanedRun: another run has taken the folder over.
    """
    # Units that need one that failed cannot run, so what is left is determined again after each unit.
    names = [unit.name for unit in chain]
    while todo := units.todo(chain, folder):
        if last is not None and names.index(todo[0].name) > names.index(last):
            return
        _attempt(todo[0], folder, Heartbeat(todo[0], folder, token, main))
    units.drop_products(chain, folder)


def _attempt(unit: Unit, folder: Path, beat: Heartbeat) -> None:
    started, clock = time.time(), time.monotonic()
    beat(0, "starting")
    diverged = tuple(attempt for attempt in units.attempts(unit, folder) if attempt.kind == "diverged")
    try:
        found = unit.run(beat, len(diverged))
        beat.check()
        seconds = time.monotonic() - clock
        record = UnitRecord(**vars(found), started=started, seconds=seconds, attempts=diverged, kept=unit.keep)
        unit_records.write(unit.record(folder), record)
    except Unwritable:
        raise
    except Divergence as error:
        units.note_failure(unit, folder, Attempt("diverged", str(error)))
    except WoolError as error:
        units.note_failure(unit, folder, Attempt("mistake", str(error)))
    except Exception as error:  # Whatever it is, the other units can go on.
        reason = f"{type(error).__name__}: {in_one_line(error)}"
        units.note_failure(unit, folder, Attempt("error", reason, traceback.format_exc()))
    progress.end(unit, folder)
