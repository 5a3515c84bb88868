"""Forward passes of networks outside of a training step, on any Keras backend.

TensorFlow computes them operation by operation. So would JAX, but it compiles every operation for every shape first,
which takes longer than training a small network; there the whole pass is compiled, once for a network and a shape.
"""

from collections.abc import Callable

import keras
import numpy as np

from wool_tf.networks.batch_norm import BatchNormalization


def outputs(model: keras.Model, images: np.ndarray, batch: int) -> np.ndarray:
    """What a network gives for images, in inference mode.

    Arguments:
        model: keras.Model that gives one array.
        images: (n, height, width, channels), normalised; 1 to `batch` of them.
        batch: images that a caller has at most. On JAX smaller batches are filled up, so that all are of one shape.

    Returns:
        (n, …) of float32.
    """
    if keras.backend.backend() != "jax":
        return keras.ops.convert_to_numpy(model(images, training=False))
    filled = np.concatenate([images, np.repeat(images[-1:], batch - len(images), axis=0)])
    found, _ = _compiled(model, training=False)(*_values(model), filled)
    return np.asarray(found)[: len(images)]


def observe(model: keras.Model, images: np.ndarray) -> None:
    """Updates the running statistics of the batch norms by a batch of normalised images, as a training step would."""
    if keras.backend.backend() != "jax":
        model(images, training=True)
        return
    _, others = _compiled(model, training=True)(*_values(model), images)
    for variable, value in zip(model.non_trainable_variables, others, strict=True):
        variable.assign(value)


def _values(model: keras.Model) -> tuple[list, list]:
    return [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]


def _compiled(model: keras.Model, training: bool) -> Callable:
    """`model.stateless_call` in one program of JAX, which goes when the model goes."""
    import jax

    # A program holds the momenta that batch norms had when it was made.
    norms = (layer for layer in model.layers if isinstance(layer, BatchNormalization))
    key = (training, *(norm.momentum for norm in norms))
    programs = vars(model).setdefault("_forward_programs", {})
    if key not in programs:
        programs[key] = jax.jit(lambda *values: model.stateless_call(*values, training=training))
    return programs[key]
