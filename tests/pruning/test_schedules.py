"""The asymptotic schedule against its defining equations, solved here in another way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from wool_tf.errors import WoolError
from wool_tf.pruning.schedules import asymptotic


def solved(epoch: float, last: int, goal: float) -> float:
    """P(e) = a·exp(−k·e) + b from its three points, by a bracketing root finder over k."""

    def curve(k):
        a = -goal / (1 - math.exp(-k * last))
        return a, -a

    def miss(k):
        a, b = curve(k)
        return a * math.exp(-k * last / 8) + b - 0.75 * goal

    k = brentq(miss, 1e-4 / last, 400 / last, xtol=1e-15, rtol=1e-14)
    a, b = curve(k)
    return a * math.exp(-k * epoch) + b


def test_values_of_100_epochs():
    published = {0: 0, 1: 0.0318, 12: 0.222, 24: 0.280, 49: 0.2988, 99: 0.3}
    for epoch, rate in published.items():
        digits = 3 if epoch in (12, 24) else 4
        assert round(asymptotic(epoch, 100, 0.3), digits) == rate


def test_decay_from_zero():
    # P(e)/goal = (1 − exp(−k·e)) / (1 − exp(−k·N)); two of its values give k·N.
    last = 88
    first, second = (asymptotic(epoch, last + 1, 0.5) for epoch in (11, 22))
    # With equal steps the increments fall by exp(−k·11).
    assert -math.log((second - first) / first) * 8 == pytest.approx(11.08999, abs=1e-5)


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_three_points(eighth, goal):
    last = 8 * eighth
    assert asymptotic(0, last + 1, goal) == 0
    assert asymptotic(eighth, last + 1, goal) == pytest.approx(0.75 * goal, rel=1e-12)
    assert asymptotic(last, last + 1, goal) == goal


@given(st.integers(1, 400), st.floats(0.05, 0.95), st.data())
def test_against_a_root_finder(last, goal, data):
    epoch = data.draw(st.integers(0, last))
    expected = solved(epoch, last, goal)
    assert asymptotic(epoch, last + 1, goal) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@given(st.integers(2, 120), st.floats(0.01, 0.99))
def test_grows_from_zero_to_the_goal(epochs, goal):
    rates = [asymptotic(epoch, epochs, goal) for epoch in range(epochs)]
    assert rates[0] == 0
    assert rates[-1] == goal
    assert np.all(np.diff(rates) >= 0)
    # Steep first, then flat. Rounding shows where it is flat.
    assert np.all(np.diff(rates, 2) <= 1e-12)


def test_edges():
    assert asymptotic(0, 1, 0.3) == 0.3
    assert [asymptotic(epoch, 2, 0.3) for epoch in (0, 1)] == [0, 0.3]
    assert [asymptotic(epoch, 5, 0.0) for epoch in range(5)] == [0] * 5


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, 10, 1.0), "goal: the pruning rate must be in [0, 1), got 1.0"),
        ((0, 10, -0.1), "goal: the pruning rate must be in [0, 1), got -0.1"),
        ((0, 10, math.nan), "goal: the pruning rate must be in [0, 1), got nan"),
        ((10, 10, 0.3), "epoch: must be from 0 to epochs - 1 = 9, got 10"),
        ((-1, 10, 0.3), "epoch: must be from 0 to epochs - 1 = 9, got -1"),
        ((0, 0, 0.3), "epoch: must be from 0 to epochs - 1 = -1, got 0"),
    ],
)
def test_refusals(arguments, expected):
    with pytest.raises(WoolError) as caught:
        asymptotic(*arguments)
    assert str(caught.value) == expected
