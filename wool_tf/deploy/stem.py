"""The first convolution of an 8-bit file, rearranged to take a quarter of the time and give the same integers.

Kernels of 8-bit integers multiply 4 or 8 input channels at once, and the image has one: in the 7×7 convolution seven
eighths of their work are zeros, and it takes 40 % of the time of a compact ResNet-18. So squares of 2×2 pixels become
the channels of one cell, and two cells side by side one of 8 channels, from which two outputs side by side are computed
(the first step is known as space to depth). Weights for pixels that an output does not
see are zero, so that the sums stay what they are. Moving pixels into channels costs little: but for the first step, all
of it is another view of the same bytes.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from wool_tf.deploy import flatbuffer

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

KERNEL, STRIDE = 7, 2
CELL = 2
"""Side of the squares of pixels that become channels: the stride, so that each output begins with one."""
SPAN = 4
"""Cells in a row that an output sees: those of 7 pixels, and one pixel more."""
PAIR = 2
"""Cells, and outputs, that are one."""
BEFORE = 2
"""Cells before the one at its place that an output sees."""
CHANNELS = PAIR * CELL * CELL
KERNELS = ([KERNEL, KERNEL, 1], [SPAN, PAIR + 1, CHANNELS])
"""Rows, columns and channels of the first kernel, as it is converted and rearranged."""


def rearranged(tflite: bytes) -> bytes:
    """An 8-bit file with the first convolution rearranged; the same bytes where there is none that can be.

    Arguments:
        tflite: with one graph, in which a 7×7 convolution with stride 2 of one channel follows a padding of 3 pixels.
    """
    model = flatbuffer.unpacked(tflite)
    graph = model.subgraphs[0]
    for number, (pad, conv) in enumerate(zip(graph.operators, graph.operators[1:], strict=False)):
        if _is_stem(model, pad, conv):
            editor = _Editor(model)
            graph.operators[number : number + 2] = editor.stem(pad, conv)
            return flatbuffer.packed(model)
    return tflite


def weights(kernel: np.ndarray) -> np.ndarray:
    """The weights of the rearranged convolution.

    Arguments:
        kernel: (channels, 7, 7, 1).

    Returns:
        (2·channels, 4, 3, 8) of the same type: those of the left outputs, then those of the right ones.
    """
    outputs = len(kernel)
    # One row and one column of pixels more, before those that the kernel sees.
    cells = np.pad(kernel[..., 0], ((0, 0), (1, 0), (1, 0)))
    cells = cells.reshape(outputs, SPAN, CELL, SPAN, CELL).transpose(0, 1, 3, 2, 4)
    cells = cells.reshape(outputs, SPAN, SPAN, CELL * CELL)
    # The left output sees the first four of six cells, and the right one those from the second on.
    sides = [np.pad(cells, ((0, 0), (0, 0), (place, PAIR - place), (0, 0))) for place in range(PAIR)]
    return np.concatenate(sides).reshape(PAIR * outputs, SPAN, -1, CHANNELS)


def fits(kernel: Sequence[int], stride: int, height: int, width: int) -> bool:
    """Whether a convolution is one that can be rearranged.

    Arguments:
        kernel: rows, columns and channels.
        stride: in both directions.
        height, width: of its outputs.
    """
    return list(kernel) == [KERNEL, KERNEL, 1] and stride == STRIDE and height > 0 and width % PAIR == 0


def padded(height: int, width: int) -> tuple[int, int, int, int]:
    """Shape of what the rearranged convolution reads, for outputs of this height and width."""
    return 1, height + SPAN - 1, width // PAIR + 2, CHANNELS


def outputs(height: int, width: int, channels: int) -> tuple[int, int, int, int]:
    """Shape of what the rearranged convolution writes: two outputs side by side as one."""
    return 1, height, width // PAIR, PAIR * channels


class _Editor:
    """Makes tensors and operators of a model."""

    def __init__(self, model: "schema.ModelT"):
        self._model, self._graph = model, model.subgraphs[0]

    def stem(self, pad: "schema.OperatorT", conv: "schema.OperatorT") -> list["schema.OperatorT"]:
        """The operators that take the place of a padding and a convolution."""
        from ai_edge_litert import schema_py_generated as schema

        codes, tensors = schema.BuiltinOperator, self._graph.tensors
        image, output = pad.inputs[0], conv.outputs[0]
        kernel, bias = conv.inputs[1:3]
        _, height, width, channels = map(int, tensors[output].shape)
        pairs = width // PAIR
        cells = self._like(image, "cells", (1, height, width, CELL * CELL))
        paired = self._like(image, "pairs", (1, height, pairs, CHANNELS))
        around_pairs = self._like(image, "padded", padded(height, width))
        sums = self._like(output, "outputs", outputs(height, width, channels))
        around = [[0, 0], [BEFORE, SPAN - 1 - BEFORE], [1, 1], [0, 0]]
        for index in (kernel, bias):
            self._repeat_scales(tensors[index])
        self._set(kernel, weights(self._values(kernel, np.int8)))
        self._set(bias, np.tile(self._values(bias, np.int32), PAIR))
        moved = copy.copy(conv)
        moved.inputs, moved.outputs = np.array([around_pairs, kernel, bias], np.int32), np.array([sums], np.int32)
        moved.builtinOptions.strideH = moved.builtinOptions.strideW = 1
        to_cells = self._operator(codes.SPACE_TO_DEPTH, [image], cells, 2)
        to_cells.builtinOptionsType = schema.BuiltinOptions.SpaceToDepthOptions
        to_cells.builtinOptions = schema.SpaceToDepthOptionsT()
        to_cells.builtinOptions.blockSize = CELL
        border = copy.copy(pad)
        border.inputs = np.array([paired, self._constant(np.array(around, np.int32))], np.int32)
        border.outputs = np.array([around_pairs], np.int32)
        return [to_cells, self._view(cells, paired), border, moved, self._view(sums, output)]

    def _view(self, source: int, target: int) -> "schema.OperatorT":
        from ai_edge_litert import schema_py_generated as schema

        # Of any number of images, as all other operators are.
        shape = self._constant(np.array([-1, *self._graph.tensors[target].shape[1:]], np.int32))
        return self._operator(schema.BuiltinOperator.RESHAPE, [source, shape], target, 1)

    def _operator(self, code: int, inputs: list[int], output: int, version: int) -> "schema.OperatorT":
        from ai_edge_litert import schema_py_generated as schema

        known = [(entry.builtinCode, entry.version) for entry in self._model.operatorCodes]
        if (code, version) not in known:
            entry = schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = code
            entry.version = version
            self._model.operatorCodes.append(entry)
            known.append((code, version))
        made = schema.OperatorT()
        made.opcodeIndex = known.index((code, version))
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        return made

    def _like(self, other: int, name: str, shape: tuple[int, ...]) -> int:
        """A tensor with the scale and the zero point of another; returns its index."""
        from ai_edge_litert import schema_py_generated as schema

        made, model = schema.TensorT(), self._graph.tensors[other]
        made.name, made.shape, made.type = f"stem/{name}".encode(), np.array(shape, np.int32), model.type
        made.quantization, made.buffer = copy.deepcopy(model.quantization), self._buffer(None)
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def _constant(self, values: np.ndarray) -> int:
        from ai_edge_litert import schema_py_generated as schema

        made = schema.TensorT()
        made.name, made.shape = b"stem/constant", np.array(values.shape, np.int32)
        made.type, made.buffer = schema.TensorType.INT32, self._buffer(values)
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def _buffer(self, values: np.ndarray | None) -> int:
        from ai_edge_litert import schema_py_generated as schema

        made = schema.BufferT()
        if values is not None:
            made.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(made)
        return len(self._model.buffers) - 1

    def _values(self, index: int, dtype: type) -> np.ndarray:
        tensor = self._graph.tensors[index]
        return np.frombuffer(bytes(self._model.buffers[tensor.buffer].data), dtype).reshape(tensor.shape)

    def _set(self, index: int, values: np.ndarray) -> None:
        tensor = self._graph.tensors[index]
        tensor.shape, tensor.buffer = np.array(values.shape, np.int32), self._buffer(values)

    @staticmethod
    def _repeat_scales(tensor: "schema.TensorT") -> None:
        """Both outputs of a pair have the scales of one."""
        about = tensor.quantization
        if len(about.scale) == 1:
            return  # It is that of all channels.
        about.scale, about.zeroPoint = np.tile(about.scale, PAIR), np.tile(about.zeroPoint, PAIR)


def _is_stem(model: "schema.ModelT", pad: "schema.OperatorT", conv: "schema.OperatorT") -> bool:
    """Whether two operators are the padding and the convolution, and the image can be parted into pairs of cells."""
    from ai_edge_litert import schema_py_generated as schema

    codes = [model.operatorCodes[operator.opcodeIndex].builtinCode for operator in (pad, conv)]
    if codes != [schema.BuiltinOperator.PAD, schema.BuiltinOperator.CONV_2D] or conv.inputs[0] != pad.outputs[0]:
        return False
    tensors = model.subgraphs[0].tensors
    _, height, width, _ = tensors[pad.inputs[0]].shape
    kernel, options = tensors[conv.inputs[1]], conv.builtinOptions
    around = np.frombuffer(bytes(model.buffers[tensors[pad.inputs[1]].buffer].data), np.int32).reshape(-1, 2)
    return (
        kernel.type == schema.TensorType.INT8
        and options.strideH == options.strideW
        and fits(kernel.shape[1:].tolist(), options.strideW, height // CELL, width // CELL)
        and options.padding == schema.Padding.VALID
        and around.tolist() == [[0, 0], [KERNEL // 2] * 2, [KERNEL // 2] * 2, [0, 0]]
        and height % CELL == width % CELL == 0
    )
