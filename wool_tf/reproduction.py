"""The main job: from a folder of crops to a checked int8 model and a report."""

import dataclasses
import functools
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wool_tf import files, quiet
from wool_tf.data import dataset, folds
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.training import driver, records
from wool_tf.training.driver import Status, Unit
from wool_tf.training.settings import Settings

MODEL = "model"
"""Folder, in that of the run, of what goes to the board."""
BASELINE_FLOAT, COMPACT_FLOAT, COMPACT_INT8 = "baseline-float32", "compact-float32", "compact-int8"
SETUP_MACS = 3e11
"""What tracing a new network and scoring cost, in multiply-accumulates that the same time would have trained with."""


def run(
    settings: Settings,
    source: Path,
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
        source: folder of crops, as `dataset.load` reads it.
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
        say(f"reading {source}")
        images = dataset.load(source, settings.load_size, out / "cache")
        parts = folds.split(images.labels, images.groups, settings.folds, settings.seed)
        say(f"{len(images.labels)} images, {int(images.labels.sum())} defective, of {len(set(images.groups))} groups")
        # Not earlier: it takes seconds, and most mistakes are in what was checked so far.
        quiet.import_keras()
        from wool_tf.report import page, results
        from wool_tf.training import methods

        methods.final_stage(settings)
        _claim(out, settings, images)
        methods.initial_weights(settings, 0, _Fetching(say))
        chains = plan_units(settings, images, parts, out)
        say(f"training {settings.folds} folds and the final network, {jobs} at a time")
        finished = driver.run(chains, out / "units", jobs, show)
        say("writing the model and timing it")
        tflite = _write_model(settings, out)
        latency = _benchmark(benchmark, tflite)
        document = results.assemble(settings, images, parts, finished, tflite, latency, command)
        records.write(out / "results.json", document)
        page.write(document, out)
    return document


def plan_units(settings: Settings, images: Dataset, parts: Sequence[np.ndarray], out: Path) -> list[list[Unit]]:
    """Every unit of a run, in chains that can run side by side.

    A fold has a chain for each way that starts from the initial weights; the final network needs only the stages that
    lead to it.
    """
    from wool_tf.training import methods

    everything = np.arange(len(images.labels))
    splits = [(f"fold{number}", np.setdiff1d(everything, part), part) for number, part in enumerate(parts)]
    stages, final = methods.stages(settings), methods.final_stage(settings)
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
    return Unit(f"{fold.name}/{stage.name}", functools.partial(stage.run, stage, fold, settings), cost)


def _int8_unit(stage, fold, settings: Settings) -> Unit:
    work = functools.partial(quantise, stage.name, fold, settings)
    return Unit(f"{fold.name}/{stage.name}-int8", work, SETUP_MACS)


def quantise(stage: str, fold, settings: Settings, progress: Callable[[float, str], None]) -> dict:
    """Converts the network of a stage of a fold to int8 and compares it with the float one.

    The comparison is on the held-out images; the final network has none and is compared on its training images.

    Returns:
        The record; the file lies beside the checkpoint.
    """
    from wool_tf.deploy import calibration, convert, verify
    from wool_tf.networks import weights
    from wool_tf.training import methods, trainer
    from wool_tf.training.batches import centre_crop

    progress(0.1, "converting to int8")
    spec, arrays = weights.load(fold.checkpoint(stage))
    images, labels = centre_crop(fold.dataset.images, settings.image_size), fold.dataset.labels
    chosen = calibration.choose(labels, fold.train, fold.seed(settings, "calibration"))
    tflite = convert.convert(_network(spec, arrays), "int8", images[chosen])
    files.write(fold.folder / f"{stage}-int8.tflite", tflite)

    compared = fold.held_out if len(fold.held_out) else fold.train
    progress(0.6, "scoring with int8")
    scores = verify.predict(tflite, images[compared]).astype(np.float64)
    by_float = trainer.probabilities(trainer.logits(spec, arrays, fold.dataset.images, compared))
    record = {
        "stage": f"{stage}-int8",
        "file": convert.describe(tflite),
        "check": verify.compare(labels[compared], by_float, scores),
    }
    return record | (methods.held_out_record(fold, scores) if len(fold.held_out) else {})


def _network(spec, arrays):
    from wool_tf.networks import weights
    from wool_tf.networks.resnet import ResNet

    model = ResNet(spec)
    weights.assign(model, arrays)
    return model


def _claim(out: Path, settings: Settings, images: Dataset) -> None:
    """Makes the folder this run's, or refuses if it holds results of other settings or data."""
    claim = {"settings": dataclasses.asdict(settings), "data": images.fingerprint, "weights": _digest(settings.weights)}
    found = records.read(out / "run.json")
    if found is None:
        if (out / "units").exists():
            raise WoolError(f"--out={out}: holds results but no readable run.json; delete the folder or choose another")
        records.write(out / "run.json", claim)
        return
    if found["data"] != claim["data"]:
        raise WoolError(f"--out={out}: holds a run on other images; choose another folder")
    for name, value in claim["settings"].items():
        if found["settings"].get(name) != value:
            before = found["settings"].get(name)
            raise WoolError(f"--out={out}: holds a run with --{name}={before}, not {value}; choose another folder")
    if found["weights"] != claim["weights"]:
        raise WoolError(f"--out={out}: holds a run with other contents of {settings.weights}; choose another folder")


def _digest(weights: str) -> str | None:
    path = Path(weights)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _write_model(settings: Settings, out: Path) -> dict[str, Path]:
    """Writes the networks that are timed, and the final one for Keras and for the board; returns the TFLite files."""
    from wool_tf.deploy import convert
    from wool_tf.networks import weights

    final, folder = out / "units" / "final", out / MODEL
    folder.mkdir(exist_ok=True)
    tflite = {name: folder / f"{name}.tflite" for name in (BASELINE_FLOAT, COMPACT_FLOAT, COMPACT_INT8)}
    unpruned = _network(*weights.load(out / "units" / "fold0" / "baseline.safetensors"))
    files.write(tflite[BASELINE_FLOAT], convert.convert(unpruned, "fp32"))
    spec, arrays = weights.load(final / f"{settings.final}.safetensors")
    network = _network(spec, arrays)
    files.write(tflite[COMPACT_FLOAT], convert.convert(network, "fp32"))
    files.write(tflite[COMPACT_INT8], (final / f"{settings.final}-int8.tflite").read_bytes())
    weights.save(folder / "compact.safetensors", spec, arrays)
    _save_keras(network, folder / "compact.keras")
    return tflite


def _save_keras(network, path: Path) -> None:
    # Keras goes by the suffix, so the temporary name has it too.
    temporary = path.with_name(f".{path.name}")
    try:
        network.save(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise WoolError(f"{path}: cannot be written ({error.strerror or error}); free the disk") from None


class _Fetching:
    """Says now and then how far a download is."""

    SECONDS = 5.0

    def __init__(self, say: Callable[[str], None]):
        self.say, self.next = say, 0.0

    def __call__(self, done: int, size: int) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + self.SECONDS
            self.say(f"fetching weights: {done >> 20} of {size >> 20} MiB")


def _benchmark(program: Path, tflite: dict[str, Path]) -> dict:
    """What the board's own program measures on this machine, by model name in the place of the file."""
    command = [sys.executable, str(program), *map(str, tflite.values()), "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise WoolError(f"{program}: {finished.stderr.strip() or 'failed'}")
    document = json.loads(finished.stdout)
    for row, name in zip(document["models"], tflite, strict=True):
        row["model"] = name.replace("-", " ")
    return document
