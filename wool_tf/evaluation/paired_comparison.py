"""Whether one set of judgements is better than another of the same images."""

import dataclasses

import numpy as np

from wool_board import mcnemar
from wool_tf.evaluation import bootstrap


@dataclasses.dataclass(frozen=True)
class PairedComparison:
    """How judgements changed.

    Attributes:
        images: that both judged.
        gained, lost: images that only the later one judges rightly, and only the earlier one.
        change: of the accuracy, a share.
        interval: of the change, over samples (`bootstrap`).
        p: how often as many images or more would change sides so unevenly if either were as good: the exact test of
            McNemar (1947). Images of one sample resemble each other, which it does not know; the interval does, and is
            too narrow where few images change sides. A change is real where both say so.
    """

    images: int
    gained: int
    lost: int
    change: float
    interval: tuple[float, float]
    p: float


def compare(labels: np.ndarray, groups: np.ndarray, before: np.ndarray, after: np.ndarray) -> PairedComparison:
    """Compares two judgements of the same images.

    Arguments:
        labels: (n,) of 0 and 1.
        groups: (n,) the physical sample of each image.
        before, after: (n,) bool, whether an image is called defective.
    """
    difference = _difference(labels, before, after)
    gained, lost = int((difference > 0).sum()), int((difference < 0).sum())
    ends, p = interval(labels, groups, before, after), mcnemar.p_value(gained, lost)
    return PairedComparison(len(difference), gained, lost, float(difference.mean()), ends, p)


def interval(labels: np.ndarray, groups: np.ndarray, before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """The interval of such a comparison alone."""
    return bootstrap.interval(_difference(labels, before, after), bootstrap.draw(labels, groups))


def _difference(labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(n,) 1 where only the later judgement of an image is right, −1 where only the earlier one is, else 0."""
    truth = np.asarray(labels) == 1
    return (after == truth).astype(float) - (before == truth)
