"""From a network to a TFLite file that reads grey pixels, and the proof that the file is what it should be.

Every file reads pixels from 0 to 255 as a camera gives them, so no program on a board can get the normalisation wrong:
an `fp32` file computes it, and in an `int8` file it is the very scale and zero point of the input (Jacob et al. 2018,
https://arxiv.org/abs/1712.05877, equation 1).
"""

import hashlib
import math
import warnings

import numpy as np

from wool_tf.deploy import runtime
from wool_tf.errors import WoolError
from wool_tf.networks import pixels, weights
from wool_tf.networks.resnet import ResNet
from wool_tf.quiet import quiet

PRECISIONS = ("fp32", "int8")
INPUT_SCALE = 1 / (255 * pixels.STD)
INPUT_ZERO_POINT = round(255 * pixels.MEAN)
_KERNELS = {"PAD", "CONV_2D", "MAX_POOL_2D", "ADD", "MEAN", "RESHAPE", "FULLY_CONNECTED"}
"""What networks are made of; of a last feature map of 1×1 the mean is a mere reshape."""
_OPERATORS = {"fp32": _KERNELS | {"SUB", "MUL"}, "int8": _KERNELS | {"QUANTIZE"}}


def convert(model: ResNet, precision: str, calibration: np.ndarray | None = None) -> bytes:
    """A TFLite file of a network that reads one grey image of pixels from 0 to 255 and returns logits.

    | precision | input (1, height, width, 1) | output (1, classes) |
    |-----------|-----------------------------|---------------------|
    | fp32      | float32, 0 to 255           | float32             |
    | int8      | uint8                       | int8                |

    The same weights and calibration images give the same bytes.

    Arguments:
        model: ResNet that reads one channel. A masked one must be compacted first.
        precision: `fp32` or `int8`.
        calibration: (n, height, width) of uint8. Images from which the ranges of an `int8` file's activations are
            taken, typical ones of every class; not used for `fp32`.

    Raises:
        WoolError: the network or the images do not fit, or the file is not what it should be.
    """
    if type(model) is not ResNet:
        raise TypeError(f"convert: needs a ResNet, got a {type(model).__name__}; compact a masked network first")
    _check_request(model, precision, calibration)
    converter, _variables = _converter(model, precision)
    if precision == "int8":
        _quantise(converter, _spanning(calibration))
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tflite = converter.convert()
    _check_file(tflite, precision)
    return tflite


def describe(tflite: bytes) -> dict:
    """What a TFLite file is.

    Returns:
        `operators`, names sorted; `xnnpack`, whether XNNPACK runs all of it; `input` and `output`, each with `dtype`,
        `shape`, `scale` and `zero_point` (None where the tensor is not quantised); `bytes`; `sha256`.

    Raises:
        WoolError: the bytes are no TFLite file.
    """
    opened = runtime.interpreter(tflite)
    return {
        "operators": runtime.operators(opened),
        "xnnpack": runtime.runs_in_xnnpack(opened),
        "input": _tensor(opened.get_input_details()[0]),
        "output": _tensor(opened.get_output_details()[0]),
        "bytes": len(tflite),
        "sha256": hashlib.sha256(tflite).hexdigest(),
    }


def _tensor(details: dict) -> dict:
    scale, zero_point = details["quantization"]
    return {
        "dtype": details["dtype"].__name__,
        "shape": details["shape"].tolist(),
        "scale": scale or None,
        "zero_point": zero_point if scale else None,
    }


