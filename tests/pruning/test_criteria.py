"""Filter norms, by hand and by brute force."""

import numpy as np
import pytest

from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec, groups
from wool_tf.pruning import criteria

SPEC = ResNetSpec(50, tuple(2 + index % 3 for index in range(len(groups(50)))), classes=2, input_shape=(32, 32, 1))


@pytest.fixture(scope="module")
def arrays() -> dict:
    return weights.initial(SPEC, seed=3)


def test_by_hand(arrays):
    kernel = np.zeros((2, 1, 7, 7), np.float32)
    kernel[1, 0, :2, 0] = (3, -4)
    scores = {name: criteria.norms(arrays | {"conv1.weight": kernel}, SPEC, name)["conv1"] for name in ("l1", "l2")}
    assert scores["l1"].tolist() == [0, 7]
    assert scores["l2"].tolist() == [0, 5]


@pytest.mark.parametrize(("criterion", "power"), [("l1", 1), ("l2", 2)])
def test_every_filter(arrays, criterion, power):
    scores = criteria.norms(arrays, SPEC, criterion)
    assert list(scores) == [conv.name for conv in SPEC.convolutions()]
    for name, found in scores.items():
        assert found.dtype == np.float64
        for index, filter in enumerate(arrays[f"{name}.weight"]):
            expected = sum(abs(float(weight)) ** power for weight in filter.ravel()) ** (1 / power)
            assert found[index] == pytest.approx(expected, rel=1e-12)


def test_random_is_seeded_and_blind(arrays):
    first = criteria.norms(arrays, SPEC, "random", seed=1)
    again = criteria.norms(weights.initial(SPEC, seed=4), SPEC, "random", seed=1)
    other = criteria.norms(arrays, SPEC, "random", seed=2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in first)
    assert all(len(scores) == len(arrays[f"{name}.weight"]) for name, scores in first.items())


def test_weights_are_only_read(arrays):
    before = {key: array.copy() for key, array in arrays.items()}
    for criterion in criteria.CRITERIA:
        criteria.norms(arrays, SPEC, criterion)
    assert all(np.array_equal(before[key], arrays[key]) for key in arrays)


def test_refusal(arrays):
    with pytest.raises(WoolError) as caught:
        criteria.norms(arrays, SPEC, "linf")
    assert str(caught.value) == "criterion: must be one of l1, l2, random, got 'linf'"
