"""The main job: from a folder of crops to a checked int8 model and a report."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wool_tf import files, quiet
from wool_tf.data import dataset, folds, simulate
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.networks import imagenet
from wool_tf.training import driver, records
from wool_tf.training.driver import Status, Unit
from wool_tf.training.settings import Settings

MODEL = "model"
"""Folder, in that of the run, of what goes to the board."""
BASELINE_FLOAT, COMPACT_FLOAT, COMPACT_INT8 = "baseline-float32", "compact-float32", "compact-int8"
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
        imagenet.resolve(settings.weights, settings.initial_spec, 0, progress=fetching)
        say(f"reading {source}")
        images = dataset.load(source, settings.load_size, out / "cache", _NowAndThen(say, "reading image"))
        parts = folds.split(images.labels, images.groups, settings.folds, settings.seed)
        say(f"{len(images.labels)} images, {int(images.labels.sum())} defective, of {len(set(images.groups))} groups")
        _import_keras()
        from wool_tf.report import page, results

        _claim(out, settings, images)
        chains = plan_units(settings, images, parts, out)
        say(f"training {settings.folds} folds and the final network, {jobs} at a time")
        finished = driver.run(chains, out / "units", jobs, show)
        tflite = _write_model(settings, out, say)
        latency = _latency(benchmark, tflite, out / MODEL / "latency.json", say)
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
    """Converts the network of a stage of a fold to int8 and compares it with the float one.

    The comparison is on the held-out images; the final network has none and is compared on some that it was trained on.

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

    compared = fold.held_out
    if not len(compared):
        compared = calibration.choose(labels, fold.train, fold.seed(settings, "compared"), COMPARED)
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
    """Makes the folder this run's, or refuses if it holds results of other settings, images or versions."""
    claim = {
        "settings": dataclasses.asdict(settings),
        "images": images.fingerprint,
        "contents of --weights": _digest(settings.weights),
        "versions": {name: importlib.metadata.version(name) for name in ("wool_tf", "keras", "tensorflow")},
    }
    found = records.read(out / "run.json")
    if found is None:
        if (out / "units").exists():
            raise WoolError(f"--out={out}: holds results but no readable run.json; delete the folder or choose another")
        records.write(out / "run.json", claim)
    elif difference := _difference(found, claim):
        raise WoolError(f"--out={out}: holds a run with {difference}; choose another folder")


def _difference(found, claim: dict) -> str | None:
    """What is not the same in the run of a folder and in this one, in a few words."""
    if not isinstance(found, dict) or set(found) != set(claim):
        return "a run.json of another version"
    for name, value in claim["settings"].items():
        before = found["settings"].get(name)
        if before != value:
            return f"--{name}={before}, not {value}"
    return next((f"other {name}" for name, value in claim.items() if found[name] != value), None)


def _digest(weights: str) -> str | None:
    path = Path(weights)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _write_model(settings: Settings, out: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Writes the networks that are timed, and the final one for Keras and for the board; returns the TFLite files."""
    from wool_tf.deploy import convert
    from wool_tf.networks import weights

    say("writing the model")
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


class _NowAndThen:
    """Says how far something is that usually takes no time."""

    SECONDS = 5.0

    def __init__(self, say: Callable[[str], None], what: str):
        self.say, self.what, self.next = say, what, time.monotonic() + self.SECONDS

    def __call__(self, done: int, size: int) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + self.SECONDS
            self.say(f"{self.what} {done:,} of {size:,}")


def _latency(program: Path, tflite: dict[str, Path], record: Path, say: Callable[[str], None]) -> dict:
    """What the board's own program measures on this machine; measured once for the same files."""
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in tflite.items()}
    found = records.read(record)
    if found is None or found["files"] != digests:
        say("timing it")
        found = {"files": digests, **_benchmark(program, tflite)}
        records.write(record, found)
    return found


def _benchmark(program: Path, tflite: dict[str, Path]) -> dict:
    """The program's document, with the names of the models."""
    command = [sys.executable, str(program), *map(str, tflite.values()), "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise WoolError(f"{program}: {finished.stderr.strip() or 'failed'}")
    document = json.loads(finished.stdout)
    for row, name in zip(document["models"], tflite, strict=True):
        row["model"] = name.replace("-", " ")
    return document
