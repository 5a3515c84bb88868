"""Against values worked out by hand."""

import numpy as np
import pytest

from wool_tf.evaluation.metrics import METRICS, evaluate, summarise


def test_evaluate():
    labels = np.array([0, 0, 0, 1, 1])
    scores = np.array([0.1, 0.6, 0.2, 0.5, 0.4])
    found = evaluate(labels, scores)
    # Called defective: 0.6 (wrongly) and 0.5 (the threshold itself counts).
    assert found["confusion"] == [[2, 1], [1, 1]]
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["recall"] == pytest.approx(1 / 2)
    assert found["precision"] == pytest.approx(1 / 2)
    assert found["f1"] == pytest.approx(1 / 2)
    # Pairs of a defective and a clean image in the right order: 2 of 3 for each defective one.
    assert found["auc"] == pytest.approx(4 / 6)
    assert found["average_precision"] == pytest.approx(1 / 2 * 1 / 2 + 1 / 2 * 2 / 3)


def test_nothing_called_defective():
    found = evaluate(np.array([0, 1]), np.array([0.1, 0.2]))
    assert (found["precision"], found["f1"], found["recall"]) == (0, 0, 0)


def test_summarise():
    folds = [dict.fromkeys(METRICS, 0.5), dict.fromkeys(METRICS, 0.7)]
    found = summarise(folds)
    assert found["mean"]["auc"] == pytest.approx(0.6)
    assert found["std"]["auc"] == pytest.approx(np.sqrt(2 * 0.1**2))
    assert summarise(folds[:1])["std"]["auc"] is None
