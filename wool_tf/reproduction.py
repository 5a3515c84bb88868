"""The main job: from a folder of crops to a checked int8 model and a report."""

import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wool_tf import files, quiet
from wool_tf.data import dataset, folds, simulate
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.networks import starting
from wool_tf.training import claim, driver, records
from wool_tf.training.driver import Status, Unit
from wool_tf.training.settings import Settings

MODEL = "model"
"""Folder, in that of the run, of what goes to the board."""
SIMULATED_SIDE = 244
COMPARED = 1000
"""Images on which the final int8 and float network are compared, at most."""
SETUP_MACS = 3e11
"""What tracing a new network and scoring cost, in multiply-accumulates that the same time would have trained with."""


def run(
    settings: Settings,
    source: Path | None,
    samples: int,
    out: Path,
    jobs: int,
    benchmark: Path,
    command: str,
    show: Callable[[Status], None],
    say: Callable[[str], None],
) -> dict:
    """Runs the main job, or goes on with the one that is in the folder.

    The images are split into group-disjoint folds; every stage is trained on each; the network of the final stage is
    converted to int8, per fold, so that its metrics are those of unseen images too; then the final recipe is trained
    on all images and written into `model/`, and this machine's latencies are measured.

    Arguments:
        settings: Settings.
        source: folder of crops, as `dataset.load` reads it, or None for simulated ones.
        samples: simulated samples, where there is no source.
        out: folder of the run.
        jobs: processes that train at the same time.
        benchmark: the board's benchmark program.
        command: the command line, for the report.
        show: told the status of the training about twice a second.
        say: told of each step, in a line.

    Returns:
        The results document, which is also in `results.json`, `report.html` and `report.md` of the folder.

    Raises:
        WoolError: the data, a setting or the folder is not as it must be.
    """
    with driver.exclusive(out):
        if source is None:
            say(f"simulating {samples} samples")
            source = simulate.write_samples(out / "simulated", samples, settings.seed, SIMULATED_SIDE)
        # Checked, and fetched, before anything that takes long.
        fetching = _NowAndThen(say, "fetching weights, byte")
        starting.resolve(settings.weights, settings.initial_spec, 0, progress=fetching)
        say(f"reading {source}")
        images = dataset.load(source, settings.load_size, out / "cache", _NowAndThen(say, "reading image"))
        parts = folds.split(images.labels, images.groups, settings.folds, settings.seed)
        say(f"{len(images.labels)} images, {int(images.labels.sum())} defective, of {len(set(images.groups))} groups")
        _import_keras()
        from wool_tf.deploy import delivery
        from wool_tf.report import page, results

        claim.claim(out, settings, images)
        chains = plan_units(settings, images, parts, out)
        say(f"training {settings.folds} folds and the final network, {jobs} at a time")
        finished = driver.run(chains, out / "units", jobs, show)
        say("writing the model and timing it")
        final = out / "units" / "final" / settings.final
        unpruned = out / "units" / "fold0" / "baseline.safetensors"
        int8 = final.with_name(f"{settings.final}-int8.tflite")
        tflite = delivery.write(out / MODEL, unpruned, final.with_suffix(".safetensors"), int8)
        latency = _timed(benchmark, tflite, out / MODEL / "latency.json")
        document = results.assemble(settings, images, parts, finished, tflite, latency, command)
        records.write(out / "results.json", document)
        page.write(document, out)
    return document


def _import_keras() -> None:
    # Not at the top: it takes seconds, and most mistakes are in what can be checked without.
    try:
        quiet.import_keras()
    except ImportError as error:
        raise WoolError(f"KERAS_BACKEND={os.environ.get('KERAS_BACKEND', '')}: cannot be imported ({error})") from None
    import keras

    if keras.backend.backend() != "tensorflow":
        raise WoolError(f"KERAS_BACKEND={keras.backend.backend()}: conversion to TFLite needs KERAS_BACKEND=tensorflow")


