"""Gives batches to Keras' `fit`."""

import itertools
from collections.abc import Iterator

import numpy as np

Batches = Iterator[tuple[np.ndarray, np.ndarray]]


def feed(batches: Batches) -> object:
    """What `fit` of Keras' backend reads batches from.

    Arguments:
        batches: endless, all with the same shapes and types.
    """
    import keras

    return without_tuning(batches) if keras.backend.backend() == "tensorflow" else batches


def without_tuning(batches: Batches) -> object:
    """A tf.data.Dataset of batches, which no thread tunes.

    Of a generator Keras makes one that is tuned, though there is nothing to tune. The thread for that sleeps longer and
    longer, up to a minute, and where it misses the end of the training, `fit` returns when it wakes (TensorFlow 2.21;
    five of sixteen trainings of five seconds waited for another four), and nothing is computed meanwhile.
    """
    import tensorflow as tf

    first = next(batches)
    signature = tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in first)
    options = tf.data.Options()
    options.autotune.enabled = False
    everything = tf.data.Dataset.from_generator(lambda: itertools.chain([first], batches), output_signature=signature)
    return everything.prefetch(1).with_options(options)
