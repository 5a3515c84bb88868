"""From a network to the TFLite file of a board model, which reads native grey crops.

Every file reads the 8-bit pixels of a crop as they are: resizing, cropping and normalisation are in the model, so no
program on a board can get them wrong.
"""

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from wool_tf.deploy import graph, stem
from wool_tf.deploy.checks import check, describe
from wool_tf.deploy.geometry import CropGeometry
from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.resnet import ResNet
from wool_tf.quiet import quiet

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["PRECISIONS", "check", "convert", "describe"]

PRECISIONS = ("fp32", "fp16", "dynamic", "int8", "int8-float-io")
CALIBRATED = ("int8", "int8-float-io")


def convert(
    model: ResNet,
    precision: str,
    calibration: np.ndarray | None = None,
    side: int | None = None,
    heatmap: bool = False,
) -> bytes:
    """A TFLite file of a network that reads one grey crop of pixels from 0 to 255 and returns logits.

    | precision                          | input (1, side, side, 1) | outputs |
    |------------------------------------|--------------------------|---------|
    | fp32, fp16, dynamic, int8-float-io | float32, 0 to 255        | float32 |
    | int8                               | uint8                    | int8    |

    `fp16` stores weights in half precision and computes in float32; `dynamic` stores 8-bit weights and multiplies 8-bit
    integers, with ranges that it finds anew for every crop; `int8-float-io` gives the logits of `int8`.

    The output `logits` has the shape (1, classes). `heatmap` is a second one, (1, height, width, 1): what each cell of
    the last feature map adds to the margin between the logits, which is the mean of the cells. These are the names in
    the file's signature; the interpreter's own order of the outputs is not fixed.

    The same weights and calibration images give the same bytes.

    Arguments:
        model: ResNet that reads one channel. A masked one must be compacted first.
        precision: one of `PRECISIONS`.
        calibration: (n, side, side) of uint8. Images from which the ranges of an 8-bit file's activations are taken,
            typical ones of every class; not used by the others.
        side: height and width of native crops in pixels; the model resizes them and takes their middle as training does
            (`geometry`). None: they have the size that training loads, and are not resized.
        heatmap: whether there is one.

    Raises:
        WoolError: the network, the side or the images do not fit, or the file is not what it should be.
    """
    if type(model) is not ResNet:
        raise TypeError(f"convert: needs a ResNet, got a {type(model).__name__}; compact a masked network first")
    geometry = CropGeometry.of(model.spec, side, heatmap)
    _check_request(precision, calibration, geometry)
    # Pixels can have the normalisation as their scale, unless they are to be resized or come as floats.
    normal = precision == "int8" and not geometry.resizes
    converter = _converter(model, geometry, precision, normal, heatmap)
    _quantise(converter, precision, normal, None if calibration is None else _spanning(calibration, geometry))
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tflite = converter.convert()
    if precision in CALIBRATED:
        tflite = stem.rearranged(tflite)
    check(tflite, precision, heatmap)
    return tflite


def _check_request(precision: str, calibration: np.ndarray | None, geometry: CropGeometry) -> None:
    if precision not in PRECISIONS:
        raise WoolError(f"precision: must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision not in CALIBRATED:
        return
    if calibration is None or len(calibration) == 0:
        raise WoolError(f"calibration: an {precision} file needs at least 1 image to be calibrated on, got none")
    if calibration.shape[1:] != (geometry.side, geometry.side) or calibration.dtype != np.uint8:
        expected = f"(n, {geometry.side}, {geometry.side})"
        found = f"{calibration.dtype} of shape {calibration.shape}"
        raise WoolError(f"calibration: needs images of uint8 pixels, {expected}, got {found}")


def _converter(
    model: ResNet, geometry: CropGeometry, precision: str, normal: bool, heatmap: bool
) -> "tf.lite.TFLiteConverter":
    """The converter of a network.

    Arguments:
        normal: whether the images are normalised, not pixels of 0 to 255.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise WoolError(f"KERAS_BACKEND: conversion needs tensorflow, got {keras.backend.backend()}")
    # Keras numbers the models of a process, and their names go into the file.
    network = ResNet(model.spec, name="resnet")
    arrays = weights.read(model)
    weights.assign(network, arrays)
    features = network.get_layer("avgpool").input
    whole = keras.Model(network.input, [network.output, features], name="resnet") if heatmap else network
    # Of variables, the converter would trace how each is saved and loaded, save all and load them: half of its time.
    constants = [
        [keras.ops.convert_to_numpy(variable) for variable in part]
        for part in (whole.trainable_variables, whole.non_trainable_variables)
    ]

    def outputs(image: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        if geometry.resizes and precision in CALIBRATED:
            image = graph.resized(image, geometry)
        elif geometry.resizes:
            image = graph.resized_in_floats(image, graph.MATRICES[precision](geometry))
        else:
            image = graph.cropped(image, geometry)
            image = image if normal else graph.normal(image)
        found, _ = whole.stateless_call(*constants, image, training=False)
        if not heatmap:
            return graph.named(found)
        logits, last = found
        return graph.named(logits, graph.margins(last, arrays["fc.weight"], arrays["fc.bias"]))

    function = graph.traced(outputs, geometry.side)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())


def _quantise(
    converter: "tf.lite.TFLiteConverter", precision: str, normal: bool, calibration: np.ndarray | None
) -> None:
    """Tells the converter of a precision.

    Arguments:
        calibration: images of uint8, in 8-bit precisions.
    """
    import tensorflow as tf

    if precision == "fp32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if precision in CALIBRATED:
        assert calibration is not None, f"{precision}: requests without calibration images are refused"
        converter.representative_dataset = lambda: ([_given(image, normal)] for image in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if precision == "int8":
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8


def _given(image: np.ndarray, normal: bool) -> np.ndarray:
    """An image as the traced function takes it."""
    image = image[np.newaxis, ..., np.newaxis].astype(np.float32)
    # By the very arithmetic of `int8-float-io`, so that both get the same ranges.
    return graph.normal(image) if normal else image


def _spanning(calibration: np.ndarray, geometry: CropGeometry) -> np.ndarray:
    """The images, and one more that spans all grey values if they do not: the first, changed as little as possible.

    The converter takes the ranges of pixels from the images, and only whole ranges give the scales and zero points that
    stand for the normalisation, and for grey values after resizing.
    """
    if geometry.resizes:
        return np.concatenate([calibration, _with_squares(calibration[:1], geometry)])
    seen = geometry.middle
    if calibration[:, seen, seen].min() == 0 and calibration[:, seen, seen].max() == 255:
        return calibration
    stretched = calibration[:1].copy()
    grey = stretched[0, seen, seen]
    darkest, lightest = grey.argmin(), grey.size - 1 - grey[::-1, ::-1].argmax()
    grey[np.unravel_index(darkest, grey.shape)] = 0
    grey[np.unravel_index(lightest, grey.shape)] = 255
    return np.concatenate([calibration, stretched])


def _with_squares(images: np.ndarray, geometry: CropGeometry) -> np.ndarray:
    """The images with a black and a white square, just large enough for resizing to reach both ends of the range."""
    side = geometry.side
    square = math.ceil(3 * max(1, side / geometry.load))
    rows = slice((side - square) // 2, (side - square) // 2 + square)
    images = images.copy()
    for grey, column in ((0, side // 3), (255, 2 * side // 3)):
        images[:, rows, column - square // 2 : column - square // 2 + square] = grey
    return images
