"""Weights as arrays: in and out of models and files, their refusals, and where random ones start."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.spec import DEPTHS, ResNetSpec, groups

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def narrow(depth: int) -> ResNetSpec:
    """A network of which no two neighbouring groups are equally wide."""
    widths = tuple(3 + index % 4 for index in range(len(groups(depth))))
    return ResNetSpec(depth, widths, classes=3, input_shape=(32, 40, 1))


def distinct(spec: ResNetSpec) -> dict:
    """Arrays in which every element differs from every other of its array."""
    rng = np.random.default_rng(0)
    return {key: rng.normal(size=shape).astype(np.float32) for key, shape in weights.shapes(spec).items()}


def refusal(call, *arguments) -> str:
    with pytest.raises(WoolError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_equal(left: dict, right: dict) -> None:
    assert list(left) == list(right)
    for key in left:
        np.testing.assert_array_equal(left[key], right[key], err_msg=key)


class TestModels:
    @pytest.mark.parametrize(("depth", "masked"), [(18, False), (34, True), (50, False), (101, True)])
    def test_round_trip(self, depth, masked):
        from wool_tf.networks.resnet import ResNet
        from wool_tf.pruning.layers import MaskedResNet

        spec = narrow(depth)
        model, arrays = (MaskedResNet if masked else ResNet)(spec), distinct(spec)
        weights.assign(model, arrays)
        read = weights.read(model)
        assert_equal(read, arrays)
        assert {array.dtype for array in read.values()} == {np.dtype(np.float32)}
        # Nothing of the model is left out but masks.
        assert sum(array.size for array in read.values()) == sum(
            int(np.prod(variable.shape)) for variable in model.variables if not variable.path.endswith("/mask")
        )

    def test_layouts(self):
        from wool_tf.networks.resnet import ResNet

        spec = narrow(50)
        model, arrays = ResNet(spec), distinct(spec)
        weights.assign(model, arrays)
        kernel = np.asarray(model.get_layer("layer2.0.conv2").kernel)
        out, read, row, column = 2, 1, 0, 2
        assert kernel[row, column, read, out] == arrays["layer2.0.conv2.weight"][out, read, row, column]
        assert np.asarray(model.get_layer("fc").kernel)[4, 1] == arrays["fc.weight"][1, 4]
        norm = model.get_layer("layer3.0.downsample.1")
        for variable, part in (
            (norm.gamma, "weight"),
            (norm.beta, "bias"),
            (norm.moving_mean, "running_mean"),
            (norm.moving_variance, "running_var"),
        ):
            np.testing.assert_array_equal(np.asarray(variable), arrays[f"layer3.0.downsample.1.{part}"])

    def test_no_aliasing(self):
        import keras

        from wool_tf.networks.resnet import ResNet

        spec = narrow(18)
        model, given = ResNet(spec), weights.initial(spec, seed=0)
        weights.assign(model, given)
        read = weights.read(model)
        before = {key: array.copy() for key, array in read.items()}
        model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        images = np.random.default_rng(0).normal(size=(4, *spec.input_shape)).astype(np.float32)
        model.train_on_batch(images, np.array([0, 1, 2, 0]))
        trained = weights.read(model)
        assert not np.array_equal(trained["conv1.weight"], before["conv1.weight"])
        assert not np.array_equal(trained["bn1.running_mean"], before["bn1.running_mean"])
        assert_equal(read, before)
        assert_equal(given, before)
        # Nor does the model look into the arrays that it was given or that it gave.
        for arrays in (given, trained):
            weights.assign(model, arrays)
            expected = {key: array.copy() for key, array in arrays.items()}
            for array in arrays.values():
                array += 1
            assert_equal(weights.read(model), expected)

    def test_refusals(self):
        from wool_tf.networks.resnet import ResNet

        spec = narrow(18)
        model, arrays = ResNet(spec), distinct(spec)
        short = {key: array for key, array in arrays.items() if key != "bn1.bias"}
        assert "weights: the key bn1.bias of a ResNet-18 is missing" in refusal(weights.assign, model, short)
        other = refusal(weights.assign, model, weights.initial(spec.resized({"layer1.0.conv1": 9}), 0))
        assert "layer1.0.conv1.weight has the shape (9, 3, 3, 3), but the network needs (4, 3, 3, 3)" in other


class TestCheck:
    SPEC = narrow(50)

    @pytest.mark.parametrize("key", sorted(weights.shapes(narrow(50)))[::17])
    def test_every_mistake_names_the_key(self, key):
        arrays = distinct(self.SPEC)
        weights.check(arrays, self.SPEC, "w")
        without = {name: array for name, array in arrays.items() if name != key}
        assert refusal(weights.check, without, self.SPEC, "w") == f"w: the key {key} of a ResNet-50 is missing"
        wrong = arrays | {key: np.zeros((1, 2), np.float32)}
        needed = weights.shapes(self.SPEC)[key]
        expected = f"w: {key} has the shape (1, 2), but the network needs {needed}"
        assert refusal(weights.check, wrong, self.SPEC, "w") == expected
        for value in (np.nan, np.inf, -np.inf):
            broken = arrays[key].copy()
            broken.flat[-1] = value
            expected = f"w: {key} holds values that are not finite"
            assert refusal(weights.check, arrays | {key: broken}, self.SPEC, "w") == expected

    @pytest.mark.parametrize("key", ["fc.gamma", "layer4.9.conv1.weight", ""])
    def test_extra_key(self, key):
        arrays = distinct(self.SPEC) | {key: np.zeros(3, np.float32)}
        assert f"w: the key {key} does not belong to a ResNet-50" in refusal(weights.check, arrays, self.SPEC, "w")


class TestFiles:
    @pytest.mark.parametrize("depth", DEPTHS)
    def test_round_trip(self, depth, tmp_path):
        spec, path = narrow(depth), tmp_path / "w.safetensors"
        arrays = distinct(spec)
        weights.save(path, spec, arrays)
        read_spec, read = weights.load(path)
        assert read_spec == spec
        # The file holds no order; the keys are what counts.
        assert_equal(dict(sorted(read.items())), dict(sorted(arrays.items())))
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]

    def test_transposed_views_are_saved_as_they_read(self, tmp_path):
        # safetensors writes the memory of an array, in whatever order it lies there.
        spec, path = narrow(18), tmp_path / "w.safetensors"
        arrays = {key: np.asfortranarray(array) for key, array in distinct(spec).items()}
        weights.save(path, spec, arrays)
        for key, array in load_file(path).items():
            np.testing.assert_array_equal(array, arrays[key])

    def test_replaces_an_older_file(self, tmp_path):
        path = tmp_path / "w.safetensors"
        path.write_bytes(b"older")
        weights.save(path, narrow(18), distinct(narrow(18)))
        assert weights.load(path)[0] == narrow(18)

    def test_what_cannot_be_read(self, tmp_path):
        path = tmp_path / "w.safetensors"
        assert f"{path}: cannot be read as a checkpoint" in refusal(weights.load, path)
        assert f"{tmp_path}: cannot be read as a checkpoint" in refusal(weights.load, tmp_path)
        weights.save(path, narrow(18), distinct(narrow(18)))
        whole = path.read_bytes()
        for damaged in (b"", b"no safetensors at all", whole[:100], whole[:-1]):
            path.write_bytes(damaged)
            assert f"{path}: cannot be read as a checkpoint" in refusal(weights.load, path)

    def test_what_is_no_checkpoint_of_ours(self, tmp_path):
        path, spec = tmp_path / "w.safetensors", narrow(18)
        arrays = distinct(spec)
        save_file(arrays, path)
        assert f"{path}: no spec in its header" in refusal(weights.load, path)
        for header in ("{", '{"depth": 18}', ResNetSpec.full(18, 2, (32, 32, 1)).to_json().replace("64", "0")):
            save_file(arrays, path, metadata={"spec": header})
            assert f"{path}: the spec in its header is damaged (" in refusal(weights.load, path)
        save_file(arrays, path, metadata={"spec": narrow(34).to_json()})
        assert f"{path}: the key layer1.2.conv1.weight of a ResNet-34 is missing" in refusal(weights.load, path)
        arrays["fc.bias"][0] = np.nan
        weights.save(path, spec, arrays)
        assert f"{path}: fc.bias holds values that are not finite" in refusal(weights.load, path)


class TestInitial:
    SPEC = ResNetSpec.full(50, classes=2, input_shape=(64, 64, 3))

    def test_distributions(self):
        arrays = weights.initial(self.SPEC, seed=0)
        for key, array in arrays.items():
            assert array.dtype == np.float32
            if array.ndim == 4:
                # He et al. 2015, fan out.
                variance = 2 / (array.shape[0] * array.shape[2] * array.shape[3])
                # Of n values the variance estimated strays by √(2/n); six such deviations are beyond chance.
                assert array.var() == pytest.approx(variance, rel=6 * np.sqrt(2 / array.size)), key
                assert abs(array.mean()) < 6 * np.sqrt(variance / array.size)
            elif not key.startswith("fc"):
                assert set(array) == {1.0 if key.endswith(("weight", "running_var")) else 0.0}
        bound = 1 / np.sqrt(2048)
        head = arrays["fc.weight"]
        assert 0.99 * bound < np.abs(head).max() <= bound
        assert head.var() == pytest.approx(bound**2 / 3, rel=0.1)
        assert np.abs(arrays["fc.bias"]).max() <= bound
        # Normal, not uniform: 0.27 % lie beyond three deviations.
        large = arrays["layer4.1.conv2.weight"]
        assert (np.abs(large) > 3 * large.std()).mean() == pytest.approx(0.0027, rel=0.05)

    def test_seeds(self):
        spec = narrow(18)
        one, again, other = (weights.initial(spec, seed) for seed in (1, 1, 2))
        assert_equal(one, again)
        assert not np.array_equal(one["layer1.0.conv1.weight"], other["layer1.0.conv1.weight"])
        assert not np.array_equal(one["layer1.0.conv1.weight"].ravel()[:9], one["layer1.0.conv2.weight"].ravel()[:9])

    @pytest.mark.parametrize("depth", DEPTHS)
    def test_fits_its_spec(self, depth):
        spec = narrow(depth)
        weights.check(weights.initial(spec, 0), spec, "initial")
