"""From which score on a file for a board calls an image defective."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from wool_tf.errors import BadSetting, WoolError
from wool_tf.evaluation import calibration, metrics, operating_points, ties
from wool_tf.settings import check, setting

COST_RATIO = 1.0
"""False alarms that a missed defect costs, where nothing else is asked for: neither error counts for more."""
RECALL = 0.99
"""Share of the defective images that must be found, in reports with figures at a threshold of either kind."""
OF_FOLDS = "held-out images of"
"""Begins what cards call the images that the thresholds of a whole run are chosen on."""


def of_folds(trained: int, folds: int) -> str:
    """What cards call the images that the thresholds of a run are chosen on, some or all of its folds being trained.

    >>> of_folds(10, 10), of_folds(2, 10)
    ('held-out images of all folds', 'held-out images of the first 2 of 10 folds')
    """
    return f"{OF_FOLDS} {'all folds' if trained == folds else f'the first {trained} of {folds} folds'}"


@dataclasses.dataclass(frozen=True)
class ThresholdRule:
    """From which score on an image is called defective, by one of the three; by `COST_RATIO` where none is given.

    Raises:
        BadSetting: a value breaks its rule, or two are given.
    """

    threshold: float | None = setting(None, "Score from which on an image is called defective.", at_least=0, at_most=1)
    recall: float | None = setting(None, "Share of the defective images that must be found.", above=0, at_most=1)
    cost_ratio: float | None = setting(
        None, f"False alarms that a miss costs; default: {COST_RATIO:g}.", above=0, below=math.inf
    )

    def __post_init__(self) -> None:
        given = [field for field, value in dataclasses.asdict(self).items() if value is not None]
        if not given:
            object.__setattr__(self, "cost_ratio", COST_RATIO)
        if len(given) > 1:
            raise BadSetting(given[:2], None, "both choose the threshold; give one of them")
        check(self)

    @property
    def rule(self) -> str:
        """By what rule the threshold comes about, in words."""
        if self.threshold is not None:
            return "given"
        if self.recall is not None:
            return f"finds at least {100 * self.recall:g} % of the defective"
        alarms = "1 false alarm" if self.cost_ratio == 1 else f"{self.cost_ratio:g} false alarms"
        return f"a miss costs as much as {alarms}"

    def chosen(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """The threshold by these images: for a recall the highest one that reaches it, else by `calibration`.

        It never lies between scores that may be equal, so that rounding does not change a call.

        Arguments:
            labels: (n,) of 0 and 1; some 1 where a recall is required.
            scores: (n,) float, 0 to 1.

        Raises:
            WoolError: a score is no number, as of a file whose floats overflow.
        """
        if self.threshold is not None:
            return self.threshold
        scores = np.asarray(scores, float)
        if unknown := int(np.isnan(scores).sum()):
            raise WoolError(f"scores: {unknown} of {len(scores)} are no numbers, so no threshold can be chosen on them")
        alike = ties.merged(scores)
        if self.recall is not None:
            least = operating_points.for_recall(labels, alike, self.recall)
            return _between(scores[alike < least], scores[alike >= least])
        # One of the three is given.
        assert self.cost_ratio is not None
        return _clear_of(scores, alike, calibration.fit(labels, scores).threshold(self.cost_ratio))

    def made(
        self, labels: np.ndarray, score: Callable[[], np.ndarray], among: str = "training images"
    ) -> tuple[float, str]:
        """The threshold, and by what rule and on which images it came about, in words.

        Arguments:
            labels: (n,) of 0 and 1, of the images that it is chosen on.
            score: gives their scores; asked only if they are needed.
            among: what these images are.
        """
        if self.threshold is not None:
            return self.threshold, self.rule
        return self.chosen(labels, score()), f"{self.rule}, on {len(labels)} {among}"

    def out_of_fold(
        self, labels: np.ndarray, scores: np.ndarray, fold_of: np.ndarray
    ) -> tuple[np.ndarray, metrics.Metrics]:
        """What the rule is worth on images that had no say in their threshold: that comes from the other folds.

        Arguments:
            labels, scores, fold_of: as for `operating_points.cross_fitted`.

        Returns:
            (n,) bool, whether each image is called defective; what `metrics.evaluate` says of that.
        """
        thresholds, called = operating_points.cross_fitted(labels, scores, fold_of, self.chosen)
        return called, metrics.evaluate(labels, scores, thresholds[fold_of])


def _clear_of(scores: np.ndarray, alike: np.ndarray, threshold: float) -> float:
    """The threshold, or where scores are so near that rounding might part them, one below all of these."""
    near = np.abs(calibration.log_odds(scores) - calibration.log_odds(np.array(threshold))) <= ties.SAME
    if not near.any():
        return threshold
    least = alike[near].min()
    return _between(scores[alike < least], scores[alike >= least])


def _between(passed: np.ndarray, called: np.ndarray) -> float:
    """The threshold that separates these scores, in the middle of their log odds; the first may be empty."""
    high = float(called.min())
    if not len(passed):
        return high / 2
    low = float(passed.max())
    middle = float(calibration.probability(calibration.log_odds(np.array([low, high])).mean()))
    return middle if low < middle < high else high
