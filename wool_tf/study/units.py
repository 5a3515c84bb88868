"""Units of work: which are done, which have failed and which are left, as the files beside their records say."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from wool_tf import records
from wool_tf.errors import Unwritable
from wool_tf.networks import unit_records
from wool_tf.networks.unit_records import Attempt, Result, UnitRecord
from wool_tf.progress import Progress

ATTEMPTS = 2
"""At what may go well another time: a mistake of the user is made once."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """One piece of work with one record.

    Attributes:
        name: `resnet18-adam-none/repeat0/fold0/hard1`; its record is `<name>.json` in the folder of the records.
        run: does the work and returns what it found. Is told how to report progress, and the number of the attempt,
            from 0. Must be picklable.
        cost: expected time, in any unit that is the same for all.
        product: file that the work leaves besides the record, or None.
        needs: names of earlier units of the chain whose products the work reads.
        keep: whether the product stays when the chain is done.
    """

    name: str
    run: Callable[[Progress, int], Result]
    cost: float
    product: Path | None = None
    needs: tuple[str, ...] = ()
    keep: bool = True

    def record(self, folder: Path) -> Path:
        """Path of its record."""
        return folder / f"{self.name}.json"

    def failure(self, folder: Path) -> Path:
        """Path of the note of its failed attempts."""
        return folder / f"{self.name}.failed.json"

    @property
    def lost(self) -> bool:
        """Whether its product is not there."""
        return self.product is not None and not self.product.exists()


@dataclasses.dataclass(frozen=True)
class _Note:
    """The note of a unit's failed attempts."""

    unit: str
    attempts: tuple[Attempt, ...]


def record(unit: Unit, folder: Path) -> UnitRecord | None:
    """The record of a unit, or None where it is missing or damaged: then the unit is not done.

    Raises:
        WoolError: as `unit_records.read`.
    """
    return unit_records.read(unit.record(folder))


def todo(chain: Sequence[Unit], folder: Path, ignore_machine_failures: bool = False) -> list[Unit]:
    """The units of a chain that have to run: those without a record, and those whose lost product one of them needs.

    Arguments:
        chain: units, in order.
        folder: of the records.
        ignore_machine_failures: whether to count as if `clear_machine_failures` had been called.
    """
    done = {unit.name for unit in chain if record(unit, folder) is not None}
    lacking = {unit.name for unit in chain if unit.name not in done or unit.lost}
    blocked: set[str] = set()
    for unit in chain:
        if unit.name in lacking and (
            blocked.intersection(unit.needs) or _exhausted(unit, folder, ignore_machine_failures)
        ):
            blocked.add(unit.name)
    found, needed = [], set[str]()
    for unit in reversed(chain):
        wanted = unit.name not in done or unit.keep or unit.name in needed
        if wanted and unit.name in lacking - blocked:
            found.append(unit)
            needed.update(unit.needs)
    return found[::-1]


def failed(unit: Unit, folder: Path) -> bool:
    """Whether a unit was tried often enough, and its record or what it was to leave is still missing."""
    return _exhausted(unit, folder) and (unit.lost or record(unit, folder) is None)


def attempts(unit: Unit, folder: Path) -> tuple[Attempt, ...]:
    """The failed attempts of a unit; a damaged note counts as none."""
    found = records.read_as(unit.failure(folder), _Note)
    return found.attempts if found else ()


def note_failure(unit: Unit, folder: Path, attempt: Attempt) -> None:
    """Adds a failed attempt to the note of a unit."""
    _note(unit, folder, (*attempts(unit, folder), attempt))


def clear_machine_failures(units: Sequence[Unit], folder: Path) -> None:
    """Clears failures other than divergence, which may have had causes outside of the work: they are tried again."""
    for unit in units:
        found = attempts(unit, folder)
        kept = tuple(attempt for attempt in found if attempt.kind == "diverged")
        if kept and kept != found:
            _note(unit, folder, kept)
        elif not kept:
            remove(unit.failure(folder))


def drop_products(chain: Sequence[Unit], folder: Path) -> None:
    """Removes what a chain with nothing left to do need not keep; what an earlier run was to keep stays."""
    for unit in chain:
        if unit.product is None or unit.keep:
            continue
        found = record(unit, folder)
        if found is None or not found.kept:
            remove(unit.product)


def remove(path: Path) -> None:
    """Removes a file that may be there.

    Raises:
        Unwritable: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Unwritable(
            f"{path}: cannot be removed ({error.strerror}); make its folder writable, or choose another folder"
        ) from None


def _exhausted(unit: Unit, folder: Path, ignore_machine_failures: bool = False) -> bool:
    kinds = [attempt.kind for attempt in attempts(unit, folder)]
    if ignore_machine_failures:
        kinds = [kind for kind in kinds if kind == "diverged"]
    # By kind: how often training may diverge must not depend on how often the machine fails.
    return "mistake" in kinds or any(kinds.count(kind) >= ATTEMPTS for kind in kinds)


def _note(unit: Unit, folder: Path, found: tuple[Attempt, ...]) -> None:
    records.write(unit.failure(folder), _Note(unit.name, found))
