"""Scores of images."""

import numpy as np
import pytest

from wool_tf.networks import scoring


def test_probabilities():
    logits = np.array([[0.0, 0.0], [0.0, np.log(3.0)], [2000.0, 0.0], [0.0, 2000.0]])
    assert scoring.probabilities(logits) == pytest.approx([0.5, 0.75, 0.0, 1.0])
