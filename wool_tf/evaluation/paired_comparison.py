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
    truth = np.asarray(labels) == 1
    was_right, is_right = before == truth, after == truth
    gained, lost = int((is_right & ~was_right).sum()), int((was_right & ~is_right).sum())
    difference = is_right.astype(float) - was_right
    ends = bootstrap.interval(difference, bootstrap.draw(labels, groups))
    return PairedComparison(len(truth), gained, lost, float(difference.mean()), ends, mcnemar.p_value(gained, lost))
