"""Where in an image a network sees a defect, finer than its last feature map.

HiResCAM (Draelos and Carin 2020, https://arxiv.org/abs/2011.08891): what each cell of a feature map adds to the margin
between the classes, to first order: its activations times the gradient of the margin, summed over channels. On the last
feature map that is the class activation map that files for a board give.
"""

import numpy as np

from wool_tf.data.batches import centre_crop
from wool_tf.data.pixels import normalise
from wool_tf.networks import resnet
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights

CELLS = 7
"""A map has at least so many rows and columns."""
BATCH = 32


def maps(spec: ResNetSpec, weights: Weights, images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """One map per image, of the last stack that is fine enough.

    Arguments:
        spec, weights: of the network, which knows two classes and reads square images.
        images: (n, side, side) uint8, at least as large as the network's input, of which it reads the middle.
        chosen: (m,) int, indices of the images; perhaps none.

    Returns:
        (m, rows, columns) float32, in logits, positive where a cell speaks for a defect; rows and columns are at
        least `CELLS`, or those of the first stack where even these are fewer.
    """
    import keras
    import tensorflow as tf

    model = resnet.restored(spec, weights)
    layer = model.get_layer(heatmap_layer(spec))
    both = keras.Model(model.input, [layer.output, model.output])
    side = both.outputs[0].shape[1]

    def margin_parts(pixels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            features, logits = both(pixels, training=False)
            margin = tf.reduce_sum(logits[:, 1] - logits[:, 0])
        return tf.reduce_sum(features * tape.gradient(margin, features), axis=-1)

    # As a graph: run eagerly, oneDNN's gradient of narrow convolutions ends the process.
    drawn = tf.function(margin_parts).get_concrete_function(tf.TensorSpec((None, *spec.input_shape), tf.float32))
    found = []
    for start in range(0, len(chosen), BATCH):
        batch = images[chosen[start : start + BATCH]]
        found.append(drawn(tf.constant(normalise(centre_crop(batch, spec.input_shape[0])))).numpy())
    return np.concatenate(found) if found else np.zeros((0, side, side), np.float32)


def heatmap_layer(spec: ResNetSpec) -> str:
    """The layer behind the last stack whose map has `CELLS` rows, or behind the first stack.

    >>> [heatmap_layer(ResNetSpec.full(18, 2, (side, side, 1))) for side in (32, 64, 112, 224)]
    ['layer1.1.relu', 'layer2.1.relu', 'layer3.1.relu', 'layer4.1.relu']
    """
    fine = [blocks for number, blocks in enumerate(spec.stacks) if spec.input_shape[0] / (4 * 2**number) >= CELLS]
    return f"{(fine or list(spec.stacks[:1]))[-1][-1].name}.relu"
