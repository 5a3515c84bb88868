"""Labels that are probably wrong."""

import numpy as np

from wool_tf.audit.label_errors import suspects


def test_by_hand():
    # Mean probability of class 0 among its own is (0.9 + 0.8 + 0.1) / 3 = 0.6, of class 1 (0.9 + 0.7 + 0.2) / 3 = 0.6.
    labels = np.array([0, 0, 0, 1, 1, 1])
    scores = np.array([0.1, 0.2, 0.9, 0.9, 0.7, 0.2])
    # Image 2 has 0.9 ≥ 0.6 of class 1, image 5 has 0.8 ≥ 0.6 of class 0; their labels have 0.1 and 0.2.
    assert suspects(labels, scores).tolist() == [2, 5]


def test_a_wrong_judgement_without_confidence_is_none():
    labels = np.array([0, 0, 0, 1, 1, 1])
    scores = np.array([0.0, 0.0, 0.55, 1.0, 1.0, 1.0])
    assert suspects(labels, scores).tolist() == []


def test_exchanged_labels_are_found_and_nothing_else():
    rng = np.random.default_rng(0)
    truth = np.arange(1000) % 2
    scores = 1 / (1 + np.exp(-(2 * truth - 1) * rng.uniform(2, 5, 1000)))
    wrong = rng.choice(1000, 40, replace=False)
    labels = truth.copy()
    labels[wrong] ^= 1
    found = suspects(labels, scores)
    assert set(found) <= set(wrong) and len(found) > 30
    assert np.all(np.diff(np.abs(labels - scores)[found]) <= 0), "the surest stand first"
