"""The units of a study that delivers a model: every fold's stages, int8 files of the final one, and all images."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf import files, quiet, records
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.evaluation.agreement import compare
from wool_tf.networks import initial_weights
from wool_tf.networks.unit_records import Attempt, Int8File, Result
from wool_tf.progress import Progress
from wool_tf.study import grid
from wool_tf.study.driver import Outcome, Unit
from wool_tf.study.results import BASELINE, INT8
from wool_tf.training.config import TrainingConfig
from wool_tf.training.fold import Fold

DIGITS = 4
"""Of logits in heatmaps, which are for the eye."""
COMPARED = 1000
"""Images on which the final int8 and float network are compared, at most."""


def plan(
    config: TrainingConfig,
    images: Dataset,
    crops: Dataset,
    folds: Sequence[Sequence[np.ndarray]],
    units: Path,
    keep: bool,
) -> list[list[Unit]]:
    """Every unit, in chains that can run side by side.

    The network of all images needs only the stages that lead to the final one.

    Arguments:
        config: TrainingConfig.
        images: Dataset that networks are trained on.
        crops: the same images in their native size, which files for a board read.
        folds: for each repeat the held-out indices of each fold.
        units: folder of the records.
        keep: whether the networks of all folds stay.
    """
    chains = []
    for number, fold in enumerate(grid.all_folds(config, images, folds, units, None)):
        # The first fold's networks stay: the unpruned one is timed beside the final one.
        for chain in grid.chains(config, fold, keep or number == 0):
            chains.append(_with_int8(chain, fold, crops, config, keep))
    last = _all_images(config, images, units)
    for chain in grid.chains(config, last, keep=True):
        names = [unit.name for unit in chain]
        if f"{last.name}/{config.final}" in names:
            chain = chain[: names.index(f"{last.name}/{config.final}") + 1]
            chains.append(_with_int8(chain, last, crops, config, keep=True))
    return chains


def check(config: TrainingConfig, chains: Sequence[Sequence[Unit]], outcome: Outcome) -> None:
    """Checks that a study whose units have run has what its model needs; other units may have failed.

    Needed are the unpruned network, that of the final stage, and its int8 file.

    Raises:
        WoolError: a unit has failed that it needs.
    """
    units = {unit.name: unit for chain in chains for unit in chain}
    needed = BASELINE, config.final, f"{config.final}{INT8}"
    for name, unit in units.items():
        lacks = name in outcome.failures or name not in outcome.records or (unit.keep and unit.lost)
        if lacks and name.rpartition("/")[2] in needed:
            for failed in filter(outcome.failures.__contains__, _leading(unit, units)):
                *_, last = attempts = outcome.failures[failed]
                tries = "1 attempt" if len(attempts) == 1 else f"{len(attempts)} attempts"
                raise WoolError(
                    f"{failed}: {last.reason} ({tries}); no model can be delivered; {_advice(failed, last)}"
                )


def _leading(unit: Unit, units: Mapping[str, Unit]) -> Iterator[str]:
    """Names of a unit and of those that it needs."""
    yield unit.name
    for need in unit.needs:
        yield from _leading(units[need], units)


def _advice(failed: str, last: Attempt) -> str:
    if last.kind != "diverged":
        return "everything else is kept: change what it says, and start again"
    train = "give another folder and other settings of the training, such as a lower learning rate"
    if failed.endswith(f"/{BASELINE}"):
        return train
    return f"everything else is kept: deliver another stage with `final`, or {train}"


def final_name(config: TrainingConfig) -> str:
    """`resnet18-adam-none/final`: what the names of the units that use all images begin with."""
    return f"{config.configuration}/final"


def _all_images(config: TrainingConfig, images: Dataset, units: Path) -> Fold:
    everything, name = np.arange(len(images.labels)), final_name(config)
    initial = initial_weights.digest(config.weights)
    return Fold(name, 0, images, everything, everything[:0], units / name, initial=initial)


def _with_int8(chain: Sequence[Unit], fold: Fold, crops: Dataset, config: TrainingConfig, keep: bool) -> list[Unit]:
    """The chain with the conversion behind the final stage, if that is in it."""
    found = []
    for unit in chain:
        found.append(unit)
        if unit.name == f"{fold.name}/{config.final}":
            work = functools.partial(quantise, config.final, fold, crops, config)
            product = fold.folder / f"{config.final}{INT8}.tflite"
            found.append(Unit(f"{unit.name}{INT8}", work, grid.SETUP_MACS, product, (unit.name,), keep))
    return found


def quantise(
    stage: str, fold: Fold, crops: Dataset, config: TrainingConfig, progress: Progress, attempt: int
) -> Result:
    """Converts the network of a stage of a fold to int8 and scores the held-out images with it.

    The network of all images has none, and is compared with its float form on some images that it was trained on.
    Nothing in it is random, so that another attempt is the same.

    Returns:
        The result; the file lies beside the checkpoint.
    """
    quiet.import_keras()
    from wool_tf.deploy import calibration_set, saliency, tflite_file, tflite_scores
    from wool_tf.networks import resnet, scoring, weights
    from wool_tf.training import methods, trainer

    progress(0.1, "converting to int8")
    spec, arrays = weights.load(fold.checkpoint(stage))
    images, labels, side = crops.images, crops.labels, crops.images.shape[1]
    chosen = calibration_set.choose(labels, fold.train, fold.seed(config, "calibration"))
    tflite = tflite_file.convert(resnet.restored(spec, arrays), "int8", images[chosen], side, heatmap=True)
    files.write(fold.folder / f"{stage}{INT8}.tflite", tflite)

    progress(0.6, "scoring with int8")
    scores = tflite_scores.predict(tflite, images[fold.held_out])
    found = methods.result(f"{stage}{INT8}", fold, fold.seed(config, "calibration"), scores)
    found = dataclasses.replace(found, file=records.typed(tflite_file.describe(tflite), Int8File, "int8 file"))
    if len(fold.held_out):
        progress(0.8, "drawing where it sees defects")
        seen = saliency.maps(spec, arrays, fold.dataset.images, fold.held_out)
        rounded = tuple(tuple(tuple(round(float(cell), DIGITS) for cell in row) for row in one) for one in seen)
        return dataclasses.replace(found, heatmaps=rounded)
    compared = calibration_set.choose(labels, fold.train, fold.seed(config, "compared"), COMPARED)
    by_int8 = tflite_scores.predict(tflite, images[compared])
    by_float = scoring.probabilities(trainer.logits(spec, arrays, fold.dataset.images, compared))
    return dataclasses.replace(found, check=compare(by_float, by_int8))
