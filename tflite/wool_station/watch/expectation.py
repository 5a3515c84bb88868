"""What is to be expected of a belt, from what the card says of held-out images."""

import bisect
import dataclasses
import math
import random

from wool_station.watch import cusum
from wool_station.watch.cusum import Rate

CHANGE = 3.0
"""The change of a rate that the test is made for, as a factor."""

SHIFT = 0.5
SPREAD = 1.5
"""The changes that the tests of scores are made for: of the mean, in standard deviations, and of those, as a factor."""

MOST_RATE = 0.999
"""Where even all held-out images are called defective, nothing could be more."""

LEAST_PASSED = 0.5
"""Share of the held-out images without a defect that must have passed, for their scores to be compared with."""

TAIL = 0.005
"""Where a table of 101 quantiles ends: how far outside a score is beyond that, it cannot say."""

CERTAIN = cusum.normal(0.975)


@dataclasses.dataclass(frozen=True)
class Rates:
    """Which share of tiles is called defective if all is well: from `low` to `high`."""

    low: float
    high: float

    @property
    def more(self) -> Rate:
        return Rate(self.high, min(CHANGE * self.high, (1 + self.high) / 2))

    @property
    def fewer(self) -> Rate | None:
        """None where there may be no defects at all: then there is nothing that could be too rare."""
        return Rate(self.low, self.low / CHANGE) if self.low > 0 else None


def rates(confusion: list[list[int]], defects: tuple[float, float]) -> Rates:
    """The share that is called defective, whichever the shares of false alarms and of misses are within their bounds.

    Arguments:
        confusion: of held-out images: ((passed, false alarms), (missed, found)).
        defects: share of the tiles of a belt that show a defect, from and to, 0 to 1.
    """
    (passed, alarms), (missed, found) = confusion
    false_low, false_high = cusum.bounds(alarms, passed + alarms)
    found_low, found_high = cusum.bounds(found, missed + found)
    low = min((1 - share) * false_low + share * found_low for share in defects)
    high = max((1 - share) * false_high + share * found_high for share in defects)
    return Rates(low if defects[0] > 0 else 0.0, min(high, MOST_RATE))


class Scores:
    """How the scores of tiles that pass are distributed if they are like held-out images that passed.

    Only those that pass are compared, since how many defects a belt has no card knows; of the few that are missed their
    scores say little.

    Arguments:
        quantiles: of the scores of held-out images without a defect, in equal steps from 0 to 1.
        threshold: score from which on a tile does not pass.
        images: number of those images.

    Attributes:
        is_known: whether enough of them passed.
    """

    def __init__(self, quantiles: list[float], threshold: float, images: int):
        self._quantiles, self._random = quantiles, random.Random()
        self._passed = self._span(threshold)[0]
        self.is_known = self._passed >= LEAST_PASSED
        count = max(1.0, images * self._passed)
        # A table of so many images is itself by chance: its mean and spread in standard normal values may be off by so
        # much, and what is no farther off must give no alarm.
        self._off, self._wider = CERTAIN / math.sqrt(count), 1 + CERTAIN / math.sqrt(2 * count)

    def log_ratios(self, score: float) -> dict[str, float]:
        """Log-likelihood ratios of the score of a tile that passes, by alarm."""
        z = self.normal(score)
        return {
            "scores_high": cusum.shift(z - self._off, SHIFT),
            "scores_low": cusum.shift(-z - self._off, SHIFT),
            "scores_wide": cusum.spread(z / self._wider, SPREAD),
            "scores_narrow": cusum.spread(z * self._wider, 1 / SPREAD),
        }

    def normal(self, score: float) -> float:
        """A score as a standard normal value, by the share of images that passed with a lower one.

        Of equal scores, which a network of integers gives, chance decides: so the values are standard normal whatever
        the distribution is.
        """
        low, high = self._span(score)
        share = min(self._random.uniform(low, high) / self._passed, 1.0)
        return cusum.normal(min(max(share, TAIL), 1 - TAIL))

    def _span(self, score: float) -> tuple[float, float]:
        """Shares of the images with a lower score, and with this one or a lower one."""
        table = self._quantiles
        steps, first, last = len(table) - 1, bisect.bisect_left(table, score), bisect.bisect_right(table, score)
        if first < last:
            return max(0.0, (first - 0.5) / steps), min(1.0, (last - 0.5) / steps)
        if first in (0, len(table)):
            return float(first > 0), float(first > 0)
        share = (first - 1 + (score - table[first - 1]) / (table[first] - table[first - 1])) / steps
        return share, share
