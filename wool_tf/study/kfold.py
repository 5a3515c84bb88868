"""The paper's protocol: many configurations in repeated cross-validation, with tables beside the paper's."""

import dataclasses
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from wool_tf import environment, quiet
from wool_tf.baselines import frozen_features, thresholding
from wool_tf.data import native
from wool_tf.data.batches import per_epoch
from wool_tf.data.dataset import Dataset
from wool_tf.data.native import Crops
from wool_tf.errors import WoolError
from wool_tf.networks import initial_weights
from wool_tf.say import NowAndThen
from wool_tf.simulation import simulated_crops
from wool_tf.study import driver, estimate, grid, manifest, records, workers
from wool_tf.study.driver import Outcome, Status, Unit
from wool_tf.study.estimate import Speed, Work
from wool_tf.study.job import OperatingPoint, Source, Workers
from wool_tf.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run would do.

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


def load(source: Source, settings: TrainingConfig, out: Path, say: Callable[[str], None]) -> Crops:
    """The crops of a run, simulated if there are none; says what was found.

    Raises:
        WoolError: the folder or its images are unusable.
    """
    folder = source.folder
    if folder is None:
        say(f"simulating {source.samples} samples")
        telling = NowAndThen(say, "simulating scan")
        place = out / "simulated"
        folder = simulated_crops.write(place, source.samples, settings.seed, source.contrast, say, telling)
    say(f"reading {folder}")
    crops = native.load(folder, out / "cache", NowAndThen(say, "reading image"), source.on_bad_image)
    images = crops.native
    if images.unlisted:
        say(f"{images.unlisted} images in class folders are not in the manifest, and are not used")
    for reason in images.skipped:
        say(f"skipped: {reason}")
    say(f"{len(images.labels)} images, {int(images.labels.sum())} defective, of {len(set(images.groups))} groups")
    return crops


def run(
    configs: Sequence[TrainingConfig],
    source: Source,
    out: Path,
    team: Workers,
    operating: OperatingPoint,
    name: str,
    command: str,
    show: Callable[[Status], None],
    say: Callable[[str], None],
) -> dict:
    """Runs the protocol, or goes on with the one that is in the folder.

    Arguments:
        configs: settings of every configuration, as `grid.grid` makes them.
        source: Source.
        out: folder of the run.
        team: who does the work.
        operating: what thresholds are to reach.
        name: of the files of the report. Runs with different parts of the same protocol in one folder share their
            networks, and each has a report of its own, of what it was asked for.
        command: the command line, for the report.
        show: told the status of the training about twice a second.
        say: told of each step, in a line.

    Returns:
        The results document, which is also in `NAME.json`, `NAME.html`, `NAME.md`, `NAME-table1.csv` and, if anything
        was pruned, `NAME-table2.csv` of the folder. It lists failed units under `failures`.

    Raises:
        WoolError: the data, a setting or the folder is not as it must be.
    """
    # The machines of a cluster have other working directories.
    out = out.absolute()
    with driver.exclusive(out):
        crops, images, parts, chains = _prepared(configs, source, out, team, say)
        if remark := manifest.claim(out, configs, images, source=crops.binding()):
            say(remark)
        manifest.claim_folds(out, parts)
        say(f"training {sum(map(len, chains)):,} networks of {len(configs)} configurations")
        outcome = driver.run(chains, out / "units", team.jobs, show, team.scheduler)
        say("judging by thresholds and frozen features, and writing the report")
        return _reported(configs, images, parts, outcome, out, name, command, operating)


def plan(
    configs: Sequence[TrainingConfig], source: Source, out: Path, team: Workers, say: Callable[[str], None]
) -> Plan:
    """What `run` would do, and how long it would take on this machine: a few training steps of each depth are timed."""
    with driver.exclusive(out):
        crops, images, _, chains = _prepared(configs, source, out, team, say)
        manifest.claim(out, configs, images, write=False, source=crops.binding())
        left, done = driver.plan(chains, out / "units"), driver.done(chains, out / "units")
    names = [settings.configuration for settings in configs]
    by_name = {name: sum(unit.name.startswith(f"{name}/") for chain in left for unit in chain) for name in names}
    jobs = team.jobs if team.scheduler is None else max(1, workers.workers(team.scheduler))
    seconds = estimate.makespan(_works(configs, len(images.labels), left, say), jobs)
    return Plan(sum(map(len, chains)), done, by_name, jobs, seconds)