def _check_request(model: ResNet, precision: str, calibration: np.ndarray | None) -> None:
    height, width, channels = model.spec.input_shape
    if precision not in PRECISIONS:
        raise WoolError(f"precision: must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if channels != 1:
        raise WoolError(f"input_shape: only networks that read 1 grey channel can be converted, got {channels}")
    if precision == "fp32":
        return
    if calibration is None or len(calibration) == 0:
        raise WoolError("calibration: an int8 file needs at least 1 image to be calibrated on, got none")
    if calibration.shape[1:] != (height, width) or calibration.dtype != np.uint8:
        found = f"{calibration.dtype} of shape {calibration.shape}"
        raise WoolError(f"calibration: needs images of uint8 pixels, (n, {height}, {width}), got {found}")


def _converter(model: ResNet, precision: str):
    """The converter of a network and the variables that must outlive its use."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise WoolError(f"KERAS_BACKEND: conversion needs tensorflow, got {keras.backend.backend()}")
    # Keras numbers the models of a process, and their names go into the file.
    network = ResNet(model.spec, name="resnet")
    weights.assign(network, weights.read(model))

    def logits(image):
        if precision == "fp32":
            # Subtracting first keeps the mean exactly zero.
            image = (image - INPUT_ZERO_POINT) * INPUT_SCALE
        return network(image, training=False)

    variables = tf.Module()
    variables.all = [variable.value for variable in network.variables]
    signature = tf.TensorSpec((1, *model.spec.input_shape), tf.float32, name="image")
    function = tf.function(logits, input_signature=[signature]).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function], variables), variables


def _quantise(converter, calibration: np.ndarray) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([pixels.normalise(image[np.newaxis])] for image in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8


def _spanning(calibration: np.ndarray) -> np.ndarray:
    """The images, and one more with pixels of 0 and 255 if they have none: the first, stretched at its extremes.

    The converter takes the range of the input from the images, and only the whole range gives the scale and zero point
    that stand for the normalisation.
    """
    if calibration.min() == 0 and calibration.max() == 255:
        return calibration
    stretched = calibration[:1].copy()
    flat = stretched.reshape(-1)
    flat[flat.argmin()] = 0
    flat[-1 - flat[::-1].argmax()] = 255
    return np.concatenate([calibration, stretched])


def _check_file(tflite: bytes, precision: str) -> None:
    try:
        opened = runtime.interpreter(tflite)
    except WoolError as error:
        hint = "is a whole layer zero on every calibration image?"
        raise WoolError(f"{precision}: the converted file does not run, {hint} ({error})") from None
    unexpected = sorted(set(runtime.operators(opened)) - _OPERATORS[precision])
    if unexpected:
        raise WoolError(f"{precision}: the converted file has the unexpected operators {', '.join(unexpected)}")
    if not runtime.runs_in_xnnpack(opened):
        raise WoolError(f"{precision}: XNNPACK does not take the whole converted file, so it would be slow")
    if precision == "int8":
        _check_integers(opened)
        _check_input_scale(opened)
        _check_weight_scales(opened)


def _check_integers(opened) -> None:
    image, logits = opened.get_input_details()[0], opened.get_output_details()[0]
    if (image["dtype"], logits["dtype"]) != (np.uint8, np.int8):
        found = f"{image['dtype'].__name__} to {logits['dtype'].__name__}"
        raise WoolError(f"int8: the converted file must map uint8 to int8, but maps {found}")
    for tensor in opened.get_tensor_details():
        if not np.issubdtype(tensor["dtype"], np.integer):
            raise WoolError(f"int8: the tensor {tensor['name']} of the converted file is {tensor['dtype'].__name__}")


def _check_input_scale(opened) -> None:
    scale, zero_point = opened.get_input_details()[0]["quantization"]
    # The converter computes in float32.
    if zero_point != INPUT_ZERO_POINT or not math.isclose(scale, INPUT_SCALE, rel_tol=1e-6):
        expected = f"{INPUT_SCALE:.7f} and {INPUT_ZERO_POINT}"
        raise WoolError(f"int8: scale and zero point of the input must be {expected}, got {scale:.7f} and {zero_point}")


def _check_weight_scales(opened) -> None:
    tensors = {tensor["index"]: tensor for tensor in opened.get_tensor_details()}
    for node in runtime.nodes(opened):
        if node["op_name"] == "CONV_2D":
            kernel = tensors[node["inputs"][1]]
            if len(kernel["quantization_parameters"]["scales"]) != kernel["shape"][0]:
                raise WoolError(f"int8: the weights {kernel['name']} lack a scale for each channel")
