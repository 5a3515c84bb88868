"""The network of a spec in tf_keras (Keras 2), which TFMOT needs; connected as in `networks/resnet.py`.

Only the process of `launch` imports it.
"""

import functools

import numpy as np
import tf_keras

from wool_tf.errors import WoolError
from wool_tf.networks import batch_norm, resnet, weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights

TOLERANCE = 1e-4
"""By how much logits may differ from Keras', in absolute terms and as a share of the largest."""


def build(spec: ResNetSpec, arrays: Weights) -> tf_keras.Model:
    """The network with these weights; it carries its spec, and TFMOT can quantise it."""
    image = tf_keras.Input(spec.input_shape, name="image")
    norm = functools.partial(
        tf_keras.layers.BatchNormalization, epsilon=batch_norm.EPSILON, momentum=batch_norm.MOMENTUM
    )
    builder = resnet.GraphBuilder(spec, tf_keras.layers, norm, resnet.ResNet.after_norm)
    model = tf_keras.Model(image, builder.logits(image), name="resnet")
    model.spec = spec
    weights.assign(model, arrays)
    return model


def last_features(spec: ResNetSpec) -> str:
    """Name of the layer that gives the last feature map."""
    return f"{spec.stacks[-1][-1].name}.relu"


def check_agreement(model: tf_keras.Model, arrays: Weights, images: np.ndarray) -> None:
    """Compares the network with Keras'.

    Arguments:
        model: as `build` made it of the arrays.
        arrays: the weights.
        images: (n, height, width, channels) of float, normalised.

    Raises:
        WoolError: their logits differ.
    """
    expected = np.asarray(resnet.restored(model.spec, arrays)(images, training=False))
    difference = float(np.abs(model(images, training=False) - expected).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise WoolError(f"tf_keras: logits differ from Keras' by {difference:.2g}; use the versions in constraints.txt")
