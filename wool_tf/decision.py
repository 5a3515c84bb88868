"""From which score on a file for a board calls an image defective."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.training import operating

SAME = 1e-6
"""Scores that differ by no more may be equal on another processor."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """From which score on an image is called defective; one of the three is given.

    Attributes:
        threshold: the score itself, 0 to 1.
        recall: share of the defective images that must be found, above 0 and at most 1.
        cost_ratio: how many false alarms a missed defect costs, above 0; the least cost.
    """

    threshold: float | None = None
    recall: float | None = None
    cost_ratio: float | None = None

    def __post_init__(self):
        given = [name for name, value in dataclasses.asdict(self).items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"one of threshold, recall and cost_ratio must be given, got {', '.join(given) or 'none'}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise WoolError(f"--threshold={self.threshold}: must be from 0 to 1")
        if self.recall is not None and not 0 < self.recall <= 1:
            raise WoolError(f"--required_recall={self.recall}: must be above 0 and at most 1")
        if self.cost_ratio is not None and not 0 < self.cost_ratio < math.inf:
            raise WoolError(f"--cost_ratio={self.cost_ratio}: must be above 0 and finite")

    def made(
        self, labels: np.ndarray, score: Callable[[], np.ndarray], among: str = "training images"
    ) -> tuple[float, str]:
        """The threshold, and by what rule it came about, in words.

        Arguments:
            labels: (n,) of 0 and 1, of the images that it is chosen on.
            score: gives their scores; asked only if they are needed.
            among: what these images are.
        """
        if self.threshold is not None:
            return self.threshold, "given"
        scores, on = merged(score()), f"on {len(labels)} {among}"
        if self.recall is not None:
            found = operating.for_recall(labels, scores, self.recall)
            rule = f"finds at least {100 * self.recall:g} % of the defective, {on}"
        else:
            found = operating.for_cost(labels, scores, self.cost_ratio)
            rule = f"a miss costs as much as {self.cost_ratio:g} false alarms, {on}"
        # The same calls from as far as possible from any score, for the reason that `merged` gives.
        below, above = scores[scores < found], scores[scores >= found]
        return float(below.max(initial=0.0) + above.min(initial=1.0)) / 2, rule


def merged(scores: np.ndarray) -> np.ndarray:
    """The scores, those that differ by rounding alone made equal to the lowest of them.

    An 8-bit network knows few scores, and many images share one. Where floating point tells these apart, another
    processor would do it in another way: no threshold must lie between them.

    >>> merged(np.array([0.5, 0.2, 0.5 + 1e-9]))
    array([0.5, 0.2, 0.5])
    """
    order = np.argsort(scores)
    ascending = scores[order]
    first = np.diff(ascending, prepend=-np.inf) > SAME
    found = np.empty_like(scores)
    found[order] = ascending[first][np.cumsum(first) - 1]
    return found
