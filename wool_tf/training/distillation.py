"""Knowledge distillation: a pruned network learns what another one says of the images, besides the labels.

Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
from keras import ops

from wool_tf.networks.spec import ResNetSpec

TEMPERATURE = 2.0
"""What logits are divided by before they are compared, so that more than the likeliest class counts."""


@dataclasses.dataclass(frozen=True)
class Teacher:
    """The network whose scores are learned.

    Attributes:
        spec: ResNetSpec of it.
        weights: its arrays, by torchvision's keys.
        share: of the loss that its scores make, above 0 and below 1; the labels make the rest.
    """

    spec: ResNetSpec
    weights: Mapping[str, np.ndarray]
    share: float


def taught(
    batches: Iterator[tuple[np.ndarray, np.ndarray]], score: Callable[[np.ndarray], np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches with the teacher's logits behind the labels.

    Arguments:
        batches: of images (n, side, side, 1) and labels (n,).
        score: gives the teacher's logits (n, classes) of such images.

    Yields:
        The images, and targets (n, 1 + classes) of float32.
    """
    for images, labels in batches:
        yield images, np.concatenate([labels[:, None].astype(np.float32), score(images)], axis=1)


class DistillationLoss(keras.losses.Loss):
    """(1 − share) × H(labels, p) + share × T² × KL(q ‖ p at temperature T), of the teacher's q and the network's p.

    The divergence is that of softened scores, softmax(logits / T). Its gradient shrinks by 1/T² (Hinton et al. 2015,
    section 2.1), which T² makes up for.

    Arguments:
        share: float above 0 and below 1.
    """

    def __init__(self, share: float):
        super().__init__(name="distillation")
        self.share = share

    def call(self, targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        """Of every image, from targets as `taught` gives them."""
        labels = keras.losses.sparse_categorical_crossentropy(targets[:, 0], logits, from_logits=True)
        wanted = ops.log_softmax(ops.cast(targets[:, 1:], logits.dtype) / TEMPERATURE)
        apart = ops.exp(wanted) * (wanted - ops.log_softmax(logits / TEMPERATURE))
        return (1 - self.share) * labels + self.share * TEMPERATURE**2 * ops.sum(apart, axis=-1)


class Accuracy(keras.metrics.SparseCategoricalAccuracy):
    """Accuracy by the labels, of targets as `taught` gives them."""

    def update_state(
        self,
        targets: keras.KerasTensor,
        logits: keras.KerasTensor,
        sample_weight: keras.KerasTensor | None = None,
    ) -> None:
        super().update_state(targets[:, 0], logits, sample_weight)
