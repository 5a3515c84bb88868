"""Both schedules within `fit`: when they prune, what stays away, what grows back, what is removed in the end."""

import keras
import numpy as np
import pytest

from telling_networks import loaded, logits, pictures, telling, weakest
from wool_tf import seeds
from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import ResNetSpec, groups
from wool_tf.pruning import compaction, importance, plan
from wool_tf.pruning.callbacks import AsymptoticSoftPruning, HardPruning
from wool_tf.pruning.layers import MaskedResNet, masked
from wool_tf.pruning.plan import Plan, Recipe

# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever one is read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SPEC = ResNetSpec(18, (10,) * 12, classes=3, input_shape=(32, 32, 1))
TRUNKS = ("layer1", "layer2", "layer3", "layer4")
IMAGES, LABELS = pictures(SPEC, 12), np.arange(12) % 3


def fit(model, *callbacks, epochs: int, rate: float = 0.01, momentum: float = 0.9) -> list[float]:
    """The losses of the epochs."""
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Eagerly: tracing a graph would take longer than the few steps.
    model.compile(keras.optimizers.SGD(rate, momentum), loss, run_eagerly=True)
    options = {"batch_size": len(IMAGES), "shuffle": False, "verbose": 0}
    ran = model.fit(IMAGES, LABELS, epochs=epochs, callbacks=list(callbacks), **options)
    return ran.history["loss"]


def removed(chosen: Plan, group: str) -> set[int]:
    return set(np.flatnonzero(chosen.mask(group) == 0).tolist())


def same(one: Plan, other: Plan) -> bool:
    return one.spec == other.spec and all(np.array_equal(one.kept[group], other.kept[group]) for group in one.kept)


