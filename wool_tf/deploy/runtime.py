"""TFLite files in the interpreter that the boards use."""

from typing import TYPE_CHECKING

from wool_board.errors import BadFile
from wool_board.model import network
from wool_tf.errors import WoolError

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

_DELEGATE = "DELEGATE"


def interpreter(tflite: bytes, threads: int = 1) -> "Interpreter":
    """An `ai_edge_litert` interpreter of a file, its tensors allocated.

    Raises:
        WoolError: the bytes are no TFLite file that runs here.
    """
    try:
        return network.opened(tflite, threads)
    except BadFile as bad:
        raise WoolError(f"the TFLite file {bad}") from None


def nodes(opened: "Interpreter") -> list[dict]:
    """Operators of the file in order, then the delegates that run them here: `op_name`, `inputs`, `outputs`."""
    # Private, but the only account of operators and delegates that the interpreter gives.
    return opened._get_ops_details()


def operators(opened: "Interpreter") -> list[str]:
    """Names of the operators of the file, sorted, each once."""
    return sorted({node["op_name"] for node in nodes(opened)} - {_DELEGATE})


def runs_in_xnnpack(opened: "Interpreter") -> bool:
    """Whether XNNPACK runs all of the file, save the change of its input from uint8 to int8."""
    delegates = [node for node in nodes(opened) if node["op_name"] == _DELEGATE]
    if len(delegates) != 1:
        return False
    # With a single delegate, whatever is left out of it either feeds it or makes a result behind it.
    producer = {tensor: node["op_name"] for node in nodes(opened) for tensor in node["outputs"]}
    feeding = {producer[tensor] for tensor in delegates[0]["inputs"] if tensor in producer}
    results = {tensor["index"] for tensor in opened.get_output_details()}
    return feeding <= {"QUANTIZE"} and results <= set(delegates[0]["outputs"])


def outputs(opened: "Interpreter") -> list[dict]:
    """Details of the outputs: the logits, then the heatmap if there is one."""
    return list(network.outputs(opened).values())


def output_names(opened: "Interpreter") -> list[str]:
    """What the signatures of the file call its outputs, sorted."""
    return sorted(name for signature in opened.get_signature_list().values() for name in signature["outputs"])


def constants(opened: "Interpreter") -> set[int]:
    """Indices of the tensors that are stored in the file."""
    made = {tensor for node in nodes(opened) for tensor in node["outputs"]}
    given = {tensor["index"] for tensor in opened.get_input_details()}
    return {tensor["index"] for tensor in opened.get_tensor_details()} - made - given


def weights(opened: "Interpreter") -> set[int]:
    """Indices of the weights of the convolutions and matrix products, as they are stored."""
    widened = {node["outputs"][0]: node["inputs"][0] for node in nodes(opened) if node["op_name"] == "DEQUANTIZE"}
    used = [node["inputs"][1] for node in nodes(opened) if node["op_name"] in ("CONV_2D", "FULLY_CONNECTED")]
    return {widened.get(index, index) for index in used}
