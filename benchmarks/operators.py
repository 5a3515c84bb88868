"""The operators of a TFLite file, each as a file of its own, since the interpreter does not tell what each one takes.

A padding and the convolution that reads it stay together, for they may be computed as one.
"""

import dataclasses

import numpy as np

from wool_tf.deploy import flatbuffer


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator of a file.

    Attributes:
        name: its place in the file, and what it is.
        kind: what it is, with the kernel and the stride of a convolution.
        output: shape of what it writes.
        macs: multiply-accumulates; 0 but for convolutions and matrix products.
        content: a TFLite file of it alone.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    macs: int
    content: bytes


def split(tflite: bytes) -> list[Operator]:
    """The operators of a file, in order."""
    from ai_edge_litert import schema_py_generated as schema

    graph = flatbuffer.unpacked(tflite).subgraphs[0]
    readers = [operator.inputs.tolist() for operator in graph.operators]
    codes = [_code(tflite, operator) for operator in graph.operators]
    found, begin = [], 0
    for number, code in enumerate(codes):
        reads_it = number + 1 < len(codes) and graph.operators[number].outputs[0] in readers[number + 1]
        if code == schema.BuiltinOperator.PAD and reads_it and codes[number + 1] == schema.BuiltinOperator.CONV_2D:
            continue
        found.append(_operator(tflite, begin, number + 1))
        begin = number + 1
    return found


def ends(tflite: bytes) -> tuple[list[tuple], list[tuple]]:
    """Shape and type of each input of a file, and of each output; no interpreter is needed for it."""
    from ai_edge_litert import schema_py_generated as schema

    graph, types = flatbuffer.unpacked(tflite).subgraphs[0], schema.TensorType
    known = {types.FLOAT32: np.float32, types.UINT8: np.uint8, types.INT8: np.int8}
    return tuple(
        [(tuple(map(int, graph.tensors[index].shape)), known[graph.tensors[index].type]) for index in indices]
        for indices in (graph.inputs, graph.outputs)
    )


def _code(tflite: bytes, operator) -> int:
    from ai_edge_litert import schema_py_generated as schema

    return schema.Model.GetRootAs(tflite, 0).OperatorCodes(operator.opcodeIndex).BuiltinCode()


def _operator(tflite: bytes, begin: int, end: int) -> Operator:
    """The operators from `begin` until before `end`, as one."""
    model = flatbuffer.unpacked(tflite)
    graph = model.subgraphs[0]
    graph.operators = graph.operators[begin:end]
    made = {int(index) for operator in graph.operators for index in operator.outputs}
    used = {int(index) for operator in graph.operators for index in operator.inputs if index >= 0}
    given = sorted(index for index in used - made if not _is_constant(model, graph.tensors[index]))
    last = graph.operators[-1]
    graph.inputs, graph.outputs = np.array(given, np.int32), last.outputs
    model.signatureDefs = model.metadata = model.metadataBuffer = None
    kept = {graph.tensors[index].buffer for index in used}
    for number, buffer in enumerate(model.buffers):
        if number not in kept:
            buffer.data = None
    kind, macs = _described(model, graph, last, _code(tflite, last))
    shape = tuple(map(int, graph.tensors[last.outputs[0]].shape))
    return Operator(f"{end - 1} {kind}", kind, shape, macs, flatbuffer.packed(model))


def _is_constant(model, tensor) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _described(model, graph, operator, code: int) -> tuple[str, int]:
    """What an operator is, and its multiply-accumulates."""
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    weights = [graph.tensors[index].shape.tolist() for index in operator.inputs if index >= 0][1:2]
    output = graph.tensors[operator.outputs[0]].shape.tolist()
    if code == schema.BuiltinOperator.CONV_2D:
        ((_, height, width, _),), stride = weights, operator.builtinOptions.strideH
        return f"CONV_2D {height}×{width}, stride {stride}", int(np.prod(weights[0]) * output[1] * output[2])
    macs = int(np.prod(weights[0])) if code == schema.BuiltinOperator.FULLY_CONNECTED else 0
    return names[code], macs
