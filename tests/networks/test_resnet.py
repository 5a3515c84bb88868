"""The Keras networks: against torchvision's ResNet written out in NumPy, their shapes, names, counts and files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from telling_networks import telling
from wool_tf.networks import complexity, weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import DEPTHS, ResNetSpec, groups
from wool_tf.pruning.layers import MaskedResNet

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
ODD = (33, 47)


def narrow(depth: int, channels: int = 3, seed: int = 0) -> ResNetSpec:
    """A network with 2 to 6 channels in each group, no two stacks alike."""
    rng = np.random.default_rng(seed)
    return ResNetSpec(depth, tuple(rng.integers(2, 7, len(groups(depth)))), 3, (*ODD, channels))


def loaded(spec: ResNetSpec, arrays: dict, kind: type = ResNet) -> ResNet:
    model = kind(spec)
    weights.assign(model, arrays)
    return model


def logits(model, images: np.ndarray) -> np.ndarray:
    import keras

    return keras.ops.convert_to_numpy(model(images, training=False))


class TorchvisionInNumpy:
    """torchvision's `ResNet.forward`, line by line, on arrays by torchvision's keys; (batch, channels, height, width).

    It knows nothing of specs: the kind and the number of blocks are read from the keys.
    """

    def __init__(self, arrays: dict):
        self.arrays = {key: array.astype(np.float64) for key, array in arrays.items()}

    def conv(self, x, name, stride=1):
        kernel = self.arrays[f"{name}.weight"]
        side = kernel.shape[-1]
        padded = np.pad(x, ((0, 0), (0, 0), (side // 2,) * 2, (side // 2,) * 2))
        windows = sliding_window_view(padded, (side, side), axis=(2, 3))[:, :, ::stride, ::stride]
        return np.einsum("nchwij,ocij->nohw", windows, kernel, optimize=True)

    def norm(self, x, name):
        gamma, beta, mean, variance = (
            self.arrays[f"{name}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    def maxpool(self, x):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
        return sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2].max((-1, -2))

    def block(self, x, name, stride):
        relu = lambda values: np.maximum(values, 0)  # noqa: E731
        if f"{name}.conv3.weight" in self.arrays:
            out = relu(self.norm(self.conv(x, f"{name}.conv1"), f"{name}.bn1"))
            out = relu(self.norm(self.conv(out, f"{name}.conv2", stride), f"{name}.bn2"))
            out = self.norm(self.conv(out, f"{name}.conv3"), f"{name}.bn3")
        else:
            out = relu(self.norm(self.conv(x, f"{name}.conv1", stride), f"{name}.bn1"))
            out = self.norm(self.conv(out, f"{name}.conv2"), f"{name}.bn2")
        if f"{name}.downsample.0.weight" in self.arrays:
            x = self.norm(self.conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
        return relu(out + x)

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Logits and what goes before, from (batch, height, width, channels)."""
        seen = {"conv1": self.conv(images.transpose(0, 3, 1, 2).astype(np.float64), "conv1", 2)}
        x = seen["maxpool"] = self.maxpool(np.maximum(self.norm(seen["conv1"], "bn1"), 0))
        for stack in range(1, 5):
            index = 0
            while f"layer{stack}.{index}.conv1.weight" in self.arrays:
                x = self.block(x, f"layer{stack}.{index}", stride=2 if stack > 1 and index == 0 else 1)
                index += 1
            seen[f"layer{stack}"] = x
        seen["fc"] = x.mean((2, 3)) @ self.arrays["fc.weight"].T + self.arrays["fc.bias"]
        return seen


@pytest.mark.parametrize("depth", [18, 34, 50, *(pytest.param(deep, marks=pytest.mark.slow) for deep in (101, 152))])
def test_logits_are_torchvisions(depth):
    """The two deepest have but more of the blocks of ResNet-50, and how many is a matter of `test_every_shape`."""
    spec = narrow(depth, seed=depth)
    arrays = telling(spec, seed=depth)
    images = np.random.default_rng(0).normal(size=(2, *spec.input_shape)).astype(np.float32)
    theirs = TorchvisionInNumpy(arrays)(images)["fc"]
    ours = logits(loaded(spec, arrays), images)
    print(f"depth {depth}: largest difference {np.abs(ours - theirs).max():.1e}, logit {np.abs(theirs).max():.2f}")
    assert 0.1 < np.abs(theirs).max() < 100
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * max(1, np.abs(theirs).max()))


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (50, 64)])
def test_strided_convolution_pool_and_stacks(size):
    """Stride and padding show at the borders, so whole feature maps are compared."""
    import keras

    spec = ResNetSpec(18, narrow(18).widths, 3, (*size, 3))
    arrays = telling(spec)
    model = loaded(spec, arrays)
    images = np.random.default_rng(2).normal(size=(1, *size, 3)).astype(np.float32)
    expected = TorchvisionInNumpy(arrays)(images)
    names = {"conv1": "conv1", "maxpool": "maxpool", "layer1": "layer1.1.relu", "layer2": "layer2.1.relu"}
    taps = keras.Model(model.input, [model.get_layer(name).output for name in names.values()])
    for name, features in zip(names, taps(images, training=False), strict=True):
        features = keras.ops.convert_to_numpy(features).transpose(0, 3, 1, 2)
        assert features.shape == expected[name].shape
        np.testing.assert_allclose(features, expected[name], rtol=0, atol=1e-5)


