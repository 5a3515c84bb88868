"""Single int8 convolutions as TFLite models, by which a latency table is measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wool_board.latency import convolution_archive
from wool_board.latency.convolution_archive import ArchiveContents, Grid
from wool_tf.deploy import flatbuffer, stem
from wool_tf.errors import Unwritable

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

SCALE = 0.05
"""Of inputs and outputs; kernels compute the same whatever it is."""
WEIGHT_SCALE = 0.01
_PATTERN = np.arange(-125, 126, dtype=np.int8)
"""Repeated for the weights: in an archive they take little room, and times do not depend on values."""


def write(path: Path, wanted: ArchiveContents) -> int:
    """Writes the archive of all convolutions that are to be measured.

    Arguments:
        path: of the archive.
        wanted: what `pruning.latency_table.to_measure` gives.

    Returns:
        The number of convolutions.

    Raises:
        WoolError: the file cannot be written.
    """
    models = {
        name: model(grid, reads, writes)
        for grid in (*wanted.grids, *wanted.sweeps)
        for reads, writes, name in grid.models()
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        convolution_archive.write(path, wanted, models)
    except OSError as error:
        raise Unwritable(f"{path}: cannot be written ({error.strerror or error})") from None
    return len(models)


def model(grid: Grid, reads: int, writes: int) -> bytes:
    """A TFLite model of one convolution with ReLU, as files of networks have it: int8, a scale per filter.

    The first convolution of a network is the one that `stem` makes of it.

    Arguments:
        grid: Grid, of which kernel, stride and side are used.
        reads, writes: numbers of channels.
    """
    from ai_edge_litert import schema_py_generated as schema

    weights = np.resize(_PATTERN, (writes, grid.kernel, grid.kernel, reads))
    side, stride, padding = grid.side * grid.stride, grid.stride, schema.Padding.SAME
    image, features = (1, side, side, reads), (1, grid.side, grid.side, writes)
    if stem.fits(weights.shape[1:], stride, grid.side, grid.side):
        weights, stride, padding = stem.weights(weights), 1, schema.Padding.VALID
        image, features = stem.padded(grid.side, grid.side), stem.outputs(grid.side, grid.side, writes)
    filters, types = len(weights), schema.TensorType
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("image", image, types.INT8, 0, [SCALE], 0),
        _tensor("weights", weights.shape, types.INT8, 1, [WEIGHT_SCALE] * filters, 0),
        _tensor("bias", (filters,), types.INT32, 2, [SCALE * WEIGHT_SCALE] * filters, 0),
        _tensor("features", features, types.INT8, 0, [SCALE], -128),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [3], [_convolution(stride, padding)]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    # The first version with a scale per filter.
    code.version = 3
    made = schema.ModelT()
    made.version, made.operatorCodes, made.subgraphs = 3, [code], [graph]
    made.buffers = [schema.BufferT(), _buffer(weights), _buffer(np.zeros(filters, np.int32))]
    return flatbuffer.packed(made)


def _convolution(stride: int, padding: int) -> "schema.OperatorT":
    from ai_edge_litert import schema_py_generated as schema

    options = schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = padding, schema.ActivationFunctionType.RELU
    options.strideW = options.strideH = stride
    options.dilationWFactor = options.dilationHFactor = 1
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.Conv2DOptions, options
    return operator


def _tensor(
    name: str, shape: Sequence[int], kind: int, buffer: int, scales: list[float], zero_point: int
) -> "schema.TensorT":
    from ai_edge_litert import schema_py_generated as schema

    quantisation = schema.QuantizationParametersT()
    quantisation.scale, quantisation.zeroPoint = scales, [zero_point] * len(scales)
    quantisation.quantizedDimension = 0
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, buffer
    tensor.quantization = quantisation
    return tensor


def _buffer(values: np.ndarray) -> "schema.BufferT":
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return buffer
