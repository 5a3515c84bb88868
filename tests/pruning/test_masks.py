"""The masking layer and soft zeroing: what they silence, what stays, what grows back."""

import numpy as np
import pytest

from telling_networks import loaded, logits, pictures, telling, weakest
from wool_tf.networks import weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import ResNetSpec, groups
from wool_tf.pruning.masks import ChannelMask, MaskedResNet, zero_filters
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
    blocks = [(block.name, f"layer{number}") for number, stage in enumerate(spec.stages, 1) for block in stage]
    for (name, group), features in zip(
        blocks, feature_maps(model, [f"{name}.add" for name, _ in blocks], images), strict=True
    ):
        silent = np.all(features == 0, axis=(0, 1, 2))
        assert np.flatnonzero(~silent).tolist() == chosen.kept[group].tolist(), name


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
        chosen = weakest(self.SPEC, weights.read(model), Recipe(0.3, criterion="l2"))
        zero_filters(model, chosen)
        return model, chosen

    def test_what_is_zeroed(self):
        before = telling(self.SPEC)
        model, chosen = self.zeroed()
        after = weights.read(model)
        for conv in self.SPEC.convolutions():
            mask = chosen.mask(conv.writes)
            for key in (f"{conv.norm}.bias", f"{conv.norm}.running_mean"):
                np.testing.assert_array_equal(after[key], before[key] * mask)
            expected = before[f"{conv.name}.weight"] * mask[:, None, None, None]
            np.testing.assert_array_equal(after[f"{conv.name}.weight"], expected)
            for key in (f"{conv.norm}.weight", f"{conv.norm}.running_var"):
                np.testing.assert_array_equal(after[key], before[key])
        for key in ("fc.weight", "fc.bias"):
            np.testing.assert_array_equal(after[key], before[key])

    def test_zeroed_channels_are_zero_at_inference(self):
        model, chosen = self.zeroed()
        convolutions = list(self.SPEC.convolutions())
        maps = feature_maps(model, [conv.norm for conv in convolutions], pictures(self.SPEC))
        for conv, features in zip(convolutions, maps, strict=True):
            assert not features[..., chosen.mask(conv.writes) == 0].any()

    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    def test_zeroed_filters_grow_back(self, optimizer):
        """In the training that goes on, as it does after each epoch of ASFP.

        The first step moves them by the optimizer's memory alone, so only from the second on is it gradients that do.
        """
        import keras

        model = loaded(ResNet, self.SPEC, telling(self.SPEC))
        chosen = {"sgd": keras.optimizers.SGD(0.01, momentum=0.9), "adam": keras.optimizers.Adam(0.001)}[optimizer]
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(chosen, loss, run_eagerly=True)
        rng = np.random.default_rng(1)
        batches = [(pictures(self.SPEC, 6, seed=step), rng.integers(0, 3, 6)) for step in range(5)]
        for images, labels in batches[:2]:
            model.train_on_batch(images, labels)
        pruned = weakest(self.SPEC, weights.read(model), Recipe(0.3, criterion="l2"))
        zero_filters(model, pruned)
        model.train_on_batch(*batches[2])
        by_memory = weights.read(model)
        # Without memory, what moves now are gradients.
        for variable in chosen.variables:
            if "iteration" not in variable.name and "learning_rate" not in variable.name:
                variable.assign(keras.ops.zeros_like(variable))
        model.train_on_batch(*batches[3])
        by_gradients = weights.read(model)
        for conv in self.SPEC.convolutions():
            gone = np.flatnonzero(pruned.mask(conv.writes) == 0)
            key = f"{conv.name}.weight"
            first = by_memory[key][gone].reshape(len(gone), -1)
            then = by_gradients[key][gone].reshape(len(gone), -1)
            assert len(gone) > 0
            assert np.abs(first).max(axis=1).min() > 0, key
            # A ReLU that is silent on all of a batch stops single filters, as it does in any network.
            assert (np.abs(then - first).max(axis=1) > 0).mean() > 0.5, key
