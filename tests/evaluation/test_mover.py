"""Intervals of differences and ratios, against what defines them and against a simulation."""

import itertools
import math

import numpy as np
import pytest

from wool_tf.evaluation import mover


def test_a_difference_by_hand():
    # 3, 4 and 5 on the one side, 5, 12 and 13 on the other.
    assert mover.difference(50.0, (47.0, 62.0), 20.0, (15.0, 24.0)) == (30.0 - 5.0, 30.0 + 13.0)


@pytest.mark.parametrize(
    ("one", "around", "other", "beside"),
    [
        (0.98, (0.96, 0.99), 0.73, (0.66, 0.79)),
        (0.5, (0.2, 0.8), 0.4, (0.1, 0.85)),  # The other may be more than twice what it is.
        (0.3, (0.0, 0.7), 0.9, (0.8, 1.0)),
    ],
)
def test_at_the_ends_of_a_ratio_the_difference_ends_at_0(one, around, other, beside):
    low, high = mover.ratio(one, around, other, beside)
    assert low <= one / other <= high
    for factor, side in ((low, 0), (high, 1)):
        scaled = factor * beside[0], factor * beside[1]
        assert mover.difference(one, around, factor * other, scaled)[side] == pytest.approx(0, abs=1e-12)


def test_a_ratio_to_what_may_be_0_has_no_upper_end():
    assert mover.ratio(0.5, (0.4, 0.6), 0.1, (0.0, 0.2))[1] == math.inf


def test_intervals_of_ratios_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held, trials, images, shares = 0, 2000, 200, (0.9, 0.75)
    for _ in range(trials):
        found = rng.binomial(images, shares) / images
        # Wilson's intervals, which are good ones for shares.
        z = 1.959964
        middle = (found + z**2 / (2 * images)) / (1 + z**2 / images)
        half = z / (1 + z**2 / images) * np.sqrt(found * (1 - found) / images + z**2 / (4 * images**2))
        (one, other), ends = found, [tuple(pair) for pair in zip(middle - half, middle + half, strict=True)]
        low, high = mover.ratio(one, ends[0], other, ends[1])
        held += low <= shares[0] / shares[1] <= high
    assert held / trials == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("images", [7, 12, 49])
def test_shares_without_intervals_have_a_ratio_without_one(images):
    # The square below a root is 0 there, and after rounding may be less.
    for one, other in itertools.product(range(1, images + 1), repeat=2):
        shares = one / images, other / (images + 1)
        low, high = mover.ratio(shares[0], (shares[0],) * 2, shares[1], (shares[1],) * 2)
        assert low == pytest.approx(shares[0] / shares[1], rel=1e-6) == high
