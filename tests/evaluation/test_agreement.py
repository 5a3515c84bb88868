import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from wool_tf.evaluation.agreement import compare


def test_comparison_of_four_images():
    found = compare([0.9, 0.6, 0.2, 0.5], [0.8, 0.4, 0.2, 0.4])
    assert (found.images, found.agreement) == (4, 0.5)
    assert (found.mean_difference, found.max_difference) == (pytest.approx(0.1), pytest.approx(0.2))


SCORE = st.floats(0, 1, width=32)


@given(st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=30), SCORE)
def test_comparison_agrees_with_scikit_learn(rows, threshold):
    by_float, by_int8 = (np.array(column) for column in zip(*rows, strict=True))
    found = compare(by_float, by_int8, threshold)
    assert found.agreement == pytest.approx(accuracy_score(by_float >= threshold, by_int8 >= threshold))
    assert found.mean_difference <= found.max_difference <= 1
