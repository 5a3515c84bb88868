"""What a board model computes, as a TensorFlow function: from native 8-bit pixels to logits and a heatmap."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from wool_board.model.network import HEATMAP, LOGITS
from wool_tf.data import pixels
from wool_tf.deploy.geometry import CropGeometry

if TYPE_CHECKING:
    import tensorflow as tf

Pixels = TypeVar("Pixels", float, np.ndarray, "tf.Tensor")

NORMAL_SCALE = 1 / (255 * pixels.STD)
NORMAL_ZERO_POINT = round(255 * pixels.MEAN)
"""The normalisation as an 8-bit tensor's scale and zero point (Jacob et al. 2018, https://arxiv.org/abs/1712.05877,
equation 1): the very numbers 0 to 255 stand for what the network reads."""
GREY_SCALE = 6 / 255
"""Of resized pixels in an 8-bit file, 0 to 6: RELU6 is the one clamp at both ends that kernels do in passing. These 8
bits are Pillow's grey values again."""
MATRICES = {"fp32": CropGeometry.matrix, "fp16": CropGeometry.matrix_of_halves, "dynamic": CropGeometry.matrix_of_steps}
"""What `resized_in_floats` multiplies by, by the precision of the file, which stores it exactly."""


def normal(image: Pixels) -> Pixels:
    """Pixels of 0 to 255 as the network reads them."""
    # Subtracting first keeps the mean exactly zero.
    return (image - NORMAL_ZERO_POINT) * NORMAL_SCALE


def cropped(image: "tf.Tensor", geometry: CropGeometry) -> "tf.Tensor":
    """The middle of images (1, side, side, 1) that need not be resized."""
    if geometry.load == geometry.image_size:
        return image
    return image[:, geometry.middle, geometry.middle, :]


def resized(
    image: "tf.Tensor", geometry: CropGeometry, grey: Callable[["tf.Tensor"], "tf.Tensor"] | None = None
) -> "tf.Tensor":
    """The middle of resized images, normalised, for a file of 8-bit integers.

    Pillow resizes along the rows, then along the columns, and each time clamps what its filter overshoots at edges and
    rounds to whole grey values. So do the 8 bits.

    Arguments:
        image: (1, side, side, 1) of float, pixels of 0 to 255.
        geometry: CropGeometry.
        grey: makes grey values, from 0 to 6, of what the matrices give; by default a clamp.

    Returns:
        (1, image_size, image_size, 1).
    """
    import tensorflow as tf

    grey, matrix = grey or tf.nn.relu6, geometry.matrix_of_steps().T
    rows = grey(tf.matmul(_flat(image), matrix * np.float32(GREY_SCALE)))
    columns = grey(tf.matmul(tf.transpose(rows, (0, 2, 1)), matrix))
    # A convolution of one weight: a subtraction would share memory with the product before it, and the calibration
    # would mistake the one's range for the other's.
    gain = np.full((1, 1, 1, 1), NORMAL_SCALE / GREY_SCALE, np.float32)
    return tf.nn.bias_add(tf.nn.conv2d(_upright(columns), gain, 1, "VALID"), [np.float32(normal(0.0))])


def resized_in_floats(image: "tf.Tensor", matrix: np.ndarray) -> "tf.Tensor":
    """As `resized`, for a file that computes in floats.

    Arguments:
        image: (1, side, side, 1) of float, pixels of 0 to 255.
        matrix: (image_size, side) of float32, as `MATRICES` makes it of a CropGeometry.

    Returns:
        (1, image_size, image_size, 1).
    """
    import tensorflow as tf

    matrix = matrix.T
    rows = _whole_grey(tf.matmul(_flat(image), matrix))
    columns = _whole_grey(tf.matmul(tf.transpose(rows, (0, 2, 1)), matrix))
    return normal(_upright(columns))


def _flat(image: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    return tf.squeeze(image, -1)


def _upright(columns: "tf.Tensor") -> "tf.Tensor":
    """Images of one channel from matrices with exchanged axes."""
    import tensorflow as tf

    return tf.expand_dims(tf.transpose(columns, (0, 2, 1)), -1)


def _whole_grey(values: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    return tf.round(tf.minimum(tf.nn.relu(values), 255.0))


def margins(features: "tf.Tensor", head: np.ndarray, bias: np.ndarray) -> "tf.Tensor":
    """What each cell of the last feature map adds to the margin between the classes; its mean is logit 1 - logit 0.

    Class activation maps, Zhou et al. 2016, https://arxiv.org/abs/1512.04150, with the bias in every cell.

    Arguments:
        features: (1, height, width, channels).
        head: (2, channels) of float32, the weights of the head.
        bias: (2,) of float32.

    Returns:
        (1, height, width, 1).
    """
    import tensorflow as tf

    difference = (head[1] - head[0])[np.newaxis, np.newaxis, :, np.newaxis]
    return tf.nn.bias_add(tf.nn.conv2d(features, difference, 1, "VALID"), bias[1:] - bias[:1])


def named(logits: "tf.Tensor", heatmap: "tf.Tensor | None" = None) -> dict[str, "tf.Tensor"]:
    """The outputs of a board model, by the names that they have in the signature of its file."""
    return {LOGITS: logits} if heatmap is None else {LOGITS: logits, HEATMAP: heatmap}


def traced(
    read: Callable[["tf.Tensor"], dict[str, "tf.Tensor"]], side: int
) -> "tf.types.experimental.ConcreteFunction":
    """The concrete function of a Python function of images (1, side, side, 1) of float32."""
    import tensorflow as tf

    signature = tf.TensorSpec((1, side, side, 1), tf.float32, name="image")
    return tf.function(read, input_signature=[signature]).get_concrete_function()