def recorder(read):
    """A callback that reads something from the model after each epoch, and the list that it fills."""
    import keras

    seen = []

    class Recorder(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(read(self.model))

    return Recorder(), seen


def assert_compact_equals(model: MaskedResNet, chosen: Plan) -> None:
    smaller = compaction.compact(model)
    assert type(smaller) is ResNet and smaller.spec == chosen.compact
    found = logits(model, IMAGES)
    assert compaction.check_equal(found, logits(smaller, IMAGES), "test") <= 1e-4 * max(1, np.abs(found).max())


class TestHard:
    def test_rounds_at_their_epochs(self):
        """⌊0.3 · 10⌋ = 3 channels go at epoch 1, ⌊0.3 · 7⌋ = 2 of the others at epoch 3."""
        model = loaded(MaskedResNet, SPEC, telling(SPEC))
        pruning = HardPruning(Recipe(0.3), epochs=(1, 3))
        watch, seen = recorder(lambda model: model.plan)
        fit(model, pruning, watch, epochs=4)
        for group in groups(18):
            assert [len(removed(chosen, group)) for chosen in seen] == [0, 3, 3, 5]
            assert removed(seen[1], group) == removed(seen[2], group) < removed(seen[3], group)
        assert same(pruning.plan, seen[3])
        assert_compact_equals(model, pruning.plan)

    def test_the_weakest_go_each_time(self):
        """The second round judges what is left by its own planes alone, as the compact network would be judged."""
        model = loaded(MaskedResNet, SPEC, telling(SPEC))
        fit(model, first := HardPruning(Recipe(0.3)), epochs=1)
        left = compaction.gather(weights.read(model), first.plan)
        again = weakest(first.plan.compact, left, Recipe(0.2, importance="bn_scale"))
        pruning = HardPruning(Recipe(0.2, importance="bn_scale"))
        fit(model, pruning, epochs=1)
        assert same(pruning.plan, first.plan.then(again))

    def test_measures_that_need_more(self):
        arrays, chosen = telling(SPEC), {}
        for measure in ("random", "taylor"):
            model = loaded(MaskedResNet, SPEC, arrays)
            pruning = HardPruning(Recipe(0.3, importance=measure), seed=5, examples=(IMAGES, LABELS))
            fit(model, pruning, epochs=1)
            chosen[measure] = pruning.plan
        seed = seeds.derive(5, "filters", 0)
        for measure, found in chosen.items():
            scores = importance.scores(arrays, SPEC, measure, seed, (IMAGES, LABELS))
            assert same(found, plan.make(SPEC, scores, Recipe(0.3)))
        with pytest.raises(WoolError, match="^importance: taylor needs images and their labels$"):
            fit(loaded(MaskedResNet, SPEC, arrays), HardPruning(Recipe(0.3, importance="taylor")), epochs=1)

    @pytest.mark.parametrize("precision", ["float64"], indirect=True)
    def test_fine_tuning_masked_is_fine_tuning_compact(self, precision):
        """Two rounds of two epochs, momentum starting anew: in float64 a dozen digits of losses and weights agree.

        A round in the middle of a training keeps what the optimizer remembers of the weights that stay, so the compact
        network of each round is given the same by starting the optimizer anew in both.
        """
        start = telling(SPEC)
        one, other = loaded(MaskedResNet, SPEC, start), loaded(ResNet, SPEC, start)
        for recipe in (Recipe(0.3), Recipe(0.2, "per_block", "l2")):
            chosen = weakest(other.spec, weights.read(other), recipe)
            smaller = loaded(ResNet, chosen.compact, compaction.gather(weights.read(other), chosen))
            pruning, other = HardPruning(recipe), smaller
            losses = fit(one, pruning, epochs=2), fit(other, epochs=2)
            print(f"losses {losses[0]}, differ by {np.abs(np.subtract(*losses)).max():.1e}")
            np.testing.assert_allclose(*losses, rtol=1e-9)
            assert pruning.plan.compact == other.spec
            found, expected = compaction.gather(weights.read(one), pruning.plan), weights.read(other)
            for key, array in expected.items():
                assert array.dtype == np.float64
                np.testing.assert_allclose(found[key], array, rtol=1e-9, atol=1e-9, err_msg=key)

    @pytest.mark.parametrize("epochs", [(), (-1,), (2, 1), (1, 1)])
    def test_impossible_epochs(self, epochs):
        with pytest.raises(WoolError) as caught:
            HardPruning(Recipe(0.3), epochs)
        assert str(caught.value) == f"epochs: must be ascending, from 0, and at least one, got {list(epochs)}"

    def test_a_round_that_would_never_come(self):
        with pytest.raises(WoolError, match="^epochs: pruning at epoch 2 needs a longer training than 2$"):
            fit(MaskedResNet(SPEC), HardPruning(Recipe(0.3), (0, 2)), epochs=2)


class TestSoft:
    def test_zeroed_filters_grow_back_until_the_end(self):
        """Without momentum, so by gradients alone: some that were zeroed after one epoch are kept after a later one."""
        model = loaded(MaskedResNet, SPEC, telling(SPEC))
        pruning = AsymptoticSoftPruning(Recipe(0.5, importance="l2"))
        watch, seen = recorder(lambda model: (pruning.plan, model.plan, weights.read(model)))
        fit(model, pruning, watch, epochs=6, rate=0.1, momentum=0.0)
        # By the schedule of six epochs, of 10: 0, then 0.44 · 10, 0.49 · 10, …, and exactly half in the end.
        assert [len(removed(chosen, "layer3")) for chosen, _, _ in seen] == [0, 4, 4, 4, 4, 5]
        for chosen, masks, arrays in seen:
            for conv in SPEC.convolutions():
                sizes = np.abs(arrays[f"{conv.name}.weight"]).max(axis=(1, 2, 3))
                zeros = set(np.flatnonzero(sizes == 0).tolist())
                # A trunk keeps a channel that some of its writers have regrown, and others not.
                assert removed(chosen, conv.writes) <= zeros
                assert conv.writes in TRUNKS or removed(chosen, conv.writes) == zeros
                # Nothing is masked while the training lasts.
                assert not removed(masks, conv.writes)
        back = [
            len(removed(earlier, group) - removed(later, group))
            for (earlier, _, _), (later, _, _) in zip(seen, seen[1:], strict=False)
            for group in groups(18)
        ]
        print(f"filters that were zeroed after an epoch and kept after the next: {sum(back)}")
        assert sum(back) > 0
        # What is masked is what was zeroed last.
        assert same(pruning.plan, seen[-1][0]) and same(model.plan, pruning.plan)
        assert_compact_equals(model, pruning.plan)

    def test_rates_of_stacks_grow_side_by_side(self):
        model = loaded(MaskedResNet, SPEC, telling(SPEC))
        pruning = AsymptoticSoftPruning(Recipe((0.1, 0.2, 0.4, 0.6), "none", "l1"))
        fit(model, pruning, epochs=2)
        widths = pruning.plan.compact.by_group()
        assert [widths[f"layer{stack}.1.conv1"] for stack in (1, 2, 3, 4)] == [9, 8, 6, 4]
        assert {widths[trunk] for trunk in TRUNKS} == {10}

    def test_a_training_that_stops_early_ends_at_the_goal(self):
        import keras

        class Stop(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.stop_training = epoch == 1

        model = loaded(MaskedResNet, SPEC, telling(SPEC))
        pruning = AsymptoticSoftPruning(Recipe(0.5, importance="l2"))
        fit(model, pruning, Stop(), epochs=20)
        assert set(pruning.plan.compact.widths) == {5}
        assert_compact_equals(model, pruning.plan)

    def test_masked_channels_stay_masked(self):
        model = loaded(MaskedResNet, SPEC, telling(SPEC))
        fit(model, hard := HardPruning(Recipe(0.3)), epochs=1)
        fit(model, soft := AsymptoticSoftPruning(Recipe(0.3, importance="l2")), epochs=2)
        assert set(soft.plan.compact.widths) == {5}
        assert all(removed(hard.plan, group) < removed(soft.plan, group) for group in groups(18))

    @pytest.mark.parametrize("measure", ["random", "bn_scale", "taylor"])
    def test_what_is_no_norm(self, measure):
        """Zeroing would not make such filters the weakest."""
        with pytest.raises(WoolError) as caught:
            AsymptoticSoftPruning(Recipe(0.3, importance=measure))
        assert str(caught.value) == f"importance: soft pruning ranks filters by l1 or l2, got {measure!r}"


def test_hard_pruning_needs_masks():
    expected = r"^model: needs masks \(wool_tf.pruning.layers.masked\), it is a ResNet$"
    with pytest.raises(WoolError, match=expected):
        fit(ResNet(SPEC), HardPruning(Recipe(0.3)), epochs=1)


def test_soft_pruning_refuses_other_networks_before_the_first_step():
    other = keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(WoolError, match=r"^model: must be a ResNet of wool_tf, masked or not, it is a Sequential$"):
        fit(other, AsymptoticSoftPruning(Recipe(0.3)), epochs=1)
    assert other.optimizer.iterations == 0


def test_soft_pruning_of_a_network_without_masks_says_what_to_remove():
    """The same filters are zero as with masks, which have changed nothing until the end."""
    kernels, plans = [], []
    for kind in (ResNet, MaskedResNet):
        model, pruning = loaded(kind, SPEC, telling(SPEC)), AsymptoticSoftPruning(Recipe(0.3, importance="l2"))
        fit(model, pruning, epochs=3)
        kernels.append(weights.read(model))
        plans.append(pruning.plan)
    for group, kept in plans[0].kept.items():
        assert np.array_equal(kept, plans[1].kept[group])
    for conv in SPEC.convolutions():
        gone = np.setdiff1d(np.arange(SPEC.width(conv.writes)), plans[0].kept[conv.writes])
        assert len(gone) and not kernels[0][f"{conv.name}.weight"][gone].any()


@pytest.mark.parametrize("schedule", [HardPruning, AsymptoticSoftPruning])
def test_saved_and_loaded_afterwards(schedule, tmp_path):
    """In safe mode; the masks, and with them the plan, come back, and training goes on."""
    import keras

    model = masked(loaded(ResNet, SPEC, telling(SPEC)))
    pruning = schedule(Recipe(0.3, importance="l2"))
    fit(model, pruning, epochs=2)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_array_equal(logits(again, IMAGES), logits(model, IMAGES))
    assert same(again.plan, pruning.plan)
    assert_compact_equals(again, pruning.plan)
    fit(again, epochs=1)
    assert same(again.plan, pruning.plan)
