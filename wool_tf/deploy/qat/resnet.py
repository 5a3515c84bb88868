"""The network of a spec in tf_keras (Keras 2), which TFMOT needs; the same layers and names as `networks/resnet.py`.

Only the process of `launch` imports it.
"""

import numpy as np
import tensorflow as tf
import tf_keras

from wool_tf.errors import WoolError
from wool_tf.networks import batch_norm, resnet, weights
from wool_tf.networks.spec import Block, Convolution, ResNetSpec
from wool_tf.networks.weights import Weights

TOLERANCE = 1e-4
"""By how much logits may differ from Keras', in absolute terms and as a share of the largest."""


def build(spec: ResNetSpec, arrays: Weights) -> tf_keras.Model:
    """The network with these weights; it carries its spec, and TFMOT can quantise it."""
    image = tf_keras.Input(spec.input_shape, name="image")
    features = _unit(spec.stem, spec, image)
    features = tf_keras.layers.ZeroPadding2D(1, name="maxpool.pad")(features)
    features = tf_keras.layers.MaxPooling2D(3, 2, name="maxpool")(features)
    for stack in spec.stacks:
        for block in stack:
            features = _block(block, spec, features)
    features = tf_keras.layers.GlobalAveragePooling2D(name="avgpool")(features)
    model = tf_keras.Model(image, tf_keras.layers.Dense(spec.classes, name=weights.HEAD)(features), name="resnet")
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


def _block(block: Block, spec: ResNetSpec, features: tf.Tensor) -> tf.Tensor:
    shortcut = _unit(block.projection, spec, features) if block.projection else features
    for conv in block.convolutions:
        features = _unit(conv, spec, features)
    features = tf_keras.layers.Add(name=f"{block.name}.add")([features, shortcut])
    return tf_keras.layers.ReLU(name=f"{block.name}.relu")(features)


def _unit(conv: Convolution, spec: ResNetSpec, features: tf.Tensor) -> tf.Tensor:
    padding = "same" if conv.kernel > 1 else "valid"
    if conv.kernel > 1 and conv.stride > 1:
        features = tf_keras.layers.ZeroPadding2D(conv.kernel // 2, name=f"{conv.name}.pad")(features)
        padding = "valid"
    features = tf_keras.layers.Conv2D(
        spec.width(conv.writes), conv.kernel, conv.stride, padding, use_bias=False, name=conv.name
    )(features)
    features = tf_keras.layers.BatchNormalization(
        epsilon=batch_norm.EPSILON, momentum=batch_norm.MOMENTUM, name=conv.norm
    )(features)
    return tf_keras.layers.ReLU(name=f"{conv.norm}.relu")(features) if conv.relu else features
