"""Sequential tests with a stated rate of false alarms: cumulative sums of log-likelihood ratios (CUSUM, Page 1954)."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

_NORMAL = NormalDist()


class Cusum:
    """A test that looks at one sample after the other, for as long as there are any.

    The sum of the logarithms of likelihood ratios, which is not let below 0, gives an alarm at `limit`. As long as the
    likelihood ratio of a sample has an expectation of at most 1, at least exp(limit) samples pass in the mean before a
    false alarm (Lorden 1971), whatever the samples are distributed like.

    Arguments:
        limit: sum from which on there is an alarm.
        standing: whether the alarm stands at the beginning.

    Attributes:
        sum: 0 to `limit`.
        on: whether the alarm stands. It ends when the sum is 0 again: when all that spoke for it has been outweighed.
    """

    def __init__(self, limit: float, standing: bool = False):
        self.limit = limit
        self.sum, self.on = limit if standing else 0.0, standing

    def add(self, log_ratio: float) -> None:
        """Takes the logarithm of the likelihood ratio of a sample: above 0 where it speaks for the alarm."""
        self.sum = min(max(0.0, self.sum + log_ratio), self.limit)
        if self.sum >= self.limit:
            self.on = True
        elif self.sum == 0:
            self.on = False


def limit(samples: float, tests: int) -> float:
    """Limit at which so many tests of the same samples give together one false alarm in at least so many samples.

    The mean of their Shiryaev-Roberts statistics grows by at most 1 with each sample, and is at least exp(limit) /
    tests when any of them gives an alarm.
    """
    return math.log(samples * tests)


class Rate(NamedTuple):
    """Log-likelihood ratios of yes and no: that yes has the probability `other` instead of `usual`, both within 0 to 1.

    If `other` is the higher one they hold for every probability up to `usual` (their expectation is at most 1), if it
    is the lower one for every one from `usual` on.
    """

    usual: float
    other: float

    def log_ratio(self, yes: bool) -> float:
        if yes:
            return math.log(self.other / self.usual)
        return math.log((1 - self.other) / (1 - self.usual))


def shift(z: float, by: float) -> float:
    """Log-likelihood ratio of a standard normal sample: that its mean is `by` instead of 0."""
    return by * z - by * by / 2


def spread(z: float, by: float) -> float:
    """Log-likelihood ratio of a standard normal sample: that its standard deviation is `by` instead of 1."""
    return z * z / 2 * (1 - 1 / (by * by)) - math.log(by)


def normal(share: float) -> float:
    """The standard normal value below which a share, within 0 to 1, lies."""
    return _NORMAL.inv_cdf(share)


CERTAINTY = 0.95
"""With which the bounds of a rate, that a finite number of images gives, are right; each alone."""


def bounds(yes: int, of: int) -> tuple[float, float]:
    """Within which a probability is of which `yes` were seen in `of` trials, at least 1 (Clopper and Pearson 1934)."""
    low = 0.0 if yes == 0 else _solve(lambda p: 1 - _at_most(yes - 1, of, p), 1 - CERTAINTY)
    high = 1.0 if yes == of else 1 - _solve(lambda p: _at_most(yes, of, 1 - p), 1 - CERTAINTY)
    return low, high


def _solve(rising: Callable[[float], float], value: float) -> float:
    """Where a function that rises from 0 to 1 has a value, up to 1e-9."""
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return low


def _at_most(yes: int, of: int, p: float) -> float:
    """Probability of at most so many in a binomial distribution."""
    if p <= 0 or p >= 1:
        return float(p <= 0 or yes >= of)
    odds, terms = math.log(p) - math.log1p(-p), []
    for count in range(yes + 1):
        ways = math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
        terms.append(ways + count * odds + of * math.log1p(-p))
    most = max(terms)
    return min(1.0, math.exp(most) * sum(math.exp(term - most) for term in terms))
