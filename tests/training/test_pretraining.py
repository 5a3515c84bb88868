"""Pretraining: which network comes out, from which one it starts, and which samples stay held out."""

import numpy as np
import pytest

from wool_tf.data.dataset import Dataset
from wool_tf.networks import initial_weights, weight_files
from wool_tf.networks.unit_records import History
from wool_tf.training import pretraining, trainer
from wool_tf.training.config import TrainingConfig

SETTINGS = {"image_size": 32, "batch_size": 8, "epochs": 1, "folds": 4, "final": "baseline", "bn_images": 0}


def dataset(side: int) -> Dataset:
    rng, labels = np.random.default_rng(0), np.arange(16) % 2
    pixels = rng.integers(0, 100, (16, side, side), np.uint8)
    pixels[labels == 1, 12:24, 12:24] += 120
    names = np.array([f"{number}.png" for number in range(16)])
    return Dataset(pixels, labels, names, np.full(16, ""), names, tuple(names), "x", "f", True)


@pytest.fixture
def told(monkeypatch) -> list:
    """What each training was given: spec, initial weights, indices of its images; nothing is trained."""
    given = []

    def train(spec, weights, images, labels, indices, *others):
        given.append((spec, weights, indices))
        return weights, History((0.5,), (0.5,), (0.001,))

    monkeypatch.setattr(trainer, "train", train)
    return given


def run(images: Dataset, share: float = 0.125, **changes) -> pretraining.Pretrained:
    return pretraining.run(TrainingConfig(**SETTINGS | changes), share, images, lambda share, note: None)


def test_from_random_weights_it_has_the_share_of_the_filters(told):
    made = run(dataset(35), weights="none")
    assert set(made.spec.by_group().values()) == {8, 16, 32, 64}
    assert made.about["images"] == 12


def test_it_goes_on_from_its_own_file_at_another_size_and_never_sees_the_held_out_samples(told, tmp_path):
    first = run(dataset(35), weights="none")
    first.save(tmp_path / "small.safetensors", "command")
    second = run(dataset(70), weights=str(tmp_path / "small.safetensors"), image_size=64)
    assert second.spec.input_shape == (64, 64, 1)
    assert second.spec.by_group() == first.spec.by_group()
    _, written = weight_files.read(tmp_path / "small.safetensors")
    for key, start in told[1][1].items():
        assert np.array_equal(start, written[key]), key
    assert np.array_equal(told[0][2], told[1][2])
    assert len(told[0][2]) == 12


def test_what_it_writes_is_where_a_training_can_start(told, tmp_path):
    path = tmp_path / "small.safetensors"
    made = run(dataset(35), weights="none")
    made.save(path, "python experiments/pretrain.py")
    settings = TrainingConfig(**SETTINGS, weights=str(path))
    assert settings.initial_spec.by_group() == made.spec.by_group()
    arrays = initial_weights.resolve(str(path), settings.initial_spec, 0)
    for key, array in arrays.items():
        assert np.allclose(array, made.weights[key], rtol=1e-3, atol=1e-6), key
