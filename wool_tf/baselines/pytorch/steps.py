"""The losses of the first steps of a training, ours and PyTorch's."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping

import keras
import numpy as np
import torch

from wool_tf.baselines.pytorch import networks, training
from wool_tf.data.dataset import Dataset
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training import trainer
from wool_tf.training.distillation import Teacher
from wool_tf.training.trainer import Course

PRECISIONS = ("float64", "float32")


class _Losses(keras.callbacks.Callback):
    """The loss of every step, of which `fit` tells the mean since the epoch began; stops after enough of them."""

    def __init__(self, most: int):
        super().__init__()
        self.most, self.sum = most, 0.0
        self.found: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.sum = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        mean = float(logs["loss"])
        self.found.append(mean * (batch + 1) - self.sum)
        self.sum = mean * (batch + 1)
        self.model.stop_training = len(self.found) >= self.most


@dataclasses.dataclass(frozen=True)
class FirstSteps:
    """The first steps of a training.

    Attributes:
        spec: ResNetSpec of the network.
        weights: initial arrays, by torchvision's keys.
        images: Dataset, all of which is trained on.
        course: Course.
        steps: how many.
        teacher: as for `trainer.train`.
    """

    spec: ResNetSpec
    weights: Mapping[str, np.ndarray]
    images: Dataset
    course: Course
    steps: int
    teacher: Teacher | None = None

    @property
    def batches(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What batches are made of: images, labels, and the indices of those that are chosen."""
        return self.images.images, self.images.labels, np.arange(len(self.images.labels))


def ours(beginning: FirstSteps, precision: str) -> list[float]:
    """The losses in Keras, with a precision of `PRECISIONS`."""
    losses = _Losses(beginning.steps)
    given = beginning.spec, beginning.weights, *beginning.batches, beginning.course, 0, _silent
    with _computing_in(precision):
        trainer.train(*given, callbacks=[losses], teacher=beginning.teacher)
    return losses.found


@contextlib.contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """New networks compute in this precision, and are not mixed up with earlier or later ones."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    trainer.clear()
    keras.config.set_floatx(precision)
    # Keras asks for the precision once, when the first layer is made, and then keeps it as its policy.
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
        trainer.clear()


def theirs(beginning: FirstSteps, precision: str) -> list[float]:
    """The losses in PyTorch, with a precision of `PRECISIONS`."""
    network = networks.module(beginning.spec, beginning.weights, getattr(torch, precision))
    given = network, *beginning.batches, beginning.spec.input_shape[0], beginning.course, 0, _silent
    _, losses = training.train(*given, most_steps=beginning.steps, teacher=beginning.teacher)
    return losses


def _silent(_share: float, _what: str) -> None:
    """Progress that nobody is told of."""


def after_a_round(spec: ResNetSpec, weights: Mapping[str, np.ndarray]) -> tuple[ResNetSpec, dict[str, np.ndarray]]:
    """The network that a round of Torch-Pruning leaves."""
    from wool_tf.baselines.pytorch import methods
    from wool_tf.pruning import plan

    network = networks.module(spec, weights)
    smaller = plan.pruned(spec, plan.named("paper-table3", spec.depth))
    methods.prune(network, spec, smaller, "l1")
    return smaller, networks.arrays(network)
