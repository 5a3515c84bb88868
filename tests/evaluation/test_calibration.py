"""Scores as probabilities, against closed forms, simulated networks whose truth is known, and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from wool_tf.evaluation import calibration
from wool_tf.evaluation.calibration import SPREAD, Calibration

RATIOS = st.floats(0.01, 100)


def drawn(rng, images, slope=1.0, offset=0.0):
    """Labels, and scores whose log odds times the slope, plus the offset, are those of the truth."""
    odds = rng.normal(0, 3, images)
    return (rng.random(images) < expit(slope * odds + offset)).astype(int), expit(odds)


@given(RATIOS)
def test_without_images_a_score_is_a_probability(ratio):
    found = calibration.fit(np.empty(0, int), np.empty(0))
    assert (found.slope, found.offset) == (1.0, 0.0)
    assert found.threshold(ratio) == pytest.approx(1 / (1 + ratio))


def test_at_the_threshold_both_errors_cost_the_same():
    for slope, offset, ratio in ((0.4, -0.7, 3.0), (2.0, 1.5, 0.2)):
        score = Calibration(slope, offset).threshold(ratio)
        probability = expit(slope * np.log(score / (1 - score)) + offset)
        assert ratio * probability == pytest.approx(1 - probability)


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.35, -0.5), (1.8, 0.6)])
def test_many_images_tell_what_a_network_does_wrong(slope, offset):
    found = calibration.fit(*drawn(np.random.default_rng(0), 200_000, slope, offset))
    assert (found.slope, found.offset) == pytest.approx((slope, offset), abs=0.03)


def test_few_images_change_little():
    found = [calibration.fit(*drawn(np.random.default_rng(seed), 20)) for seed in range(100)]
    assert np.std([each.slope for each in found]) < SPREAD / 2
    assert np.std([each.offset for each in found]) < SPREAD


def test_it_is_logistic_regression_with_a_prior():
    """scikit-learn's shrinks to 0, so it is given the part of the slope that is beyond 1 as its own."""
    rng = np.random.default_rng(1)
    labels, scores = drawn(rng, 300, 0.5, 0.3)
    found = calibration.fit(labels, scores)
    odds = np.log(scores / (1 - scores))
    residual = labels - expit(found.slope * odds + found.offset)
    # Where the likelihood's slope equals the prior's: the normal equations, written down by hand.
    assert residual @ odds == pytest.approx((found.slope - 1) / SPREAD**2, abs=1e-4)
    assert residual.sum() == pytest.approx(found.offset / SPREAD**2, abs=1e-4)
    free = LogisticRegression(C=np.inf, tol=1e-10).fit(odds[:, None], labels)
    between = sorted((1.0, float(free.coef_[0, 0])))
    assert between[0] < found.slope < between[1]


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), max_size=40), RATIOS, RATIOS)
def test_any_scores_give_a_threshold_and_dearer_misses_a_lower_one(rows, one, other):
    labels, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = calibration.fit(labels, scores)
    assert found.slope >= calibration.LEAST_SLOPE and np.isfinite(found.offset)
    dearer, cheaper = (found.threshold(ratio) for ratio in (max(one, other), min(one, other)))
    assert 0 <= dearer <= cheaper <= 1


def test_scores_that_are_the_wrong_way_round_do_not_turn_the_rule():
    labels, scores = np.arange(1000) % 2, np.where(np.arange(1000) % 2, 0.001, 0.999)
    assert calibration.fit(labels, scores).slope == pytest.approx(calibration.LEAST_SLOPE)


@pytest.mark.parametrize("ratio", [1.0, 3.0, 10.0])
@pytest.mark.parametrize("confidence", [1.0, 2.0])
def test_it_costs_new_images_less_than_the_threshold_that_was_the_cheapest(ratio, confidence):
    """200 images, 100 times over, of a network that is right or twice as sure as it should be; costs in closed form."""
    rng, labels = np.random.default_rng(5), np.arange(200) % 2

    def cost(odds):
        """Of new images, by what their log odds must reach."""
        return (
            ratio * norm.cdf(odds, confidence * 2, confidence * 2) + norm.sf(odds, -confidence * 2, confidence * 2)
        ) / 2

    calibrated, cheapest = [], []
    for _ in range(100):
        odds = confidence * rng.normal(4.0 * labels - 2.0, 2.0)
        scores = expit(odds)
        threshold = calibration.fit(labels, scores).threshold(ratio)
        calibrated.append(cost(np.log(threshold / (1 - threshold))))
        tried = np.append(np.sort(odds), np.inf)
        costs = [ratio * (odds[labels == 1] < at).sum() + (odds[labels == 0] >= at).sum() for at in tried]
        cheapest.append(cost(tried[int(np.argmin(costs))]))
    best = min(cost(odds) for odds in np.linspace(-20, 20, 2001))
    assert np.mean(calibrated) - best < 0.6 * (np.mean(cheapest) - best)
