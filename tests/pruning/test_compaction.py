"""Masked equals removed: logits, saved models, and training."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telling_networks import loaded, logits, pictures, scale_head, telling, weakest
from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import DEPTHS, ResNetSpec, groups
from wool_tf.pruning import compaction, plan
from wool_tf.pruning.layers import MaskedResNet, zero_filters
from wool_tf.pruning.plan import Recipe

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TOLERANCE = 1e-4


def narrow(depth: int, divisor: int = 8) -> ResNetSpec:
    full = ResNetSpec.full(depth, 3, (32, 40, 1))
    return full.resized({group: width // divisor for group, width in full.by_group().items()})


@pytest.mark.parametrize(
    ("depth", "divisor", "recipes"),
    [(18, 1, plan.RECIPES), (50, 4, plan.RECIPES)]
    + [pytest.param(depth, 1, plan.RECIPES, marks=pytest.mark.slow) for depth in DEPTHS],
    ids=lambda value: "+".join(value) if isinstance(value, list | tuple) else None,
)
def test_masked_and_compact_logits(depth, divisor, recipes):
    """Both methods, both recipes; where it must be fast, one network of each kind of block, the deeper one narrower."""
    spec = narrow(depth, divisor)
    images, masked = pictures(spec), MaskedResNet(spec)
    arrays = telling(spec, seed=depth)
    weights.assign(masked, arrays)
    whole = logits(masked, images)
    arrays = scale_head(arrays, whole)
    nothing = plan.make(spec, {conv.name: np.ones(spec.width(conv.writes)) for conv in spec.convolutions()}, Recipe(0))
    for name in recipes:
        recipe, smaller = plan.named(name, depth), None
        for method, measure in (("hard", "l1"), ("soft", "l2")):
            weights.assign(masked, arrays)
            masked.apply(nothing)
            chosen = weakest(spec, arrays, dataclasses.replace(recipe, importance=measure))
            # Both methods end at the same widths.
            smaller = smaller or ResNet(chosen.compact)
            if method == "soft":
                zero_filters(masked, chosen)
                kept = weights.read(masked)
                chosen = weakest(spec, kept, dataclasses.replace(recipe, importance=measure))
            else:
                kept = arrays
            masked.apply(chosen)
            before = logits(masked, images)
            weights.assign(smaller, compaction.gather(kept, chosen))
            after = logits(smaller, images)
            difference = np.abs(before - after).max()
            print(f"ResNet-{depth} {name} {method}: {difference:.1e}, largest logit {np.abs(before).max():.1f}")
            # Neither drowned nor blown up, and the mask did something.
            assert 0.5 < np.abs(before).max() < 20
            assert np.abs(before - whole).max() > 0.01
            assert difference <= TOLERANCE
            assert compaction.check_equal(before, after, "test") == pytest.approx(difference)


@pytest.mark.parametrize(
    ("depth", "divisor", "recipe"),
    [(18, 1, "paper-text"), (50, 8, "paper-table3")]
    + [pytest.param(depth, 1, recipe, marks=pytest.mark.slow) for depth in DEPTHS for recipe in plan.RECIPES],
)
def test_after_saving_and_loading(depth, divisor, recipe, tmp_path):
    """Both Keras models and the checkpoint, in files."""
    import keras

    spec = narrow(depth, divisor)
    images, masked = pictures(spec), loaded(MaskedResNet, spec, telling(spec))
    weights.assign(masked, scale_head(weights.read(masked), logits(masked, images)))
    kept = weights.read(masked)
    chosen = weakest(spec, kept, plan.named(recipe, depth))
    masked.apply(chosen)
    expected = logits(masked, images)
    smaller = compaction.compact(masked)
    assert smaller.spec == chosen.compact
    for name, model in (("masked", masked), ("compact", smaller)):
        model.save(tmp_path / f"{name}.keras")
        again = keras.saving.load_model(tmp_path / f"{name}.keras", safe_mode=True)
        assert type(again) is type(model) and again.spec == model.spec
        np.testing.assert_allclose(logits(again, images), expected, rtol=0, atol=TOLERANCE)
    weights.save(tmp_path / "w.safetensors", chosen.compact, compaction.gather(kept, chosen))
    read_spec, read = weights.load(tmp_path / "w.safetensors")
    found = logits(loaded(ResNet, read_spec, read), images)
    print(f"ResNet-{depth} {recipe} saved: {np.abs(found - expected).max():.1e}")
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@given(st.data())
@settings(max_examples=4)
def test_random_networks_and_recipes(data):
    depth = data.draw(st.sampled_from([18, 50]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = (int(rng.integers(32, 50)), int(rng.integers(32, 50)), int(rng.choice([1, 3])))
    spec = ResNetSpec(depth, tuple(rng.integers(1, 12, len(groups(depth)))), int(rng.integers(1, 4)), shape)
    recipe = Recipe(
        data.draw(st.lists(st.floats(0, 0.95), min_size=4, max_size=4)),
        data.draw(st.sampled_from(plan.TRUNKS)),
        data.draw(st.sampled_from(["l1", "l2", "random"])),
        data.draw(st.sampled_from([1, 2, 4])),
    )
    images, masked = pictures(spec), loaded(MaskedResNet, spec, telling(spec))
    arrays = scale_head(weights.read(masked), logits(masked, images))
    weights.assign(masked, arrays)
    chosen = weakest(spec, arrays, recipe)
    if data.draw(st.booleans()):
        zero_filters(masked, chosen)
    masked.apply(chosen)
    smaller = loaded(ResNet, chosen.compact, compaction.gather(weights.read(masked), chosen))
    np.testing.assert_allclose(logits(masked, images), logits(smaller, images), rtol=0, atol=TOLERANCE)


def test_a_network_without_masks_is_refused():
    spec = narrow(18)
    with pytest.raises(WoolError, match="^model: has no masks that say what to remove, it is a ResNet$"):
        compaction.compact(ResNet(spec))
    model = MaskedResNet(spec)
    # None of whose channels is masked, so that all stay.
    assert compaction.compact(model).spec == spec
    model.get_layer("layer2.1.bn2.mask").mask.assign(np.eye(spec.width("layer2"), dtype=np.float32)[0])
    expected = "^masks: layer2.1.conv2 is masked otherwise than what else writes to layer2$"
    with pytest.raises(WoolError, match=expected):
        compaction.compact(model)


def test_gather_by_hand():
    spec = ResNetSpec(18, (3,) * 12, classes=2, input_shape=(32, 32, 1))
    rng = np.random.default_rng(0)
    arrays = {key: rng.normal(size=shape) for key, shape in weights.shapes(spec).items()}
    everything = {group: np.arange(3) for group in groups(18)}
    chosen = plan.Plan(spec, everything | {"layer1": np.array([0, 2]), "layer2.0.conv1": np.array([1])})
    gathered = compaction.gather(arrays, chosen)
    changed = {
        # The trunk of stack 1: its writers lose filters, its readers planes.
        "conv1.weight": arrays["conv1.weight"][[0, 2]],
        **{f"layer1.{block}.conv2.weight": arrays[f"layer1.{block}.conv2.weight"][[0, 2]] for block in (0, 1)},
        **{f"layer1.{block}.conv1.weight": arrays[f"layer1.{block}.conv1.weight"][:, [0, 2]] for block in (0, 1)},
        "layer2.0.downsample.0.weight": arrays["layer2.0.downsample.0.weight"][:, [0, 2]],
        "layer2.0.conv1.weight": arrays["layer2.0.conv1.weight"][[1]][:, [0, 2]],
        "layer2.0.conv2.weight": arrays["layer2.0.conv2.weight"][:, [1]],
    }
    norms = {"bn1": [0, 2], "layer1.0.bn2": [0, 2], "layer1.1.bn2": [0, 2], "layer2.0.bn1": [1]}
    for norm, kept in norms.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            changed[f"{norm}.{part}"] = arrays[f"{norm}.{part}"][kept]
    for key, array in (arrays | changed).items():
        np.testing.assert_array_equal(gathered[key], array, err_msg=key)
    assert list(gathered) == list(arrays)
    weights.check(gathered, chosen.compact, "gathered")


class TestCheckEqual:
    @pytest.mark.parametrize("broken", ["layer2", "layer3.1.conv1"])
    def test_wrong_indices_are_refused(self, broken):
        spec = narrow(18)
        images, masked = pictures(spec), loaded(MaskedResNet, spec, telling(spec))
        arrays = scale_head(weights.read(masked), logits(masked, images))
        weights.assign(masked, arrays)
        chosen = weakest(spec, arrays, Recipe(0.3))
        masked.apply(chosen)
        gone = np.setdiff1d(np.arange(spec.width(broken)), chosen.kept[broken])
        wrong = chosen.kept[broken].copy()
        wrong[0] = gone[0]
        other = plan.Plan(spec, chosen.kept | {broken: np.sort(wrong)})
        smaller = loaded(ResNet, other.compact, compaction.gather(arrays, other))
        with pytest.raises(WoolError) as caught:
            compaction.check_equal(logits(masked, images), logits(smaller, images), "Hard pruning, round 1")
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith("Hard pruning, round 1: masked and compact network disagree by ")
        assert message.endswith("; the compact network was not used")

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("which", ["masked", "compact", "both"])
    def test_what_is_not_finite_is_refused(self, value, which):
        good = np.ones((4, 2), np.float32)
        bad = good.copy()
        bad[3, 1] = value
        with pytest.raises(WoolError, match="masked and compact network disagree"), np.errstate(invalid="ignore"):
            compaction.check_equal(good if which == "compact" else bad, good if which == "masked" else bad, "x")

    def test_limits(self):
        ones = np.ones((2, 2), np.float64)
        assert compaction.check_equal(ones, ones, "x") == 0
        assert compaction.check_equal(ones, ones + 0.9e-4, "x") == pytest.approx(0.9e-4)
        with pytest.raises(WoolError, match=r"^x: .* by 0\.00011 in a logit.* 0\.0001\b"):
            compaction.check_equal(ones, ones + 1.1e-4, "x")
        # Rounding grows with the logits, and so does what is allowed; it never shrinks below that of logits about 1.
        assert compaction.check_equal(50 * ones, 50 * ones + 4e-3, "x") == pytest.approx(4e-3)
        assert compaction.check_equal(0.01 * ones, 0.01 * ones + 0.9e-4, "x") == pytest.approx(0.9e-4)


@pytest.mark.parametrize("precision", ["float64"], indirect=True)
@pytest.mark.parametrize("depth", [18, pytest.param(50, marks=pytest.mark.slow)])
def test_training_masked_is_training_compact(depth, precision):
    """Five steps of SGD with momentum, batch norms in training mode: the kept weights come out the same.

    Only the order in which sums are added differs, so in float64 a dozen digits agree. In float32 batch norms over
    twelve values in the last stack magnify rounding at every step, by how much depends on the processor.
    """
    import keras

    spec = narrow(depth)
    start = telling(spec)
    chosen = weakest(spec, start, Recipe(0.3))
    pair = loaded(MaskedResNet, spec, start), loaded(ResNet, chosen.compact, compaction.gather(start, chosen))
    pair[0].apply(chosen)
    rng, losses = np.random.default_rng(0), []
    images = rng.normal(size=(5, 6, *spec.input_shape)).astype(precision)
    batches = list(zip(images, rng.integers(0, 3, (5, 6)), strict=True))
    for model in pair:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        # Eagerly: tracing a graph for five steps would take longer.
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, run_eagerly=True)
        losses.append([float(model.train_on_batch(batch, labels)) for batch, labels in batches])
    print(f"losses {np.round(losses[0], 4)}, differ by {np.abs(np.subtract(*losses)).max():.1e}")
    np.testing.assert_allclose(*losses, rtol=1e-13)
    masked, smaller = (weights.read(model) for model in pair)
    gathered, first = compaction.gather(masked, chosen), compaction.gather(start, chosen)
    # The worst of all arrays, relative to what training changed in it.
    worst = 0.0
    for key, array in smaller.items():
        change = np.linalg.norm(array - first[key])
        assert change > 0, key
        worst = max(worst, float(np.linalg.norm(gathered[key] - array) / change))
    print(f"ResNet-{depth} {precision}: kept weights differ by {worst:.1e} of what training changed")
    assert worst <= 1e-9

    # What is masked gets no gradient: its weights have not moved by a bit, nor have those that would read it.
    for conv in spec.convolutions():
        gone = np.flatnonzero(chosen.mask(conv.writes) == 0)
        assert len(gone) > 0
        for key in (f"{conv.name}.weight", f"{conv.norm}.weight", f"{conv.norm}.bias"):
            np.testing.assert_array_equal(masked[key][gone], start[key][gone], err_msg=key)
        if conv.reads != "input":
            unread = np.flatnonzero(chosen.mask(conv.reads) == 0)
            key = f"{conv.name}.weight"
            np.testing.assert_array_equal(masked[key][:, unread], start[key][:, unread], err_msg=key)
