"""One search from the crops to a flagfile."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wool_tf import logs, quiet
from wool_tf.errors import BadSetting
from wool_tf.networks import initial_weights
from wool_tf.report.tables import Table
from wool_tf.search import optimisation, outcome, space, trials
from wool_tf.search.config import Search
from wool_tf.search.optimisation import OBJECTIVE, SearchStudy, Trial
from wool_tf.search.space import Choice, Range
from wool_tf.study import driver, grid, preparation, run_binding, units
from wool_tf.study.crop_source import CropSource
from wool_tf.study.driver import Status
from wool_tf.training.config import TrainingConfig

log = logging.getLogger(__name__)

JOURNAL = "study.journal"


def run(
    base: TrainingConfig,
    search: Search,
    source: CropSource,
    out: Path,
    jobs: int,
    command: str,
    show: Callable[[Status], None],
    clock: Callable[[], float] = time.monotonic,
) -> Table:
    """Searches for the settings that give the least log loss, or goes on with the search that is in the folder.

    Arguments:
        base: TrainingConfig that are given, with which the first trial is trained.
        search: Search.
        source: CropSource.
        out: folder of the search.
        jobs: processes that train at the same time; there is work for one per fold.
        command: the command line, for the document.
        show: told the status of the training about twice a second.
        clock: gives the time in seconds.

    Returns:
        The table of the best trials, which is also in `search.md` of the folder, beside `search.json` and `best.cfg`,
        a flagfile of reproduce.py.

    Raises:
        WoolError: Optuna is missing, the data, a setting or the folder is not as it must be, or no trial is complete.
    """
    end = clock() + 3600 * search.hours
    optimisation.check_installed()
    found = space.resolve(base, search.stage)
    least = space.restricted(base, search.stage)
    if not 1 <= search.first_folds <= base.folds:
        raise BadSetting("first_folds", search.first_folds, f"must be from 1 to the {base.folds} folds")
    with driver.exclusive(out):
        made = _prepared(least, search, found, source, out, jobs, show)
        first = {name: getattr(base, name) for name in found}
        remembered = SearchStudy(out / JOURNAL, found, first, base.seed)
        _tidy(remembered.trials, least, out)

        def report() -> Table | None:
            return _report(remembered, base, search, found, source, out, command)

        def prepare(number: int, values: Mapping) -> optimisation.TrialSteps:
            log.info(f"trial {number}: {' '.join(f'{name}={outcome.shown(value)}' for name, value in values.items())}")
            return made.work(space.with_values(least, values))

        def ended(trial: Trial) -> None:
            log.info(_line(trial, remembered.best))
            report()

        remembered.run(prepare, lambda: clock() < end, ended, search.trials)
        best = report()
    if best is None:
        raise _nothing(search, remembered.trials)
    return best


def _prepared(
    settings: TrainingConfig,
    search: Search,
    found: Mapping[str, Choice | Range],
    source: CropSource,
    out: Path,
    jobs: int,
    show: Callable[[Status], None],
) -> trials.Trials:
    # Checked, and fetched, before anything that takes long.
    fetching = logs.ProgressLog(log, "fetching weights, byte")
    initial_weights.resolve(settings.weights, settings.initial_spec, 0, progress=fetching)
    crops = preparation.load(source, settings, out)
    images = crops.for_network(settings.image_size, logs.ProgressLog(log, "resizing image"))
    (parts,) = grid.split(settings, images)
    quiet.import_keras()
    # Other values of these would be another search, not more of this one.
    bound = {name: getattr(settings, name) for name in run_binding.CHOICES} | {"asfp_rates": list(settings.asfp_rates)}
    bound |= {"controls": [], "first_folds": search.first_folds, "space": _words(found)}
    if remark := run_binding.claim(out, run_binding.of([settings], images, crops, search=bound)):
        log.info(remark)
    run_binding.claim_folds(out, [parts])
    return trials.Trials(images, parts[: search.first_folds], out, jobs, show)


def _report(
    remembered: SearchStudy,
    base: TrainingConfig,
    search: Search,
    found: Mapping[str, Choice | Range],
    source: CropSource,
    out: Path,
    command: str,
) -> Table | None:
    """Writes what is known by now; the table, if there is one."""
    ended, best = remembered.trials, remembered.best
    settings = space.with_values(base, {**best.values, "final": search.stage}) if best else None
    by_now = outcome.SearchOutcome(
        stage=search.stage,
        first_folds=search.first_folds,
        hours=search.hours,
        folds=base.folds,
        space=_words(found),
        command=command,
        trials=tuple(ended),
        best=best.number if best else None,
        settings=settings,
    )
    folds = f"{'fold 1' if search.first_folds == 1 else f'folds 1 to {search.first_folds}'} of {base.folds}"
    table = outcome.table(ended, search.stage, folds) if best else None
    flags = outcome.flagfile(settings, source, out / "best") if settings else None
    outcome.write(by_now, table, flags, out)
    return table


def _words(found: Mapping[str, Choice | Range]) -> dict[str, str]:
    return {name: str(values) for name, values in found.items()}


def _line(trial: Trial, best: Trial | None) -> str:
    if trial.state == "failed":
        result = f"failed: {trial.reason}"
    else:
        result = f"log loss {trial.figures[OBJECTIVE]:.3f}, accuracy {100 * trial.figures['accuracy']:.1f} %"
    if trial.state == "stopped":
        result = f"stopped, being worse than most before pruning: {result}"
    so_far = f"; best so far: trial {best.number}, {best.figures[OBJECTIVE]:.3f}" if best else ""
    return f"trial {trial.number}: {result}{so_far}"


def _nothing(search: Search, ended: Sequence[Trial]) -> BadSetting:
    if search.trials is not None and len(ended) >= search.trials:
        rule = f"none is complete; allow more; the last failed: {ended[-1].reason}"
        return BadSetting("trials", search.trials, rule)
    return BadSetting("hours", search.hours, "no trial is complete yet; the same command goes on where this one ended")


def _tidy(ended: Sequence[Trial], least: TrainingConfig, out: Path) -> None:
    """Removes what is left where a process was killed as it removed the networks of a trial."""
    for trial in ended:
        settings = space.with_values(least, trial.values)
        for path in (out / trials.FOLDER / trials.digest(settings)).rglob("*.safetensors"):
            units.remove(path)
