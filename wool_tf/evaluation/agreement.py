"""How far the scores of a file are from those of the network that it was made of."""

import dataclasses

import numpy as np

from wool_tf.evaluation.metrics import THRESHOLD


@dataclasses.dataclass(frozen=True)
class ScoreDifference:
    """How far a file's scores are from those of the network that it was made of, on the same images.

    Attributes:
        images: how many were compared.
        agreement: share of them that are judged alike at the threshold, 0 to 1.
        mean_difference, max_difference: of the scores, absolute, 0 to 1.
    """

    images: int
    agreement: float
    mean_difference: float
    max_difference: float


def compare(expected: np.ndarray, found: np.ndarray, threshold: float = THRESHOLD) -> ScoreDifference:
    """How far scores are from those that are expected of the same images, at least one.

    Arguments:
        expected, found: (n,) of float, probabilities that the images are defective.
        threshold: images with this score or more are called defective.
    """
    expected, found = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    alike, difference = (expected >= threshold) == (found >= threshold), np.abs(expected - found)
    return ScoreDifference(len(expected), float(alike.mean()), float(difference.mean()), float(difference.max()))
