"""Batches reach `fit` as they are, and no thread tunes how."""

import itertools

import keras
import numpy as np
import pytest

from wool_tf.data.batches import augmented
from wool_tf.networks import feeding


def batches():
    images = np.random.default_rng(0).integers(0, 256, (10, 20, 20), np.uint8)
    return augmented(images, np.arange(10) % 2, np.arange(10), 16, 4, seed=1)


def test_batches_are_those_given_in_their_order_without_a_thread_that_tunes():
    tf = pytest.importorskip("tensorflow")
    fed = feeding.without_tuning(batches())
    assert isinstance(fed, tf.data.Dataset) and fed.options().autotune.enabled is False
    for found, wanted in zip(fed.take(7).as_numpy_iterator(), batches(), strict=False):
        for one, other in zip(found, wanted, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def test_a_training_is_the_one_that_keras_does_with_the_batches_themselves():
    found = []
    for given in (batches(), feeding.feed(batches())):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = model.fit(given, epochs=2, steps_per_epoch=3, shuffle=False, verbose=0).history["loss"]
        found.append([history, *model.get_weights()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_backends_read_the_batches_themselves(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    given = itertools.repeat((np.zeros(1), np.zeros(1)))
    assert feeding.feed(given) is given
