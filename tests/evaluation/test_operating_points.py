"""Thresholds against trying all of them, and that a fold has no say in its own."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wool_tf.evaluation import operating_points
from wool_tf.evaluation.thresholds import ThresholdRule

# Few different scores, so that many are equal.
SCORED = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=1, max_size=25)
CHOICES = (
    functools.partial(operating_points.for_recall, recall=0.9),
    ThresholdRule(cost_ratio=5).chosen,
)


def arrays(scored) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = zip(*scored, strict=True)
    return np.array(labels), np.array(scores) / 6


@given(SCORED.filter(lambda scored: any(label for label, _ in scored)), st.floats(0.01, 1))
def test_the_highest_threshold_of_a_recall(scored, recall):
    labels, scores = arrays(scored)
    fits = [t for t in np.unique(scores) if np.mean(scores[labels == 1] >= t) >= recall]
    chosen = operating_points.for_recall(labels, scores, recall)
    assert chosen == max(fits)
    assert np.mean(scores[labels == 1] >= np.nextafter(chosen, 2)) < recall


def test_no_recall_without_defective_images():
    with pytest.raises(ValueError, match="no defective image"):
        operating_points.for_recall(np.array([0]), np.array([0.5]), 1)


@pytest.mark.parametrize("choose", CHOICES)
@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(0, 3))
def test_a_fold_has_no_say_in_its_own_threshold(choose, seed, fold):
    rng = np.random.default_rng(seed)
    labels, scores, fold_of = rng.integers(0, 2, 80), rng.random(80), rng.permutation(np.arange(80) % 4)
    labels[[np.flatnonzero(fold_of == number)[0] for number in range(4)]] = 1
    thresholds, called = operating_points.cross_fitted(labels, scores, fold_of, choose)
    others = fold_of != fold
    assert thresholds[fold] == choose(labels[others], scores[others])
    assert np.array_equal(called[~others], scores[~others] >= thresholds[fold])
    changed = np.where(others, labels, 1 - labels), np.where(others, scores, rng.random(80))
    assert operating_points.cross_fitted(*changed, fold_of, choose)[0][fold] == thresholds[fold]
