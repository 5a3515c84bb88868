"""audit/regressions.py against scikit-learn's logistic regression."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from wool_tf.audit import regressions


@pytest.mark.parametrize(("crops", "features"), [(6, 1), (40, 2), (300, 2), (300, 13)])
@pytest.mark.parametrize("strength", [0.0, 1.0, 30.0])
def test_scores_are_those_of_scikit_learn(crops, features, strength):
    rng = np.random.default_rng(crops + features)
    inputs, others = rng.uniform(-1, 1, (crops, features)), rng.uniform(-1, 1, (50, features))
    # From labels that have nothing to do with the inputs to those that a plane parts, and one that is rare.
    labels = (strength * inputs[:, 0] + rng.logistic(size=(5, crops)) > 0).astype(int)
    labels[:, 0], labels[:, 1] = 0, 1
    labels[4, 2:] = 0
    found = regressions.scores(inputs, labels, others)
    assert found.shape == (5, 50)
    for scores, truth in zip(found, labels, strict=True):
        right = LogisticRegression(tol=1e-8, max_iter=1000).fit(inputs, truth).predict_proba(others)[:, 1]
        assert scores == pytest.approx(right, abs=1e-5)


def test_a_feature_given_twice_is_no_singular_matrix():
    inputs = np.repeat(np.linspace(-1, 1, 40)[:, None], 2, axis=1)
    labels = (inputs[:, 0] > 0).astype(int)[None]
    right = LogisticRegression(tol=1e-8).fit(inputs, labels[0]).predict_proba(inputs)[:, 1]
    assert regressions.scores(inputs, labels, inputs)[0] == pytest.approx(right, abs=1e-5)
