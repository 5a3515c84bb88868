"""The losses of the first steps of a training, ours and PyTorch's."""

import contextlib
from collections.abc import Iterator, Mapping

import keras
import numpy as np
import torch

from pytorch import networks, training
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
        self.most, self.found, self.sum = most, [], 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.sum = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        mean = float(logs["loss"])
        self.found.append(mean * (batch + 1) - self.sum)
        self.sum = mean * (batch + 1)
        self.model.stop_training = len(self.found) >= self.most


def ours(
    spec: ResNetSpec,
    weights: Mapping[str, np.ndarray],
    images: Dataset,
    course: Course,
    most: int,
    precision: str,
    teacher: Teacher | None = None,
) -> list[float]:
    """Losses of the first steps in Keras, with a precision of `PRECISIONS`; a teacher as for `trainer.train`."""
    losses, chosen = _Losses(most), np.arange(len(images.labels))
    with _computing_in(precision):
        given = spec, weights, images.images, images.labels, chosen, course, 0, lambda *_: None
        trainer.train(*given, callbacks=[losses], teacher=teacher)
    return losses.found


@contextlib.contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """New networks compute in this precision, and are not mixed up with those of before or after."""
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


def theirs(
    spec: ResNetSpec,
    weights: Mapping[str, np.ndarray],
    images: Dataset,
    course: Course,
    most: int,
    precision: str,
    teacher: Teacher | None = None,
) -> list[float]:
    """The same in PyTorch."""
    network = networks.module(spec, weights, getattr(torch, precision))
    chosen, side = np.arange(len(images.labels)), spec.input_shape[0]
    given = network, images.images, images.labels, chosen, side, course, 0, lambda *_: None
    found = training.train(*given, most_steps=most, teacher=teacher)
    return found["step_losses"]


def after_a_round(spec: ResNetSpec, weights: Mapping[str, np.ndarray]) -> tuple[ResNetSpec, dict[str, np.ndarray]]:
    """The network that a round of Torch-Pruning leaves."""
    from pytorch import methods
    from wool_tf.pruning import plan

    network = networks.module(spec, weights)
    smaller = plan.pruned(spec, plan.named("paper-table3", spec.depth))
    methods.prune(network, spec, smaller)
    return smaller, networks.arrays(network)
