"""Which networks a protocol trains: configurations × repeats × folds × stages, as chains of units of work."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wool_tf import quiet, seeds
from wool_tf.data import folds
from wool_tf.data.dataset import Dataset
from wool_tf.errors import BadSetting
from wool_tf.networks import initial_weights
from wool_tf.networks.unit_records import Result
from wool_tf.progress import Progress
from wool_tf.study.driver import Unit
from wool_tf.training.config import TrainingConfig
from wool_tf.training.fold import Fold

if TYPE_CHECKING:
    # It imports Keras.
    from wool_tf.training.methods import TrainingStage

Protocol = Callable[[TrainingConfig], "list[TrainingStage]"]
"""Gives the stages of a configuration; a function of a module, so that worker processes find it.
Where results depend on packages of its own, that module names them in `PACKAGES`."""

_AXES = ("depths", "optimizers", "weights")
SETUP_MACS = 3e11
"""What tracing a new network and scoring cost, in multiply-accumulates that the same time would have trained with."""


def grid(
    base: TrainingConfig, depths: Sequence[int], optimizers: Sequence[str], weights: Sequence[str]
) -> list[TrainingConfig]:
    """The settings of every configuration, in the order of the paper's tables, from one value of each kind or more.

    Files of weights become absolute paths: the machines of a cluster have other working directories.

    Raises:
        WoolError: a value breaks its rule, or two configurations would have the same name.
    """
    found = [
        dataclasses.replace(base, depth=depth, optimizer=optimizer, weights=_absolute(initial))
        for depth in depths
        for optimizer in optimizers
        for initial in weights
    ]
    names = [settings.configuration for settings in found]
    for name in names:
        if names.count(name) > 1:
            raise BadSetting(_AXES, None, f"{name} occurs twice; name each once, and give files different names")
    return found


def _absolute(weights: str) -> str:
    return weights if weights in initial_weights.NAMED else str(Path(weights).absolute())


def split(settings: TrainingConfig, images: Dataset) -> list[list[np.ndarray]]:
    """Held-out indices of every fold of every repeat; all configurations share them.

    Raises:
        WoolError: the folds cannot be made.
    """
    groups = images.grouped_by(settings.group_by)
    return [
        folds.split(images.labels, groups, settings.folds, seeds.derive(settings.seed, repeat, "folds"))
        for repeat in range(settings.repeats)
    ]


def fold_name(configuration: str, repeat: int, number: int) -> str:
    """`resnet18-adam-none/repeat0/fold3`: what the names of a fold's units begin with."""
    return f"{configuration}/repeat{repeat}/fold{number}"


def all_folds(
    settings: TrainingConfig, images: Dataset, parts: Sequence[Sequence[np.ndarray]], units: Path, logs: Path | None
) -> list[Fold]:
    """The Fold of every fold of every repeat of a configuration.

    Arguments:
        settings: of the configuration.
        images: Dataset.
        parts: held-out indices, as `split` gives them.
        units: folder of the records.
        logs: folder for TensorBoard's curves, or None.
    """
    everything, initial = np.arange(len(images.labels)), initial_weights.digest(settings.weights)
    found = []
    for repeat, held_out in enumerate(parts):
        for number, part in enumerate(held_out):
            name = fold_name(settings.configuration, repeat, number)
            train = np.setdiff1d(everything, part)
            curves = logs and logs / name
            found.append(Fold(name, repeat, images, train, part, units / name, curves, initial=initial))
    return found


def chains(settings: TrainingConfig, fold: Fold, keep: bool, protocol: Protocol | None = None) -> list[list[Unit]]:
    """The units of one fold: a chain for each way that starts from initial weights.

    Arguments:
        settings: of the configuration.
        fold: Fold.
        keep: whether the networks stay when their chain is done.
        protocol: gives the stages; None: `training.methods.stages`, in Keras.
    """
    found: list[list[Unit]] = []
    for stage in _stages(protocol, settings):
        if stage.after is None:
            found.append([])
        # Whatever continues a stage stands in the chain of that stage.
        home = next((c for c in found if f"{fold.name}/{stage.after}" in [unit.name for unit in c]), found[-1])
        home.append(_unit(stage, fold, settings, keep, protocol))
    return found


def _stages(protocol: Protocol | None, settings: TrainingConfig) -> "list[TrainingStage]":
    if protocol is None:
        # In a worker process this is the first import of Keras, which prints a message.
        quiet.import_keras()
        from wool_tf.training import methods

        protocol = methods.stages
    return protocol(settings)


def _unit(stage: "TrainingStage", fold: Fold, settings: TrainingConfig, keep: bool, protocol: Protocol | None) -> Unit:
    return Unit(
        f"{fold.name}/{stage.name}",
        functools.partial(_work, protocol, stage.name, fold, settings),
        stage.macs(len(fold.train)) + SETUP_MACS,
        fold.checkpoint(stage.name),
        tuple(f"{fold.name}/{name}" for name in stage.reads),
        keep,
    )


def _work(
    protocol: Protocol | None, stage: str, fold: Fold, settings: TrainingConfig, progress: Progress, attempt: int
) -> Result:
    (found,) = (each for each in _stages(protocol, settings) if each.name == stage)
    return found.run(dataclasses.replace(fold, attempt=attempt), settings, progress)