def pytorch_side(side: int, kernel: int, stride: int, padding: int) -> int:
    """PyTorch's documentation of Conv2d and MaxPool2d, dilation 1."""
    return (side + 2 * padding - (kernel - 1) - 1) // stride + 1


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_shape(depth):
    """Full width, an odd size: Keras' own shapes are PyTorch's, and those that complexity counts with."""
    spec = ResNetSpec.full(depth, classes=7, input_shape=(*ODD, 1))
    model = ResNet(spec)
    sides = [tuple(pytorch_side(side, 7, 2, 3) for side in ODD)]
    for kernel, padding in ((3, 1), (1, 0), (3, 1), (3, 1), (3, 1)):
        # The pool, stack 1 with stride 1, then a strided 3×3 per stack.
        stride = 1 if kernel == 1 else 2
        sides.append(tuple(pytorch_side(side, kernel, stride, padding) for side in sides[-1]))
    assert model.get_layer("conv1").output.shape[1:3] == sides[0]
    assert model.get_layer("maxpool").output.shape[1:3] == sides[1]
    for stack, blocks in enumerate(BLOCKS[depth], start=1):
        expansion = 1 if depth < 50 else 4
        for block in range(blocks):
            output = model.get_layer(f"layer{stack}.{block}.relu").output.shape[1:]
            assert output == (*sides[stack + 1], 64 * 2 ** (stack - 1) * expansion)
    assert model.output.shape == (None, 7)

    for cost in complexity.layers(spec):
        shape = tuple(model.get_layer(cost.name).output.shape[1:])
        assert cost.output == (shape if len(shape) == 3 else (1, 1, *shape))
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert complexity.parameters(spec) == trainable


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_layers_have_torchvisions_names(depth):
    model = ResNet(narrow(depth))
    expected = {"conv1", "bn1", "fc"}
    for stack, blocks in enumerate(BLOCKS[depth], start=1):
        for block in range(blocks):
            for number in range(1, 3 if depth < 50 else 4):
                expected |= {f"layer{stack}.{block}.{kind}{number}" for kind in ("conv", "bn")}
        if stack > 1 or depth >= 50:
            expected |= {f"layer{stack}.0.downsample.{number}" for number in (0, 1)}
    assert {layer.name for layer in model.layers if layer.weights} == expected


@given(st.data())
@settings(max_examples=4)
def test_parameter_counts_of_random_specs(data):
    depth = data.draw(st.sampled_from([18, 34, 50]))
    widths = data.draw(st.lists(st.integers(1, 9), min_size=len(groups(depth)), max_size=len(groups(depth))))
    channels, classes = data.draw(st.sampled_from([1, 3])), data.draw(st.integers(1, 5))
    spec = ResNetSpec(depth, tuple(widths), classes, (32, 40, channels))
    model = ResNet(spec)
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == complexity.parameters(spec)
    running = 2 * sum(spec.width(conv.writes) for conv in spec.convolutions())
    assert model.count_params() == complexity.parameters(spec) + running


@pytest.mark.parametrize("kind", [ResNet, MaskedResNet])
def test_config_rebuilds(kind):
    spec = narrow(18)
    model = kind(spec, name="mine")
    again = kind.from_config(model.get_config())
    assert type(again) is kind
    assert (again.spec, again.name) == (spec, "mine")
    assert [variable.path for variable in again.variables] == [variable.path for variable in model.variables]
    assert [tuple(variable.shape) for variable in again.variables] == [tuple(v.shape) for v in model.variables]
    frozen = kind(spec, trainable=False)
    assert not kind.from_config(frozen.get_config()).trainable


@pytest.mark.parametrize("depth", [18, 50, *(pytest.param(depth, marks=pytest.mark.slow) for depth in (34, 101, 152))])
def test_saved_model_carries_spec_and_outputs(depth, tmp_path):
    import keras

    spec = narrow(depth, channels=1)
    model = loaded(spec, telling(spec))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(again) is ResNet
    assert again.spec == spec
    images = np.random.default_rng(0).normal(size=(3, *spec.input_shape)).astype(np.float32)
    np.testing.assert_array_equal(logits(again, images), logits(model, images))


def test_training_follows_pytorchs_running_statistics():
    """momentum 0.1 in PyTorch's sense: 0.9 of the old running value, 0.1 of the batch's; variances are over n − 1."""
    spec = narrow(18)
    arrays = telling(spec)
    model = loaded(spec, arrays)
    images = np.random.default_rng(3).normal(size=(4, *spec.input_shape)).astype(np.float32)
    model(images, training=True)
    batch = TorchvisionInNumpy(arrays).conv(images.transpose(0, 3, 1, 2).astype(np.float64), "conv1", 2)
    trained = weights.read(model)
    for part, value in (("running_mean", batch.mean((0, 2, 3))), ("running_var", batch.var((0, 2, 3), ddof=1))):
        expected = 0.9 * arrays[f"bn1.{part}"] + 0.1 * value
        np.testing.assert_allclose(trained[f"bn1.{part}"], expected, rtol=1e-4, atol=1e-5)
