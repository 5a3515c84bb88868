"""Taylor importance: what the loss would lose, to first order, with a channel.

Molchanov et al. 2017, "Pruning Convolutional Neural Networks for Resource Efficient Inference",
https://arxiv.org/abs/1611.06440, section 2.2, and Molchanov et al. 2019, "Importance Estimation for Neural Network
Pruning", https://arxiv.org/abs/1906.10771. Keras has no gradients of its own, so each backend computes them its way.
"""

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import keras
import numpy as np

from wool_tf.errors import WoolError
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning.layers import MaskedResNet

if TYPE_CHECKING:
    import jax

BATCH = 16

Derivatives = Callable[[np.ndarray, np.ndarray], Mapping[str, keras.KerasTensor]]
"""From images and labels the derivatives of L by the masks: name of the convolution to (images, filters)."""


def scores(
    weights: Mapping[str, np.ndarray], spec: ResNetSpec, images: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """The mean over images of |Σ a·∂L/∂a| over the positions of a channel.

    a is what the channel's batch norm gives, where a mask would stand, and L the image's cross-entropy; the sum is
    the derivative of L by the mask. The network is that of inference, so no image depends on the others of a batch.

    Arguments:
        weights: arrays of the network, by torchvision's keys.
        spec: ResNetSpec of these weights.
        images: (n, height, width, channels) of float32, normalised, at least one.
        labels: (n,) of int, each below `spec.classes`.

    Returns:
        Name of the convolution to (filters,) of float64.

    Raises:
        WoolError: there are no images, not one label for each, or the backend is neither TensorFlow nor JAX.
    """
    if len(images) != len(labels) or len(images) == 0:
        raise WoolError(f"taylor: needs a label for each of at least one image, got {len(labels)} for {len(images)}")
    model = network(spec)
    network_weights.assign(model, weights)
    derivatives = _derivatives(model)
    total = {conv.name: np.zeros(spec.width(conv.writes)) for conv in spec.convolutions()}
    for start in range(0, len(images), BATCH):
        found = derivatives(images[start : start + BATCH], labels[start : start + BATCH])
        for name, values in found.items():
            total[name] += np.abs(np.asarray(values, np.float64)).sum(axis=0)
    return {name: values / len(images) for name, values in total.items()}


# The folds of a run ask for the same few networks, one for each round.
network = functools.lru_cache(maxsize=4)(MaskedResNet)


def clear() -> None:
    """Forgets the networks that are kept."""
    network.cache_clear()
    _by_tensorflow.cache_clear()


def _derivatives(model: MaskedResNet) -> Derivatives:
    backends: dict[str, Callable[[MaskedResNet], Derivatives]] = {"tensorflow": _by_tensorflow, "jax": _by_jax}
    if keras.config.backend() not in backends:
        raise WoolError(f"taylor: works on the Keras backends {' and '.join(backends)}, not {keras.config.backend()}")
    return backends[keras.config.backend()](model)


def _losses(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


@functools.lru_cache(maxsize=4)
def _by_tensorflow(model: MaskedResNet) -> Derivatives:
    import tensorflow as tf

    masks = model.masks()
    taps = keras.Model(model.input, [*(mask.output for mask in masks.values()), model.output])

    # Eagerly, the tape would keep a gradient of every shortcut convolution for good (TensorFlow 2.21), which is
    # megabytes a round. One graph of the network is kept instead.
    @tf.function(reduce_retracing=True)
    def derivatives(images: np.ndarray, labels: np.ndarray) -> dict[str, keras.KerasTensor]:
        with tf.GradientTape() as tape:
            *activations, logits = taps(images, training=False)
            loss = tf.reduce_sum(_losses(labels, logits))
        gradients = tape.gradient(loss, activations)
        products = [tf.reduce_sum(a * g, axis=(1, 2)) for a, g in zip(activations, gradients, strict=True)]
        return dict(zip(masks, products, strict=True))

    return derivatives


def _by_jax(model: MaskedResNet) -> Derivatives:
    import jax

    names = {mask.mask.path: name for name, mask in model.masks().items()}
    trainable = [variable.value for variable in model.trainable_variables]

    def loss(masks: dict[str, "jax.Array"], image: "jax.Array", label: "jax.Array") -> "jax.Array":
        others = [
            masks[names[other.path]] if other.path in names else other.value for other in model.non_trainable_variables
        ]
        logits, _ = model.stateless_call(trainable, others, image[None], training=False)
        return _losses(label[None], logits)[0]

    of_each = jax.jit(jax.vmap(jax.grad(loss), in_axes=(None, 0, 0)))
    masks = {name: mask.mask.value for name, mask in model.masks().items()}
    return lambda images, labels: of_each(masks, images, labels)
