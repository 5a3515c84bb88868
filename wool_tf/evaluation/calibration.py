"""What scores are worth as probabilities, and the threshold that follows from what the two errors cost.

A network that was trained with cross-entropy gives probabilities, more or less. If a miss costs as much as `ratio`
false alarms, calling an image defective and passing it cost the same, on average, at the probability 1 / (1 + ratio)
(Elkan 2001, "The foundations of cost-sensitive learning"). Held-out images correct the probabilities: log odds are
scaled and shifted by logistic regression (Platt 1999, "Probabilistic outputs for support vector machines"). A prior
holds it near to no change, but has heavy tails: images that speak for a small change make little of it, and images that
show scores to be far off are believed.

The threshold that was the cheapest on some images is fitted to the few of them that lie beside it: it costs more on
others, see "Where the threshold comes from" in docs/results.md.
"""

import dataclasses

import numpy as np

from wool_tf.evaluation import ties

SPREAD = 0.25
"""Half width of the prior of both numbers (a Cauchy distribution): of the slope around 1, of the offset around 0."""
LEAST_SLOPE = 0.05
"""A higher score never means a lower probability."""
_STARTS = ((1.0, 0.0), (0.3, 0.0), (4.0, 0.0), (1.0, 4.0), (1.0, -4.0), (4.0, 4.0), (4.0, -4.0))
"""Slopes and offsets that the search begins at: there may be an optimum near no change and one that images show."""
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
        return float(probability((-np.log(ratio) - self.offset) / self.slope))


def fit(labels: np.ndarray, scores: np.ndarray) -> Calibration:
    """The most probable calibration, given some images.

    Arguments:
        labels: (n,) of 0 and 1.
        scores: (n,) float, 0 to 1; of images that the network was not trained on.
    """
    # SciPy takes longer to import than --help may.
    from scipy.optimize import minimize

    signs, odds = np.where(np.asarray(labels) == 1, 1.0, -1.0), log_odds(scores)

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        change = (numbers - (1.0, 0.0)) / SPREAD
        margins = signs * (numbers[0] * odds + numbers[1])
        slopes = -signs * probability(-margins)
        value = np.logaddexp(0, -margins).sum() + np.log1p(change**2).sum()
        return value, np.array([slopes @ odds, slopes.sum()]) + 2 * change / (1 + change**2) / SPREAD

    bounds = [(LEAST_SLOPE, None), (None, None)]
    options = {"gtol": 1e-9, "ftol": 1e-15}
    found = [minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options) for start in _STARTS]
    return Calibration(*map(float, min(found, key=lambda each: each.fun).x))


def log_odds(scores: np.ndarray) -> np.ndarray:
    """(n,) float, the log odds of (n,) scores from 0 to 1, finite of 0 and 1, too."""
    return np.clip(ties.margins(scores), -_FARTHEST, _FARTHEST)


def probability(odds: np.ndarray | float) -> np.ndarray:
    """(n,) float, 0 to 1, what (n,) log odds stand for."""
    from scipy.special import expit

    return expit(odds)
