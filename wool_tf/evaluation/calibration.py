"""What scores are worth as probabilities, and the threshold that follows from what the two errors cost.

A network that was trained with cross-entropy gives probabilities, more or less. If a miss costs as much as `ratio`
false alarms, calling an image defective and passing it cost the same, on average, at the probability 1 / (1 + ratio)
(Elkan 2001, "The foundations of cost-sensitive learning"). Held-out images correct the probabilities: log odds are
scaled and shifted by logistic regression (Platt 1999, "Probabilistic outputs for support vector machines"). A prior
holds it near to no change, so that few images change little and many what they show.

The threshold that was the cheapest on some images is fitted to the few of them that lie beside it: it costs more on
others, see "Where the threshold comes from" in docs/results.md.
"""

import dataclasses

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from wool_tf.evaluation import ties

SPREAD = 0.25
"""Standard deviation of the prior of both numbers: of the slope around 1, of the offset around 0."""
LEAST_SLOPE = 0.05
"""A higher score never means a lower probability."""
_FARTHEST = 36.0
"""Log odds that scores of 0 and 1 stand for: beyond, double precision does not tell scores from these."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Turns the log odds of a score into those of a probability.

    Attributes:
        slope: that they are multiplied by, above 0.
        offset: that is added.
    """

    slope: float
    offset: float

    def threshold(self, ratio: float) -> float:
        """The score, 0 to 1, from which on passing an image costs more than calling it defective, on average.

        Arguments:
            ratio: false alarms that a miss costs, above 0.

        >>> round(Calibration(1.0, 0.0).threshold(3.0), 6)
        0.25
        """
        return float(expit((-np.log(ratio) - self.offset) / self.slope))


def fit(labels: np.ndarray, scores: np.ndarray) -> Calibration:
    """The most probable calibration, given some images.

    Arguments:
        labels: (n,) of 0 and 1.
        scores: (n,) float, 0 to 1; of images that the network was not trained on.
    """
    signs, odds = np.where(np.asarray(labels) == 1, 1.0, -1.0), log_odds(scores)

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        change = (numbers - (1.0, 0.0)) / SPREAD
        margins = signs * (numbers[0] * odds + numbers[1])
        slopes = -signs * expit(-margins)
        value = np.logaddexp(0, -margins).sum() + change @ change / 2
        return value, np.array([slopes @ odds, slopes.sum()]) + change / SPREAD

    found = minimize(loss, (1.0, 0.0), jac=True, method="L-BFGS-B", bounds=[(LEAST_SLOPE, None), (None, None)],
                     options={"gtol": 1e-9, "ftol": 1e-15})  # fmt: skip
    return Calibration(*map(float, found.x))


def log_odds(scores: np.ndarray) -> np.ndarray:
    """(n,) float, the log odds of (n,) scores from 0 to 1, finite of 0 and 1, too."""
    return np.clip(ties.margins(scores), -_FARTHEST, _FARTHEST)
