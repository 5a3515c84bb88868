"""Normalisation of grey pixels, and the size that they are loaded in."""

import numpy as np
import pytest

from wool_tf.data import pixels
from wool_tf.training.config import TrainingConfig


def test_every_grey_value():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    normalised = pixels.normalise(images)
    assert normalised.shape == (1, 16, 16, 1)
    assert normalised.dtype == np.float32
    # ImageNet's mean and deviation, averaged over the channels; the mean moved to a whole grey value next to it.
    assert abs((0.485 + 0.456 + 0.406) / 3 * 255 - 115) < 1
    expected = (np.arange(256) / 255 - 115 / 255) / ((0.229 + 0.224 + 0.225) / 3)
    np.testing.assert_allclose(normalised.ravel(), expected, rtol=0, atol=1e-6)


def test_mean_grey_is_exactly_zero():
    # The zero point of an int8 input rests on this.
    assert pixels.normalise(np.full((2, 3), 115, np.uint8)).tolist() == [[[0.0]] * 3] * 2


def test_any_leading_axes():
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 5)).astype(np.uint8)
    normalised = pixels.normalise(images)
    assert normalised.shape == (3, 2, 4, 5, 1)
    np.testing.assert_array_equal(normalised[1, 0], pixels.normalise(images[1, 0]))


@pytest.mark.parametrize(("reads", "loads"), [(224, 244), (112, 122), (64, 70), (56, 61), (32, 35)])
def test_crops_are_loaded_with_the_papers_margin(reads, loads):
    assert pixels.load_size(reads) == loads
    assert TrainingConfig(image_size=reads).load_size == loads
