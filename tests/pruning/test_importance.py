"""Importance of filters, by hand, by brute force and by finite differences."""

import gc

import numpy as np
import pytest

from telling_networks import loaded, logits, pictures, telling
from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec, groups
from wool_tf.pruning import importance

SPEC = ResNetSpec(50, tuple(2 + index % 3 for index in range(len(groups(50)))), classes=2, input_shape=(32, 32, 1))


@pytest.fixture(scope="module")
def arrays() -> dict:
    return weights.initial(SPEC, seed=3)


def test_by_hand(arrays):
    kernel = np.zeros((2, 1, 7, 7), np.float32)
    kernel[1, 0, :2, 0] = (3, -4)
    scores = {name: importance.scores(arrays | {"conv1.weight": kernel}, SPEC, name)["conv1"] for name in ("l1", "l2")}
    assert scores["l1"].tolist() == [0, 7]
    assert scores["l2"].tolist() == [0, 5]


@pytest.mark.parametrize(("measure", "power"), [("l1", 1), ("l2", 2)])
def test_every_filter(arrays, measure, power):
    scores = importance.scores(arrays, SPEC, measure)
    assert list(scores) == [conv.name for conv in SPEC.convolutions()]
    for name, found in scores.items():
        assert found.dtype == np.float64
        for index, filter in enumerate(arrays[f"{name}.weight"]):
            expected = sum(abs(float(weight)) ** power for weight in filter.ravel()) ** (1 / power)
            assert found[index] == pytest.approx(expected, rel=1e-12)


def test_bn_scale_is_the_size_of_gamma(arrays):
    gammas = {"bn1.weight": np.array([-0.5, 0.25], np.float32), "layer1.0.downsample.1.weight": np.float32([1, 0, -2])}
    scores = importance.scores(arrays | gammas, SPEC, "bn_scale")
    assert list(scores) == [conv.name for conv in SPEC.convolutions()]
    assert scores["conv1"].tolist() == [0.5, 0.25]
    assert scores["layer1.0.downsample.0"].tolist() == [1, 0, 2]
    assert scores["layer3.2.conv3"].tolist() == [1] * len(arrays["layer3.2.bn3.weight"])
    assert all(values.dtype == np.float64 for values in scores.values())


@pytest.mark.parametrize("precision", ["float64"], indirect=True)
@pytest.mark.parametrize("depth", [18, 50])
def test_taylor_is_the_slope_of_the_loss_along_the_channel(depth, precision):
    """By finite differences: a channel grows by what its batch norm's scale and shift grow."""
    from wool_tf.networks.resnet import ResNet

    spec = ResNetSpec(depth, (4,) * len(groups(depth)), classes=3, input_shape=(32, 37, 1))
    arrays, images, labels = telling(spec), pictures(spec, 18), np.arange(18) % 3
    found = importance.scores(arrays, spec, "taylor", examples=(images, labels))
    assert {name: values.shape for name, values in found.items()} == {c.name: (4,) for c in spec.convolutions()}
    model, step = loaded(ResNet, spec, arrays), 1e-6

    def losses(norm: str, index: int, factor: float) -> np.ndarray:
        changed = {f"{norm}.{part}": arrays[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias")}
        for array in changed.values():
            array[index] *= factor
        weights.assign(model, arrays | changed)
        outputs = logits(model, images)
        return np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(18), labels]

    rng = np.random.default_rng(0)
    for conv in rng.choice(list(spec.convolutions()), 8, replace=False):
        index = int(rng.integers(4))
        slopes = (losses(conv.norm, index, 1 + step) - losses(conv.norm, index, 1 - step)) / (2 * step)
        assert found[conv.name][index] == pytest.approx(np.abs(slopes).mean(), rel=1e-5, abs=1e-9), conv.name
        # Of mixed signs, or the order of mean and size would not show.
        assert np.abs(slopes).mean() > 1.01 * abs(slopes.mean()) or not slopes.any()


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (2, 3, "taylor: needs a label for each of at least one image, got 3 for 2"),
        (0, 0, "taylor: needs a label for each of at least one image, got 0 for 0"),
        (None, None, "importance: taylor needs images and their labels"),
    ],
)
def test_taylor_refusals(arrays, images, labels, expected):
    examples = None if images is None else (np.zeros((images, 32, 32, 1)), np.zeros(labels, int))
    with pytest.raises(WoolError) as caught:
        importance.scores(arrays, SPEC, "taylor", examples=examples)
    assert str(caught.value) == expected


def test_taylor_names_the_backends_that_it_knows(arrays, monkeypatch):
    import keras

    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(WoolError, match="^taylor: works on the Keras backends tensorflow and jax, not torch$"):
        importance.scores(arrays, SPEC, "taylor", examples=(pictures(SPEC), np.zeros(3, int)))


def test_taylor_leaves_no_tensor_behind(arrays):
    """TensorFlow's tape keeps gradients for good where it computes eagerly: megabytes of every round."""
    pytest.importorskip("tensorflow")
    images = pictures(SPEC, 3)

    def tensors() -> int:
        gc.collect()
        return sum(type(kept).__name__ == "EagerTensor" for kept in gc.get_objects())

    importance.scores(arrays, SPEC, "taylor", examples=(images, np.zeros(3, int)))
    before = tensors()
    importance.scores(arrays, SPEC, "taylor", examples=(images, np.ones(3, int)))
    assert tensors() == before


def test_random_is_seeded_and_blind(arrays):
    first = importance.scores(arrays, SPEC, "random", seed=1)
    again = importance.scores(weights.initial(SPEC, seed=4), SPEC, "random", seed=1)
    other = importance.scores(arrays, SPEC, "random", seed=2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in first)
    assert all(len(scores) == len(arrays[f"{name}.weight"]) for name, scores in first.items())


def test_weights_are_only_read(arrays):
    before = {key: array.copy() for key, array in arrays.items()}
    for measure in importance.MEASURES:
        importance.scores(arrays, SPEC, measure, examples=(pictures(SPEC), np.array([0, 1, 1])))
    assert all(np.array_equal(before[key], arrays[key]) for key in arrays)


def test_refusal(arrays):
    with pytest.raises(WoolError) as caught:
        importance.scores(arrays, SPEC, "linf")
    assert str(caught.value) == "importance: must be one of l1, l2, random, bn_scale, taylor, got 'linf'"
