"""The main job: from a folder of crops to a checked int8 model and a report."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf import files, quiet
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.evaluation import bootstrap
from wool_tf.evaluation.thresholds import OF_ALL_FOLDS, ThresholdRule
from wool_tf.networks import initial_weights
from wool_tf.say import NowAndThen
from wool_tf.study import driver, grid, kfold, manifest, records
from wool_tf.study.driver import Outcome, Status, Unit
from wool_tf.study.job import Source, Workers
from wool_tf.training.config import TrainingConfig
from wool_tf.training.fold import Fold

MODEL = "model"
"""Folder, in that of the run, of what goes to the board."""
COMPARED = 1000
"""Images on which the final int8 and float network are compared, at most."""


def run(
    settings: TrainingConfig,
    source: Source,
    out: Path,
    workers: Workers,
    decision: ThresholdRule,
    benchmark: Path,
    command: str,
    show: Callable[[Status], None],
    say: Callable[[str], None],
) -> dict:
    """Runs the main job, or goes on with the one that is in the folder.

    The images are split into group-disjoint folds; every stage is trained on each; the network of the final stage is
    converted to int8, per fold, so that its metrics are those of unseen images too; then the final recipe is trained
    on all images and written into `model/`, and this machine's latencies are measured. The threshold that goes with the
    model comes from the scores of the folds' int8 networks, each on the images that it had not seen; what the card
    and the report state of it comes from thresholds that were chosen in the same way on the other folds.

    Arguments:
        settings: TrainingConfig.
        source: Source.
        out: folder of the run.
        workers: Workers.
        decision: how the threshold of the delivered model is chosen.
        benchmark: the board's benchmark program.
        command: the command line, for the report.
        show: told the status of the training about twice a second.
        say: told of each step, in a line.

    Returns:
        The results document, which is also in `results.json`, `report.html` and `report.md` of the folder.

    Raises:
        WoolError: the data, a setting or the folder is not as it must be, or a network could not be trained.
    """
    _check(settings)
    with driver.exclusive(out):
        # Checked, and fetched, before anything that takes long.
        fetching = NowAndThen(say, "fetching weights, byte")
        initial_weights.resolve(settings.weights, settings.initial_spec, 0, progress=fetching)
        found = kfold.load(source, settings, out, say)
        # Files for a board read crops as they come.
        crops, how = found.native, found.imaging
        manifest.check_initial([settings], crops.fingerprint)
        images = found.for_network(settings.image_size, NowAndThen(say, "resizing image"))
        (parts,) = grid.split(settings, images)
        _import_keras()
        from wool_tf.deploy import delivery
        from wool_tf.report import page, results

        if remark := manifest.claim(out, [settings], images, source=found.binding()):
            say(remark)
        manifest.claim_folds(out, [parts])
        chains = plan_units(settings, images, crops, parts, out, workers.keep)
        say(f"training {settings.folds} folds and the final network, {workers.jobs} at a time")
        outcome = driver.run(chains, out / "units", workers.jobs, show)
        _check_complete(outcome)
        say("writing the model and timing it")
        units, name = out / "units", settings.configuration
        final = units / name / "final" / f"{settings.final}.safetensors"
        unpruned = units / grid.fold_name(settings, 0, 0) / "baseline.safetensors"
        int8 = final.with_name(f"{settings.final}-int8.tflite")
        stages = ("baseline", settings.final, f"{settings.final}-int8")
        # The unpruned network that is timed is the one of the first fold.
        judged = [
            _judged(stage, held_out, settings, images.labels, parts, outcome.records, decision)
            for stage, held_out in zip(stages, (parts[0], (), ()), strict=True)
        ]
        tflite = delivery.write(out / MODEL, unpruned, final, int8, judged, how, crops)
        latency = _timed(benchmark, tflite, out / MODEL / "latency.json")
        document = results.assemble(settings, images, parts, outcome.records, decision, tflite, latency, command)
        document["final"]["decision"] = dataclasses.asdict(judged[-1]) | {"asked": dataclasses.asdict(decision)}
        records.write(out / "results.json", document)
        page.write(document, out)
    return document


def _check(settings: TrainingConfig) -> None:
    if settings.select == "best":
        raise WoolError(
            "--select=best: the delivered network is trained on all images and has none left to choose its epoch by; "
            "use --select=last, or prune_kfold.py, which delivers nothing"
        )


def _check_complete(outcome: Outcome) -> None:
    for name, attempts in outcome.failures.items():
        raise WoolError(
            f"{name}: {attempts[-1]['reason']} ({len(attempts)} attempts); everything else is kept: change what it "
            "says, in a new --out if that is a setting of the training, or start again"
        )


def _import_keras() -> None:
    # Not at the top: it takes seconds, and most mistakes are in what can be checked without.
    quiet.import_keras()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise WoolError(f"KERAS_BACKEND={keras.backend.backend()}: conversion to TFLite needs KERAS_BACKEND=tensorflow")


def _judged(
    stage: str, held_out: Sequence[int], settings: TrainingConfig, labels: np.ndarray, parts, found: Mapping, decision
):
    """What goes onto the card of a network of a stage that held out these images, as a `delivery.Judged`."""
    from wool_tf.deploy.delivery import Judged

    def pool(stage: str) -> tuple[np.ndarray, np.ndarray]:
        names = [f"{grid.fold_name(settings, 0, number)}/{stage}" for number in range(len(parts))]
        return bootstrap.pool(len(labels), [(found[name]["held_out"], found[name]["scores"]) for name in names])

    scores, fold_of = pool(stage)
    threshold, rule = decision.made(labels, lambda: scores, OF_ALL_FOLDS)
    float_scores, _ = pool(stage.removesuffix("-int8"))
    float_threshold, _ = decision.made(labels, lambda: float_scores)
    _, achieved = decision.out_of_fold(labels, scores, fold_of)
    files = f"{len(parts)} files, this one among them" if len(held_out) else f"{len(parts)} other files"
    at = "a threshold that was given" if decision.threshold is not None else "a threshold chosen on the other folds"
    of = f"{files}, one of each fold, on the images that it held out, at {at}"
    about = {"of": of, "images": len(labels), **achieved}
    return Judged(threshold, rule, float_threshold, about, len(labels) - len(held_out))


def plan_units(
    settings: TrainingConfig, images: Dataset, crops: Dataset, parts: Sequence[np.ndarray], out: Path, keep: bool
) -> list[list[Unit]]:
    """Every unit of a run, in chains that can run side by side.

    The final network needs only the stages that lead to it.

    Arguments:
        settings: TrainingConfig.
        images: Dataset that networks are trained on.
        crops: the same images in their native size, which files for a board read.
        parts: held-out indices of each fold.
        out: folder of the run.
        keep: whether the networks of all folds stay.
    """
    units, everything = out / "units", np.arange(len(images.labels))
    chains = []
    for number, fold in enumerate(grid.splits(settings, images, [parts], units, None)):
        # The first fold's networks stay: the unpruned one is timed beside the final one.
        for chain in grid.chains(settings, fold, keep or number == 0):
            chains.append(_with_int8(chain, fold, crops, settings, keep))
    name = f"{settings.configuration}/final"
    initial = manifest.digest(settings.weights)
    last = Fold(name, 0, images, everything, everything[:0], units / name, initial=initial)
    for chain in grid.chains(settings, last, keep=True):
        names = [unit.name for unit in chain]
        if f"{name}/{settings.final}" in names:
            chain = chain[: names.index(f"{name}/{settings.final}") + 1]
            chains.append(_with_int8(chain, last, crops, settings, keep=True))
    return chains


def _with_int8(chain: list[Unit], fold: Fold, crops: Dataset, settings: TrainingConfig, keep: bool) -> list[Unit]:
    """The chain with the conversion behind the final stage, if that is in it."""
    found = []
    for unit in chain:
        found.append(unit)
        if unit.name == f"{fold.name}/{settings.final}":
            work = functools.partial(quantise, settings.final, fold, crops, settings)
            product = fold.folder / f"{settings.final}-int8.tflite"
            found.append(Unit(f"{unit.name}-int8", work, grid.SETUP_MACS, product, unit.name, keep))
    return found


def quantise(
    stage: str, fold: Fold, crops: Dataset, settings: TrainingConfig, progress: driver.Progress, attempt: int
) -> dict:
    """Converts the network of a stage of a fold to int8 and scores the held-out images with it.

    The final network has none, and is compared with its float form on some images that it was trained on. Nothing in it
    is random, so that another attempt is the same.

    Returns:
        The record; the file lies beside the checkpoint.
    """
    quiet.import_keras()
    from wool_tf.deploy import calibration, convert, verify
    from wool_tf.networks import resnet, weights
    from wool_tf.training import methods, trainer

    progress(0.1, "converting to int8")
    spec, arrays = weights.load(fold.checkpoint(stage))
    images, labels, side = crops.images, crops.labels, crops.images.shape[1]
    chosen = calibration.choose(labels, fold.train, fold.seed(settings, "calibration"))
    tflite = convert.convert(resnet.restored(spec, arrays), "int8", images[chosen], side, heatmap=True)
    files.write(fold.folder / f"{stage}-int8.tflite", tflite)

    progress(0.6, "scoring with int8")
    record = {"stage": f"{stage}-int8", "file": convert.describe(tflite)}
    record |= grid.provenance(fold, settings, "calibration")
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
