"""A study: networks in repeated, group-disjoint cross-validation, their figures, and perhaps a model for a board.

The images are divided into folds that share no physical sample; every stage of every configuration is trained on each.
Where a model is delivered, the network of the final stage is converted to int8 on every fold, so that its figures are
those of unseen images too; then the same steps are done on all images, and what comes out goes into `model/`.
"""

import dataclasses
import importlib.util
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wool_tf import logs, quiet
from wool_tf.data import native_crops
from wool_tf.data.dataset import Dataset
from wool_tf.data.naming import AS_NAMED
from wool_tf.data.native_crops import Crops
from wool_tf.data.run_document import RunBinding
from wool_tf.errors import BadSetting, WoolError
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.networks import initial_weights
from wool_tf.simulation import simulated_crops
from wool_tf.study import assemble, baselines, delivery_units, driver, estimate, grid, results, run_binding, workers
from wool_tf.study.crop_source import CropSource
from wool_tf.study.driver import Outcome, Status, Unit
from wool_tf.study.evidence import Evidence
from wool_tf.study.results import Study
from wool_tf.study.workers import Workers
from wool_tf.training import recipes
from wool_tf.training.config import TrainingConfig

log = logging.getLogger(__name__)

UNITS = "units"
"""Folder, in that of a study, of the records and networks."""
MODEL = "model"
"""Folder, in that of a study, of what goes to the board."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is studied.

    Attributes:
        configs: of every configuration, as `grid.grid` makes them.
        rules: by which thresholds are chosen; that of a delivered model is the first.
        command: the command line, for the report.
        name: of the files of the report. Studies of different parts of the same protocol in one folder share their
            networks, and each has a report of its own, of what it was asked for.
        benchmark: the board's benchmark program, which times the model that is delivered; None: nothing is delivered.
        protocol: gives the stages of studies that deliver nothing; None: ours. Others are compared with.
    """

    configs: Sequence[TrainingConfig]
    rules: Sequence[ThresholdRule]
    command: str
    name: str
    benchmark: Path | None = None
    protocol: grid.Protocol | None = None

    @property
    def delivers(self) -> bool:
        """Whether a model for a board is made."""
        return self.benchmark is not None


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


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """The images of a study, its folds, those that are trained, and its units in chains that can run side by side."""

    crops: Crops
    images: Dataset
    folds: list[list[np.ndarray]]
    trained: list[list[np.ndarray]]
    chains: list[list[Unit]]


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
        WoolError: the data, a setting or the folder is not as it must be, or a network of a delivery could not be
            trained.
    """
    # The machines of a cluster have other working directories; the report names the folder as it was given.
    given, out = out, out.absolute()
    _check(request)
    with driver.exclusive(out):
        prepared = _prepared(request, source, out, team)
        if remark := run_binding.claim(out, _binding(request, prepared)):
            log.info(remark)
        run_binding.claim_folds(out, prepared.folds)
        total = sum(map(len, prepared.chains))
        log.info(f"training {total:,} networks of {len(request.configs)} configurations, {team.jobs} at a time")
        outcome = driver.run(prepared.chains, out / UNITS, team.jobs, show, team.scheduler)
        log.info("judging by thresholds and frozen features")
        return _concluded(request, prepared, outcome, out, given)


def _concluded(request: Request, prepared: _Prepared, outcome: Outcome, out: Path, given: Path) -> Study:
    """The results and the model of a study whose units are done."""
    images = prepared.images
    if request.delivers:
        _check_complete(outcome)
    evidence = Evidence(images, prepared.trained, outcome.records, request.rules)
    compared = baselines.judged(request.configs, evidence)
    study = assemble.study(
        request.configs, evidence, compared, outcome.failures, request.command, given, request.delivers
    )
    if request.benchmark is not None:
        from wool_tf.study import board_model

        log.info("writing the model and timing it")
        (config,) = request.configs
        delivery = board_model.deliver(
            config, evidence, compared, prepared.crops, out / UNITS, out / MODEL, request.benchmark
        )
        study = dataclasses.replace(study, delivery=delivery)
    results.write(out / f"{request.name}.json", study)
    return study


def plan(request: Request, source: CropSource, out: Path, team: Workers) -> Workload:
    """What `run` would do, and how long it would take on this machine: a few training steps of each depth are timed."""
    out = out.absolute()
    _check(request)
    with driver.exclusive(out):
        prepared = _prepared(request, source, out, team)
        run_binding.claim(out, _binding(request, prepared), write=False)
        left, done = driver.plan(prepared.chains, out / UNITS), driver.done(prepared.chains, out / UNITS)
    names = [config.configuration for config in request.configs]
    by_name = {name: sum(unit.name.startswith(f"{name}/") for chain in left for unit in chain) for name in names}
    jobs = team.jobs if team.scheduler is None else max(1, workers.workers(team.scheduler))
    works = estimate.works(request.configs, len(prepared.images.labels), left)
    return Workload(sum(map(len, prepared.chains)), done, by_name, jobs, estimate.makespan(works, jobs))


def load(source: CropSource, config: TrainingConfig, out: Path) -> Crops:
    """The crops of a study, simulated if there are none; says what was found.

    Raises:
        WoolError: the folder or its images are unusable.
    """
    folder = source.folder
    if folder is None:
        if source.reading.naming != AS_NAMED:
            raise BadSetting("data", None, "is missing; `sample_from` and labels say how its files are named")
        log.info(f"simulating {source.samples} samples")
        telling = logs.ProgressLog(log, "simulating scan")
        place = out / "simulated"
        folder = simulated_crops.write(place, source.samples, config.seed, source.contrast, telling)
    log.info(f"reading {folder}")
    telling = logs.ProgressLog(log, "reading image")
    crops = native_crops.load(folder, out / "cache", telling, source.reading)
    images = crops.native
    for remark in images.remarks:
        log.info(remark)
    if images.unlisted:
        log.info(f"{images.unlisted} images in class folders are not in the manifest, and are not used")
    for reason in images.skipped:
        log.info(f"skipped: {reason}")
    log.info(f"{len(images.labels)} images, {int(images.labels.sum())} defective, of {len(set(images.groups))} groups")
    return crops


def _check(request: Request) -> None:
    if request.delivers and request.configs[0].select == "best":
        rule = (
            "the delivered network is trained on all images and has none left to choose its epoch by; use last, or "
            "prune_kfold.py, which delivers nothing"
        )
        raise BadSetting("select", "best", rule)


def _check_complete(outcome: Outcome) -> None:
    for name, attempts in outcome.failures.items():
        raise WoolError(
            f"{name}: {attempts[-1].reason} ({len(attempts)} attempts); everything else is kept: change what it "
            "says, in a new folder if that is a setting of the training, or start again"
        )


def _prepared(request: Request, source: CropSource, out: Path, team: Workers) -> _Prepared:
    if team.tensorboard and not importlib.util.find_spec("tensorboard"):
        raise BadSetting("tensorboard", None, "needs TensorBoard; install wool_tf[tensorboard]")
    first = request.configs[0]
    # Checked, and fetched, before anything that takes long.
    for config in request.configs:
        fetching = logs.ProgressLog(log, "fetching weights, byte")
        initial_weights.resolve(config.weights, config.initial_spec, 0, progress=fetching)
        recipes.table(config)
        recipes.of_rounds(config)
    crops = load(source, first, out)
    run_binding.check_initial(request.configs, crops.native.fingerprint)
    images = crops.for_network(first.image_size, logs.ProgressLog(log, "resizing image"))
    folds = grid.split(first, images)
    trained = [parts[: first.first_folds or None] for parts in folds]
    _import_keras(request.delivers)
    curves = out / "tensorboard" if team.tensorboard else None
    if request.delivers:
        chains = delivery_units.plan(first, images, crops.native, trained, out / UNITS, team.keep_checkpoints)
    else:
        chains = [
            chain
            for config in request.configs
            for fold in grid.all_folds(config, images, trained, out / UNITS, curves)
            for chain in grid.chains(config, fold, team.keep_checkpoints, request.protocol)
        ]
    return _Prepared(crops, images, folds, trained, chains)


def _binding(request: Request, prepared: _Prepared) -> RunBinding:
    protocol = None if request.protocol is None else request.protocol.__module__
    return run_binding.of(request.configs, prepared.images, prepared.crops, protocol)


def _import_keras(converts: bool) -> None:
    # Not at the top: it takes seconds, and most mistakes are in what can be checked without.
    quiet.import_keras()
    import keras

    if converts and keras.backend.backend() != "tensorflow":
        raise WoolError(f"KERAS_BACKEND={keras.backend.backend()}: conversion to TFLite needs KERAS_BACKEND=tensorflow")
