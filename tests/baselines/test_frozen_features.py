"""Frozen features against NumPy and scikit-learn, and what must not leak from held-out images."""

from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from telling_networks import telling
from wool_tf.baselines import frozen_features
from wool_tf.baselines.frozen_features import evaluate_repeats
from wool_tf.data.batches import centre_crop
from wool_tf.data.pixels import normalise
from wool_tf.networks import initial_weights, resnet, weights
from wool_tf.networks.spec import ResNetSpec, groups
from wool_tf.training.config import TrainingConfig

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "weights" / "resnet18.safetensors"
TINY = {name: 3 + number % 4 for number, name in enumerate(groups(18))}
SIDE = 32


@pytest.fixture(scope="module")
def spec() -> ResNetSpec:
    return ResNetSpec.full(18, 2, (SIDE, SIDE, 1)).resized(TINY)


@pytest.fixture(scope="module")
def arrays(spec) -> dict:
    return telling(spec)


def grey(count: int, seed: int = 0, side: int = 36) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side)).astype(np.uint8)


def settings(weights: str, **changes) -> TrainingConfig:
    return TrainingConfig(weights=str(weights), **{"image_size": SIDE} | changes)


def toy(count: int = 60, width: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """More features than images, one of which tells the classes apart; one never varies."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    found = rng.normal(size=(count, width)).astype(np.float32) * 10.0 ** rng.integers(-3, 3, width)
    found[:, 7] = 5 + 0.001 * (6 * labels + rng.normal(size=count))
    found[:, 8] = 3
    return found.astype(np.float32), labels


def parts(count: int, number: int = 5) -> list[np.ndarray]:
    return [np.arange(count)[first::number] for first in range(number)]


def test_features_are_maximum_and_mean_of_what_the_stages_put_out(spec, arrays):
    images = grey(5)
    found = frozen_features.features(spec, arrays, images)
    network = resnet.restored(spec, arrays)
    last = [network.get_layer(f"layer{stage}.1.relu").output for stage in (1, 2, 3, 4)]
    # By hand: the middle 32 of 36 pixels.
    read = normalise(images[:, 2:34, 2:34])
    stages = [np.asarray(maps) for maps in keras.Model(network.input, last)(read, training=False)]
    expected = [pool(maps, axis=(1, 2)) for maps in stages for pool in (np.max, np.mean)]
    assert found.dtype == np.float32
    assert found.shape == (5, 2 * sum(TINY[f"layer{stage}"] for stage in (1, 2, 3, 4)))
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-6)


def test_features_are_those_that_the_head_reads(spec, arrays):
    images = grey(3)
    found, network = frozen_features.features(spec, arrays, images), resnet.restored(spec, arrays)
    logits = np.asarray(network(normalise(centre_crop(images, SIDE)), training=False))
    head = arrays["fc.weight"], arrays["fc.bias"]
    np.testing.assert_allclose(found[:, -TINY["layer4"] :] @ head[0].T + head[1], logits, rtol=1e-4, atol=1e-5)


def test_batches_and_the_margin_of_an_image_change_nothing(spec, arrays, monkeypatch):
    images = grey(5)
    found = frozen_features.features(spec, arrays, images)
    other = grey(5, seed=1)
    other[:, 2:34, 2:34] = images[:, 2:34, 2:34]
    monkeypatch.setattr("wool_tf.networks.scoring.BATCH", 2)
    np.testing.assert_allclose(frozen_features.features(spec, arrays, other), found, rtol=1e-5, atol=1e-6)


def test_folds_agree_with_scikit_learn():
    found, labels = toy()
    fold_of = np.arange(60) % 5
    ((calls, scores),) = evaluate_repeats(found, labels, [parts(60)])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=frozen_features.C, max_iter=10_000))
    split = PredefinedSplit(fold_of)
    expected = cross_val_predict(classifier, found.astype(float), labels, cv=split, method="predict_proba")[:, 1]
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert np.array_equal(calls, scores >= 0.5)
    assert calls.dtype.kind == "i" and 0 <= scores.min() and scores.max() <= 1


def test_scaling_and_regression_see_nothing_of_the_held_out_images():
    found, labels = toy()
    folds = parts(60)
    ((calls, scores),) = evaluate_repeats(found, labels, [folds])
    for held_out in folds:
        changed, other = labels.copy(), found.copy()
        changed[held_out] = 1 - labels[held_out]
        other[held_out[1:]] = 1000 * other[held_out[1:]] + 17
        ((_, relabelled),) = evaluate_repeats(found, changed, [folds])
        ((_, replaced),) = evaluate_repeats(other, labels, [folds])
        assert np.array_equal(relabelled[held_out], scores[held_out])
        assert replaced[held_out[0]] == scores[held_out[0]]
        # Not for want of an effect: elsewhere they are training images.
        assert not np.array_equal(np.delete(replaced, held_out), np.delete(scores, held_out))


def test_every_repeat_has_folds_of_its_own():
    found, labels = toy()
    others = np.array_split(np.random.default_rng(3).permutation(60), 4)
    both = evaluate_repeats(found, labels, [parts(60), others])
    for repeat, folds in zip(both, (parts(60), others), strict=True):
        ((calls, scores),) = evaluate_repeats(found, labels, [folds])
        assert np.array_equal(repeat[0], calls) and np.array_equal(repeat[1], scores)


def blobs(count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and in every second image a dark spot somewhere."""
    rng, labels = np.random.default_rng(5), np.arange(count) % 2
    images = rng.normal(170, 15, (count, 36, 36))
    for image in images[1::2]:
        row, column = rng.integers(6, 24, 2)
        image[row : row + 6, column : column + 6] -= 90
    return images.clip(0, 255).astype(np.uint8), labels


def test_spots_are_told_from_noise_and_shuffled_labels_are_not(spec, tmp_path):
    start = tmp_path / "mine.safetensors"
    full = settings("none").initial_spec
    weights.save(start, full, telling(full))
    images, labels = blobs()
    one = settings(start)
    grid = [one, settings(start, optimizer="sgd"), settings("none")]
    found = frozen_features.evaluate_grid(grid, images, labels, [parts(80)])
    assert list(found) == ["resnet18-mine"] == [frozen_features.name(one)]
    assert roc_auc_score(labels, found["resnet18-mine"][0][1]) > 0.95
    again = frozen_features.evaluate_grid(grid[:1], images, labels, [parts(80)])
    np.testing.assert_allclose(again["resnet18-mine"][0][1], found["resnet18-mine"][0][1], atol=1e-6)
    # Over several shuffles: one alone has a standard deviation of 0.065.
    rng, features = np.random.default_rng(0), frozen_features.features(full, telling(full), images)
    shuffled = [rng.permutation(labels) for _ in range(10)]
    areas = [roc_auc_score(mixed, evaluate_repeats(features, mixed, [parts(80)])[0][1]) for mixed in shuffled]
    assert 0.35 < np.mean(areas) < 0.65


def test_random_weights_have_none():
    assert frozen_features.name(settings("none")) is None
    assert frozen_features.evaluate_grid([settings("none")], grey(2), np.array([0, 1]), [[np.array([0, 1])]]) == {}
    assert frozen_features.name(settings("imagenet", depth=50)) == "resnet50-imagenet"


def test_weights_of_imagenet_tell_textures_apart():
    if not WEIGHTS.exists():
        pytest.skip(f"ImageNet weights are not here ({WEIGHTS})")
    # Noise along rows or along columns: the same histogram, mean and spectrum, turned.
    rng, labels = np.random.default_rng(2), np.arange(40) % 2
    rows = rng.normal(120, 40, (40, 70, 1)) + rng.normal(0, 40, (40, 70, 70))
    images = np.where(labels[:, None, None] == 1, rows, rows.transpose(0, 2, 1)).clip(0, 255).astype(np.uint8)
    one = settings(WEIGHTS, image_size=64)
    found = frozen_features.evaluate_grid([one], images, labels, [parts(40)])
    ((_, scores),) = found["resnet18-resnet18"]
    assert roc_auc_score(labels, scores) > 0.95
    arrays = initial_weights.resolve(one.weights, one.initial_spec, 0)
    assert frozen_features.features(one.initial_spec, arrays, images[:2]).shape == (2, 2 * (64 + 128 + 256 + 512))
