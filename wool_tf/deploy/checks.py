"""What a TFLite file is, and the proof that it is what it should be."""

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from wool_board.model.network import HEATMAP, LOGITS
from wool_tf.deploy import runtime, stem
from wool_tf.deploy.graph import GREY_SCALE, NORMAL_SCALE, NORMAL_ZERO_POINT
from wool_tf.errors import WoolError

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

_KERNELS = {"PAD", "CONV_2D", "MAX_POOL_2D", "ADD", "MEAN", "RESHAPE", "FULLY_CONNECTED", "TRANSPOSE", "STRIDED_SLICE"}
"""What networks and the resizing are made of; of a last feature map of 1×1 the mean is a mere reshape."""
_REARRANGING = {"SPACE_TO_DEPTH"}
"""Of the image for its first convolution (`stem`)."""
_NORMALISING = {"SUB", "MUL"}
_ROUNDING = {"MINIMUM", "ROUND"}
_OPERATORS = {
    "fp32": _KERNELS | _NORMALISING | _ROUNDING,
    "fp16": _KERNELS | _NORMALISING | _ROUNDING | {"DEQUANTIZE"},
    "dynamic": _KERNELS | _NORMALISING | _ROUNDING,
    "int8": _KERNELS | _REARRANGING | {"QUANTIZE"},
    "int8-float-io": _KERNELS | _REARRANGING | _NORMALISING | {"QUANTIZE", "DEQUANTIZE"},
    "qat": _KERNELS | _REARRANGING | {"QUANTIZE"},
}
_STORED = {"fp32": np.float32, "fp16": np.float16}
"""What all numbers of a file are that are not whole, and all weights."""
_WHOLE = ("int8", "qat")
_DYNAMIC_LEAST = 1024
"""Fewer weights the converter leaves as they are in `dynamic`."""
_SIGNED = 128
"""What is taken from an unsigned 8-bit number for a signed one."""


