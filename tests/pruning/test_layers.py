"""The masking layer and soft zeroing: what they silence, what stays, what grows back."""

import numpy as np
import pytest

from telling_networks import loaded, logits, pictures, telling, weakest
from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import ResNetSpec, groups
from wool_tf.pruning.layers import ChannelMask, MaskedResNet, masked, zero_filters
from wool_tf.pruning.plan import Plan, Recipe

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def narrow(depth: int) -> ResNetSpec:
    full = ResNetSpec.full(depth, 3, (33, 40, 1))
    return full.resized({group: width // 8 for group, width in full.by_group().items()})


def feature_maps(model, names: list[str], images: np.ndarray) -> list[np.ndarray]:
    import keras

    taps = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return [keras.ops.convert_to_numpy(features) for features in taps(images, training=False)]


def whole(spec: ResNetSpec) -> Plan:
    return Plan(spec, {group: np.arange(spec.width(group)) for group in groups(spec.depth)})


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("trunk", ["group", "per_block"])
def test_masked_channels_are_zero_everywhere(depth, trunk):
    spec = narrow(depth)
    model = loaded(MaskedResNet, spec, telling(spec))
    chosen = weakest(spec, weights.read(model), Recipe(0.3, trunk))
    model.apply(chosen)
    convolutions = list(spec.convolutions())
    images = pictures(spec)
    maps = feature_maps(model, [f"{conv.norm}.mask" for conv in convolutions], images)
    for conv, features in zip(convolutions, maps, strict=True):
        silent = np.all(features == 0, axis=(0, 1, 2))
        assert np.flatnonzero(~silent).tolist() == chosen.kept[conv.writes].tolist(), conv.name
    # All that is added to a trunk is masked alike, so its sums are silent in the same channels.
    blocks = [(block.name, f"layer{number}") for number, stack in enumerate(spec.stacks, 1) for block in stack]
    for (name, group), features in zip(
        blocks, feature_maps(model, [f"{name}.add" for name, _ in blocks], images), strict=True
    ):
        silent = np.all(features == 0, axis=(0, 1, 2))
        assert np.flatnonzero(~silent).tolist() == chosen.kept[group].tolist(), name


@pytest.mark.parametrize("depth", [18, 50])
def test_the_masks_tell_the_plan(depth):
    spec = narrow(depth)
    model = loaded(MaskedResNet, spec, telling(spec))
    for expected in (whole(spec), weakest(spec, weights.read(model), Recipe(0.4, "per_block"))):
        model.apply(expected)
        assert model.plan.spec == spec
        assert list(model.plan.kept) == list(groups(depth))
        assert all(np.array_equal(model.plan.kept[group], kept) for group, kept in expected.kept.items())


def test_a_copy_with_masks():
    spec = narrow(18)
    plain, images = loaded(ResNet, spec, telling(spec)), pictures(spec)
    copy = masked(plain)
    assert type(copy) is MaskedResNet
    np.testing.assert_array_equal(logits(copy, images), logits(plain, images))
    copy.get_layer("conv1").kernel.assign(copy.get_layer("conv1").kernel * 0)
    assert weights.read(plain)["conv1.weight"].any()
    with pytest.raises(WoolError, match="^model: must be a ResNet without masks, got a MaskedResNet$"):
        masked(copy)


def test_without_a_plan_nothing_is_masked():
    spec = narrow(18)
    arrays = telling(spec)
    images = pictures(spec)
    plain, masked = (loaded(kind, spec, arrays) for kind in (ResNet, MaskedResNet))
    np.testing.assert_array_equal(logits(plain, images), logits(masked, images))


def test_a_new_plan_replaces_the_old():
    spec = narrow(18)
    model, images = loaded(MaskedResNet, spec, telling(spec)), pictures(spec)
    before = logits(model, images)
    model.apply(weakest(spec, weights.read(model), Recipe(0.5)))
    assert np.abs(logits(model, images) - before).max() > 1e-3
    model.apply(whole(spec))
    np.testing.assert_array_equal(logits(model, images), before)


def test_masks_are_no_trainable_weights():
    spec = narrow(50)
    masked, plain = MaskedResNet(spec), ResNet(spec)
    assert len(masked.trainable_variables) == len(plain.trainable_variables)
    names = {layer.name for layer in masked.layers if isinstance(layer, ChannelMask)}
    assert names == {f"{conv.norm}.mask" for conv in spec.convolutions()}
    assert list(weights.read(masked)) == list(weights.read(plain))


def test_mask_layer_rebuilds():
    layer = ChannelMask(name="mine", trainable=False)
    again = ChannelMask.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.name == "mine"
    features = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    np.testing.assert_array_equal(np.asarray(again(features)), features)
    again.mask.assign([1, 0, 1])
    np.testing.assert_array_equal(np.asarray(again(features)), features * [1, 0, 1])


def test_masked_network_rebuilds_with_its_masks(tmp_path):
    import keras

    spec = narrow(18)
    model, images = loaded(MaskedResNet, spec, telling(spec)), pictures(spec)
    chosen = weakest(spec, weights.read(model), Recipe(0.3))
    model.apply(chosen)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    for conv in spec.convolutions():
        mask = np.asarray(again.get_layer(f"{conv.norm}.mask").mask)
        np.testing.assert_array_equal(mask, chosen.mask(conv.writes))
    np.testing.assert_array_equal(logits(again, images), logits(model, images))


class TestSoft:
    SPEC = narrow(18)

    def zeroed(self):
        model = loaded(ResNet, self.SPEC, telling(self.SPEC))
        chosen = weakest(self.SPEC, weights.read(model), Recipe(0.3, importance="l2"))
        zero_filters(model, chosen)
        return model, chosen

    def test_kernels_are_zeroed_and_nothing_else(self):
        before = telling(self.SPEC)
        model, chosen = self.zeroed()
        after = weights.read(model)
        kernels = {f"{conv.name}.weight": chosen.mask(conv.writes) for conv in self.SPEC.convolutions()}
        for key, array in after.items():
            expected = before[key] * kernels[key][:, None, None, None] if key in kernels else before[key]
            np.testing.assert_array_equal(array, expected, err_msg=key)

    def test_batch_norms_emit_constants_until_the_channels_are_masked(self):
        model, chosen = self.zeroed()
        arrays, convolutions = weights.read(model), list(self.SPEC.convolutions())
        maps = feature_maps(model, [conv.norm for conv in convolutions], pictures(self.SPEC))
        for conv, features in zip(convolutions, maps, strict=True):
            gone = chosen.mask(conv.writes) == 0
            gamma, beta, mean, variance = (
                arrays[f"{conv.norm}.{part}"][gone] for part in ("weight", "bias", "running_mean", "running_var")
            )
            constants = np.broadcast_to(beta - gamma * mean / np.sqrt(variance + 1e-5), features[..., gone].shape)
            np.testing.assert_allclose(features[..., gone], constants, rtol=1e-5, atol=1e-6)
        copy = masked(model)
        copy.apply(chosen)
        for features in feature_maps(copy, [f"{conv.norm}.mask" for conv in convolutions[:1]], pictures(self.SPEC)):
            assert not features[..., chosen.mask("layer1") == 0].any()

    def test_gradients_alone_move_zeroed_filters(self):
        """With SGD that remembers nothing, in the first step after; not those whose constant a ReLU cuts off."""
        import keras

        model, chosen = self.zeroed()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.01), loss, run_eagerly=True)
        before = weights.read(model)
        model.train_on_batch(pictures(self.SPEC, 6), np.arange(6) % 3)
        after, onto_trunks = weights.read(model), []
        for conv in self.SPEC.convolutions():
            gone = chosen.mask(conv.writes) == 0
            moved = np.abs(after[f"{conv.name}.weight"][gone]).max(axis=(1, 2, 3)) > 0
            if conv.relu:
                # In training a channel of zeros leaves its batch norm as the shift alone.
                assert moved.tolist() == (before[f"{conv.norm}.bias"][gone] > 0).tolist(), conv.name
            else:
                onto_trunks += moved.tolist()
        assert np.mean(onto_trunks) > 0.5


