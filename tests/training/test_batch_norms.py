"""Statistics of batch norms against those of the features themselves, computed in NumPy."""

import numpy as np
import pytest

from wool_tf.data.pixels import normalise
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import compaction, plan
from wool_tf.training import batch_norms, trainer

FULL = ResNetSpec.full(18, 2, (32, 32, 1))
SPEC = FULL.resized(dict.fromkeys(FULL.by_group(), 8))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (150, 32, 32), np.uint8)


@pytest.fixture(scope="module")
def arrays():
    return network_weights.initial(SPEC, 0)


def reestimated(arrays, images, most=1000, spec=SPEC, **options):
    return batch_norms.reestimated(spec, arrays, images, np.arange(len(images)), most, seed=0, **options)


def test_the_stem_has_the_mean_and_variance_of_all_images(arrays, images):
    """Its inputs do not depend on any other batch norm, so the averages are those of all pixels."""
    import keras

    padded = np.pad(normalise(images), ((0, 0), (3, 3), (3, 3), (0, 0)))
    kernel = arrays["conv1.weight"].transpose(2, 3, 1, 0)
    features = keras.ops.convert_to_numpy(keras.ops.conv(padded, kernel, 2)).astype(np.float64)
    found = reestimated(arrays, images)
    np.testing.assert_allclose(found["bn1.running_mean"], features.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["bn1.running_var"], features.var((0, 1, 2)), rtol=1e-3)


def test_one_batch_is_normalised_at_inference_as_in_training(arrays, images):
    """With the statistics of the very images, scoring gives what training on them would."""
    found = reestimated(arrays, images[:40])
    scored = trainer.logits(SPEC, found, images, np.arange(40))
    trained = trainer.loaded(SPEC, arrays)(normalise(images[:40]), training=True)
    # Training divides by the biased variance, running averages are unbiased: of 40 values a channel in the last stack.
    np.testing.assert_allclose(scored, np.asarray(trained), rtol=0.1, atol=0.1)
    assert np.abs(scored - trainer.logits(SPEC, arrays, images, np.arange(40))).max() > 0.5


def test_nothing_but_the_statistics_changes_and_nothing_at_all_without_images(arrays, images):
    found = reestimated(arrays, images)
    assert all(np.array_equal(found[key], arrays[key]) for key in arrays if "running" not in key)
    assert all(not np.array_equal(found[key], arrays[key]) for key in arrays if "running" in key)
    assert all(found[key] is arrays[key] for key in arrays) is False
    kept = reestimated(arrays, images, most=0)
    assert kept.keys() == arrays.keys() and all(kept[key] is arrays[key] for key in arrays)


def test_it_can_be_repeated_and_leaves_momentum_as_it_was(arrays, images):
    first, second = reestimated(arrays, images, most=70), reestimated(arrays, images, most=70)
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert trainer.loaded(SPEC, arrays).get_layer("bn1").momentum == 0.9


def test_masked_and_compact_get_the_same(arrays, images):
    scores = {conv.name: np.arange(8.0) for conv in SPEC.convolutions()}
    chosen = plan.make(SPEC, scores, plan.Recipe(0.3))
    masked = compaction.gather(reestimated(arrays, images, mask=chosen), chosen)
    small = reestimated(compaction.gather(arrays, chosen), images, spec=chosen.compact)
    for key in small:
        np.testing.assert_allclose(masked[key], small[key], rtol=1e-4, atol=1e-5, err_msg=key)
