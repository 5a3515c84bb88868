"""A study: networks in repeated, group-disjoint cross-validation, their figures, and perhaps a model for a board.

The images are divided into folds that share no physical sample; every stage of every configuration is trained on each.
Where a model is delivered, the network of the final stage is converted to int8 on every fold, so that its figures are
those of unseen images too; then the same steps are done on all images, and what comes out goes into `model/`.
"""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

from wool_tf.data.crop_reading import CropReading
from wool_tf.data.run_document import RunBinding
from wool_tf.study import (
    assemble,
    baselines,
    delivery_units,
    driver,
    estimate,
    preparation,
    results,
    run_binding,
    workers,
)
from wool_tf.study.crop_source import CropSource
from wool_tf.study.driver import Outcome, Status
from wool_tf.study.evidence import Evidence
from wool_tf.study.preparation import Prepared
from wool_tf.study.request import Request
from wool_tf.study.results import Study
from wool_tf.study.workers import Workers

log = logging.getLogger(__name__)

MODEL = "model"
"""Folder, in that of a study, of what goes to the board."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """What a study would do.

    Attributes:
        units: of all.
        done: units that have their records.
        left: units that have to run, by configuration.
        workers: processes that would be at work at the same time.
        seconds: estimate of the time that they take, if each is as fast as this machine.
    """

    units: int
    done: int
    left: dict[str, int]
    workers: int
    seconds: float


def run(
    request: Request,
    source: CropSource,
    out: Path,
    team: Workers,
    show: Callable[[Status], None],
) -> Study:
    """Runs a study, or goes on with the one that is in the folder.

    Arguments:
        request: Request.
        source: CropSource.
        out: folder of the study.
        team: who does the work.
        show: told the status of the training about twice a second.

    Returns:
        The Study, which is also in `NAME.json` of the folder. It lists units that failed.

    Raises:
        WoolError: the data, a setting or the folder is not as it must be, or a network that a delivery needs could
            not be trained.
    """
    # The machines of a cluster have other working directories; the report names the folder as it was given.
    given, out = out, out.absolute()
    request.check()
    with driver.exclusive(out):
        prepared = preparation.prepare(request, source, out, team)
        if remark := run_binding.claim(out, _binding(request, prepared)):
            log.info(remark)
        run_binding.claim_folds(out, prepared.folds)
        total = sum(map(len, prepared.chains))
        log.info(f"training {total:,} networks of {len(request.configs)} configurations, {team.jobs} at a time")
        outcome = driver.run(prepared.chains, prepared.folder, team.jobs, show, team.scheduler)
        log.info("judging by thresholds and frozen features")
        return _concluded(request, prepared, outcome, out, given, source.reading)


def _concluded(
    request: Request, prepared: Prepared, outcome: Outcome, out: Path, given: Path, reading: CropReading
) -> Study:
    """The results and the model of a study whose units are done."""
    images = prepared.images
    if request.delivers:
        delivery_units.check(request.configs[0], prepared.chains, outcome)
    evidence = Evidence(images, prepared.trained, outcome.records, request.rules)
    compared = baselines.judged(request.configs, evidence)
    study = assemble.study(
        request.configs, evidence, compared, outcome.failures, request.command, given, request.delivers
    )
    study = dataclasses.replace(study, reading=reading)
    if request.benchmark is not None:
        from wool_tf.study import board_model

        log.info("writing the model and timing it")
        (config,) = request.configs
        delivery = board_model.deliver(
            config, evidence, compared, prepared.crops, prepared.folder, out / MODEL, request.benchmark
        )
        study = dataclasses.replace(study, delivery=delivery)
    results.write(out / f"{request.name}.json", study)
    return study


def plan(request: Request, source: CropSource, out: Path, team: Workers) -> Workload:
    """What `run` would do, and how long it would take on this machine: a few training steps of each depth are timed."""
    out = out.absolute()
    request.check()
    with driver.exclusive(out):
        prepared = preparation.prepare(request, source, out, team)
        run_binding.claim(out, _binding(request, prepared), write=False)
        left, done = driver.plan(prepared.chains, prepared.folder), driver.done(prepared.chains, prepared.folder)
    names = [config.configuration for config in request.configs]
    by_name = {name: sum(unit.name.startswith(f"{name}/") for chain in left for unit in chain) for name in names}
    jobs = team.jobs if team.scheduler is None else max(1, workers.workers(team.scheduler))
    works = estimate.works(request.configs, len(prepared.images.labels), left)
    return Workload(sum(map(len, prepared.chains)), done, by_name, jobs, estimate.makespan(works, jobs))


def _binding(request: Request, prepared: Prepared) -> RunBinding:
    protocol = None if request.protocol is None else request.protocol.__module__
    return run_binding.of(request.configs, prepared.images, prepared.crops, protocol)