class TestHard:
    SPEC = narrow(18)

    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    def test_no_gradient_and_no_momentum_brings_masked_filters_back(self, optimizer):
        """Masked in the middle of a training, with an optimizer that remembers their gradients."""
        import keras

        model = loaded(MaskedResNet, self.SPEC, telling(self.SPEC))
        chosen = {"sgd": keras.optimizers.SGD(0.01, momentum=0.9), "adam": keras.optimizers.Adam(0.001)}[optimizer]
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(chosen, loss, run_eagerly=True)
        labels = np.arange(6) % 3
        for step in (0, 1):
            model.train_on_batch(pictures(self.SPEC, 6, step), labels)
        pruned = weakest(self.SPEC, weights.read(model), Recipe(0.3))
        model.apply(pruned)
        before, images = weights.read(model), pictures(self.SPEC, 6, seed=2)
        for gradients in self.gradients(model, loss, images, labels), self.gradients(model, loss, images[::-1], labels):
            for conv in self.SPEC.convolutions():
                gone, kept = (pruned.mask(conv.writes) == value for value in (0, 1))
                for variable in (f"{conv.name}/kernel", f"{conv.norm}/gamma", f"{conv.norm}/beta"):
                    assert not gradients[variable][..., gone].any(), variable
                    assert gradients[variable][..., kept].any(), variable
        model.train_on_batch(images, labels)
        after = weights.read(model)
        gone = pruned.mask("layer1.0.conv1") == 0
        moved = after["layer1.0.conv1.weight"][gone] - before["layer1.0.conv1.weight"][gone]
        assert np.abs(moved).max() > 0
        convolutions = list(self.SPEC.convolutions())
        for conv, features in zip(
            convolutions, feature_maps(model, [f"{conv.norm}.mask" for conv in convolutions], images), strict=True
        ):
            assert not features[..., pruned.mask(conv.writes) == 0].any()

    def gradients(self, model, loss, images, labels) -> dict[str, np.ndarray]:
        """Of training mode, by the path of the variable."""
        tf = pytest.importorskip("tensorflow")
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        variables = model.trainable_variables
        found = tape.gradient(value, [variable.value for variable in variables])
        return {variable.path: np.asarray(array) for variable, array in zip(variables, found, strict=True)}