def plan_units(settings: Settings, images: Dataset, parts: Sequence[np.ndarray], out: Path) -> list[list[Unit]]:
    """Every unit of a run, in chains that can run side by side.

    A fold has a chain for each way that starts from the initial weights; the final network needs only the stages that
    lead to it.
    """
    from wool_tf.training import methods

    everything = np.arange(len(images.labels))
    splits = [(f"fold{number}", np.setdiff1d(everything, part), part) for number, part in enumerate(parts)]
    stages = methods.stages(settings)
    final = stages[settings.stages.index(settings.final)]
    chains = []
    for name, train, held_out in [*splits, ("final", everything, everything[:0])]:
        fold = methods.Fold(name, images, train, held_out, out / "units" / name)
        for ways in _chains(stages):
            if name == "final":
                if final not in ways:
                    continue
                ways = ways[: ways.index(final) + 1]
            chain = [_training_unit(stage, fold, settings) for stage in ways]
            if final in ways:
                chain.insert(ways.index(final) + 1, _int8_unit(final, fold, settings))
            chains.append(chain)
    return chains


def _chains(stages: Sequence) -> list[list]:
    """Stages in order, parted where one starts from the initial weights."""
    chains = []
    for stage in stages:
        if stage.after is None:
            chains.append([])
        chains[-1].append(stage)
    return chains


def _training_unit(stage, fold, settings: Settings) -> Unit:
    cost = stage.macs(len(fold.train)) + SETUP_MACS
    work = functools.partial(stage.run, fold, settings)
    return Unit(f"{fold.name}/{stage.name}", work, cost, (fold.checkpoint(stage.name),))


def _int8_unit(stage, fold, settings: Settings) -> Unit:
    work = functools.partial(quantise, stage.name, fold, settings)
    return Unit(f"{fold.name}/{stage.name}-int8", work, SETUP_MACS, (fold.folder / f"{stage.name}-int8.tflite",))


def quantise(stage: str, fold, settings: Settings, progress: Callable[[float, str], None]) -> dict:
    """Converts the network of a stage of a fold to int8 and scores the held-out images with it.

    The final network has none, and is compared with its float form on some images that it was trained on.

    Returns:
        The record; the file lies beside the checkpoint.
    """
    from wool_tf.deploy import calibration, convert, verify
    from wool_tf.networks import resnet, weights
    from wool_tf.training import methods, trainer
    from wool_tf.training.batches import centre_crop

    progress(0.1, "converting to int8")
    spec, arrays = weights.load(fold.checkpoint(stage))
    images, labels = centre_crop(fold.dataset.images, settings.image_size), fold.dataset.labels
    chosen = calibration.choose(labels, fold.train, fold.seed(settings, "calibration"))
    tflite = convert.convert(resnet.restored(spec, arrays), "int8", images[chosen])
    files.write(fold.folder / f"{stage}-int8.tflite", tflite)

    progress(0.6, "scoring with int8")
    record = {"stage": f"{stage}-int8", "file": convert.describe(tflite)}
    if len(fold.held_out):
        scores = verify.predict(tflite, images[fold.held_out]).astype(np.float64)
        return record | methods.held_out_record(fold, scores)
    compared = calibration.choose(labels, fold.train, fold.seed(settings, "compared"), COMPARED)
    by_int8 = verify.predict(tflite, images[compared]).astype(np.float64)
    by_float = trainer.probabilities(trainer.logits(spec, arrays, fold.dataset.images, compared))
    return record | {"check": verify.compare(labels[compared], by_float, by_int8)}


def _timed(program: Path, tflite: dict[str, Path], record: Path) -> dict:
    """The latencies, measured once for the same files."""
    from wool_tf.deploy import delivery

    digests = {name: files.sha256(path) for name, path in tflite.items()}
    found = records.read(record)
    if found is None or found["files"] != digests:
        found = {"files": digests, **delivery.latency(program, tflite)}
        records.write(record, found)
    return found


class _NowAndThen:
    """Says how far something is that usually takes no time."""

    SECONDS = 5.0

    def __init__(self, say: Callable[[str], None], what: str):
        self.say, self.what, self.next = say, what, time.monotonic() + self.SECONDS

    def __call__(self, done: int, size: int) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + self.SECONDS
            self.say(f"{self.what} {done:,} of {size:,}")