def describe(tflite: bytes) -> dict:
    """What a TFLite file is.

    Returns:
        `operators`, names sorted; `xnnpack`, whether XNNPACK runs all of it; `input`, `output` (the logits) and, where
        there is one, `heatmap`, each with `dtype`, `shape`, `scale` and `zero_point` (None where the tensor is not
        quantised); `bytes`; `sha256`.

    Raises:
        WoolError: the bytes are no TFLite file.
    """
    opened = runtime.interpreter(tflite)
    logits, *heatmaps = runtime.outputs(opened)
    return {
        "operators": runtime.operators(opened),
        "xnnpack": runtime.runs_in_xnnpack(opened),
        "input": _tensor(opened.get_input_details()[0]),
        "output": _tensor(logits),
        **({"heatmap": _tensor(heatmaps[0])} if heatmaps else {}),
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


def check(tflite: bytes, precision: str, heatmap: bool = False) -> None:
    """Refuses a file that is not what a board model of its precision must be.

    Arguments:
        tflite: the model.
        precision: one of `tflite_file.PRECISIONS`, or `qat`.
        heatmap: whether it must have one.

    Raises:
        WoolError: it does not run, has other inputs, outputs, operators or numbers than it should, or XNNPACK does not
            take all of it; or its signature has other names.
    """
    try:
        opened = runtime.interpreter(tflite)
    except WoolError as error:
        hint = "is a whole layer zero on every calibration image?"
        raise WoolError(f"{precision}: the converted file does not run, {hint} ({error})") from None
    _check_ends(opened, precision, heatmap)
    _check_types(opened, precision)
    unexpected = sorted(set(runtime.operators(opened)) - _OPERATORS[precision])
    if unexpected:
        raise WoolError(f"{precision}: the converted file has the unexpected operators {', '.join(unexpected)}")
    if not runtime.runs_in_xnnpack(opened):
        raise WoolError(f"{precision}: XNNPACK does not take the whole converted file, so it would be slow")
    if precision in _WHOLE or precision == "int8-float-io":
        _check_scales(opened, precision)
    _check_names(opened, precision, heatmap)


def _check_ends(opened: "Interpreter", precision: str, heatmap: bool) -> None:
    """Inputs and outputs: how many, their shapes and types."""
    source, sink = (np.uint8, np.int8) if precision in _WHOLE else (np.float32, np.float32)
    (image, *others), outputs = opened.get_input_details(), opened.get_output_details()
    shapes = sorted(len(output["shape"]) for output in outputs)
    if others or len(image["shape"]) != 4 or shapes != [2, 4][: 1 + heatmap]:
        expected = "logits and a heatmap" if heatmap else "logits"
        raise WoolError(f"{precision}: the converted file must map one image to {expected}, but has other ends")
    for output in outputs:
        if (image["dtype"], output["dtype"]) != (source, sink):
            found = f"{image['dtype'].__name__} to {output['dtype'].__name__}"
            expected = f"{source.__name__} to {sink.__name__}"
            raise WoolError(f"{precision}: the converted file must map {expected}, but maps {found}")


def _check_names(opened: "Interpreter", precision: str, heatmap: bool) -> None:
    """Whether the signature names the outputs, for programs that know nothing of their shapes."""
    expected, found = sorted([LOGITS, HEATMAP][: 1 + heatmap]), runtime.output_names(opened)
    if found != expected:
        rule = f"the signature of the converted file must name {' and '.join(expected)}"
        raise WoolError(f"{precision}: {rule}, got {', '.join(found) or 'nothing'}")


def _check_types(opened: "Interpreter", precision: str) -> None:
    """Whether each tensor holds the kind of numbers that is the point of the precision."""
    constants, weights = runtime.constants(opened), runtime.weights(opened)
    ends = {tensor["index"] for tensor in (*opened.get_input_details(), *opened.get_output_details())}
    for tensor in opened.get_tensor_details():
        index, dtype = tensor["index"], tensor["dtype"]
        floating = np.issubdtype(dtype, np.floating)
        if precision in _STORED:
            wrong = index in constants and (floating or index in weights) and dtype != _STORED[precision]
        elif precision == "dynamic":
            wrong = index in weights and tensor["shape"].prod() >= _DYNAMIC_LEAST and dtype != np.int8
        else:
            wrong = floating and not (precision == "int8-float-io" and index in ends)
        if wrong:
            raise WoolError(f"{precision}: the tensor {tensor['name']} of the converted file is {dtype.__name__}")
        if index in weights and dtype == np.int8:
            _check_per_channel(tensor, precision)


def _check_per_channel(kernel: dict, precision: str) -> None:
    quantisation = kernel["quantization_parameters"]
    if len(quantisation["scales"]) != kernel["shape"][0] or np.any(quantisation["zero_points"]):
        raise WoolError(f"{precision}: the weights {kernel['name']} lack a scale for each channel")


def _check_scales(opened: "Interpreter", precision: str) -> None:
    """Whether pixels come to the network as the numbers that they are, or as Pillow would resize them."""
    tensors = {tensor["index"]: tensor for tensor in opened.get_tensor_details()}
    nodes = runtime.nodes(opened)
    kernels = [tensors[node["inputs"][1]]["shape"].tolist() if node["op_name"] == "CONV_2D" else [] for node in nodes]
    first = next(number for number, kernel in enumerate(kernels) if kernel[1:] in stem.KERNELS)
    products = [node["outputs"][0] for node in nodes[:first] if node["op_name"] == "FULLY_CONNECTED"]
    expected = [("what the network reads", nodes[first]["inputs"][0], NORMAL_SCALE, NORMAL_ZERO_POINT - _SIGNED)]
    expected += [("resized pixels", product, GREY_SCALE, -_SIGNED) for product in products]
    if precision in _WHOLE:
        scales = (1, 0) if products else (NORMAL_SCALE, NORMAL_ZERO_POINT)
        expected.insert(0, ("the input", opened.get_input_details()[0]["index"], *scales))
    for what, index, scale, zero_point in expected:
        found_scale, found_zero_point = tensors[index]["quantization"]
        # The converter computes in float32.
        if found_zero_point != zero_point or not math.isclose(found_scale, scale, rel_tol=1e-6):
            rule = f"scale and zero point of {what} must be {scale:.7f} and {zero_point}"
            raise WoolError(f"{precision}: {rule}, got {found_scale:.7f} and {found_zero_point}")
