"""Against values worked out by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from wool_tf.evaluation.metrics import evaluate


def test_evaluate():
    labels = np.array([0, 0, 0, 1, 1])
    scores = np.array([0.1, 0.6, 0.2, 0.5, 0.4])
    found = evaluate(labels, scores)
    # Called defective: 0.6 (wrongly) and 0.5 (the threshold itself counts).
    assert found.confusion == ((2, 1), (1, 1))
    assert (found.missed, found.false_alarms, found.defective, found.sound) == (1, 1, 2, 3)
    assert found.false_alarm_rate == pytest.approx(1 / 3)
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.recall == pytest.approx(1 / 2)
    assert found.precision == pytest.approx(1 / 2)
    assert found.f1 == pytest.approx(1 / 2)
    # Pairs of a defective and a clean image in the right order: 2 of 3 for each defective one.
    assert found.auc == pytest.approx(4 / 6)
    assert found.average_precision == pytest.approx(1 / 2 * 1 / 2 + 1 / 2 * 2 / 3)


def test_nothing_called_defective():
    found = evaluate(np.array([0, 1]), np.array([0.1, 0.2]))
    assert (found.precision, found.f1, found.recall) == (0, 0, 0)


@given(st.integers(0, 10**6), st.integers(2, 9))
def test_every_share_is_scikit_learns(seed, levels):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, 2, 20)])
    scores, limits = rng.integers(0, levels, 22) / levels, rng.random(22)
    found, called = evaluate(labels, scores, limits), scores >= limits
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, called))
    assert found.recall == pytest.approx(metrics.recall_score(labels, called))
    assert found.precision == pytest.approx(metrics.precision_score(labels, called, zero_division=0))
    assert found.f1 == pytest.approx(metrics.f1_score(labels, called, zero_division=0))
    assert np.array_equal(found.confusion, metrics.confusion_matrix(labels, called))
    assert found.false_alarm_rate == pytest.approx(1 - metrics.recall_score(1 - labels, ~called))