def _prepared(configs, source, out, team, say) -> tuple[Crops, Dataset, list, list[list[Unit]]]:
    if team.tensorboard and not importlib.util.find_spec("tensorboard"):
        raise WoolError("--tensorboard: needs TensorBoard; install wool_tf[tensorboard]")
    # Checked, and fetched, before anything that takes long.
    for settings in configs:
        initial_weights.resolve(
            settings.weights, settings.initial_spec, 0, progress=NowAndThen(say, "fetching weights, byte")
        )
    crops = load(source, configs[0], out, say)
    manifest.check_initial(configs, crops.native.fingerprint)
    images = crops.for_network(configs[0].image_size, NowAndThen(say, "resizing image"))
    parts = grid.split(configs[0], images)
    quiet.import_keras()
    logs = out / "tensorboard" if team.tensorboard else None
    chains = [
        chain
        for settings in configs
        for fold in grid.splits(settings, images, parts, out / "units", logs)
        for chain in grid.chains(settings, fold, team.keep)
    ]
    return crops, images, parts, chains


def _works(
    configs: Sequence[TrainingConfig], images: int, chains: Sequence[Sequence[Unit]], say: Callable[[str], None]
) -> list[list[Work]]:
    """What the time of the units of each chain depends on; times the depths that occur."""
    from wool_tf.training import methods

    stages = {(one.configuration, stage.name): (one, stage) for one in configs for stage in methods.stages(one)}
    held_out, speeds, works = -(-images // configs[0].folds), {}, []
    for chain in chains:
        works.append([])
        for unit in chain:
            settings, stage = stages[unit.name.partition("/")[0], unit.name.rpartition("/")[2]]
            if settings.depth not in speeds:
                say(f"timing training steps of ResNet-{settings.depth}")
                speeds[settings.depth] = _speed(settings, held_out)
            # Every batch is filled up.
            trained = per_epoch(images - held_out, settings.batch_size) * settings.batch_size
            masked = stage.after is not None and settings.finetune == "masked"
            architecture = stage.trained, settings.optimizer, masked
            works[-1].append(Work(architecture, stage.macs(trained), speeds[settings.depth]))
    return works


def _speed(settings: TrainingConfig, held_out: int) -> Speed:
    """How fast baselines of a depth are trained here, each with the scoring of some images."""
    import numpy as np

    from wool_tf.networks import complexity
    from wool_tf.training import trainer

    spec, count = settings.initial_spec, settings.batch_size
    # Not all equal: denormal numbers would be slow.
    images = np.random.default_rng(0).integers(0, 256, (count, settings.load_size, settings.load_size), np.uint8)
    weights, labels = initial_weights.resolve("none", spec, 0), np.arange(count) % 2
    course = trainer.Course(1, count, settings.optimizer, 1e-9)

    def train(steps: int) -> None:
        chosen = np.resize(np.arange(count), steps * count)
        trained, _ = trainer.train(spec, weights, images, labels, chosen, course, 0, lambda *_: None)
        trainer.logits(spec, trained, images, np.resize(np.arange(count), held_out))

    return estimate.measure(train, 3 * complexity.macs(spec) * count)


def _reported(
    configs, images: Dataset, parts, outcome: Outcome, out: Path, name: str, command: str, operating: OperatingPoint
) -> dict:
    from wool_tf.report import page, protocol_export
    from wool_tf.report import protocol as report
    from wool_tf.training import methods

    document = report.assemble(
        configurations=configs,
        stages={stage.name: stage.title for stage in methods.stages(configs[0])},
        images=images,
        parts=parts,
        records=outcome.records,
        failures=[{"unit": name, "attempts": attempts} for name, attempts in outcome.failures.items()],
        thresholding=thresholding.evaluate_repeats(images.images, images.labels, parts),
        frozen_features=frozen_features.evaluate_grid(configs, images.images, images.labels, parts),
        environment=environment.describe(),
        command=command,
        required_recall=operating.recall,
        cost_ratio=operating.cost_ratio,
    )
    records.write(out / f"{name}.json", document)
    page.write_protocol(document, out, name)
    protocol_export.write(document, out, name)
    return document
