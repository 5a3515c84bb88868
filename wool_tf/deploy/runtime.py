"""TFLite files in the interpreter that the boards use."""

from wool_tf.errors import WoolError
from wool_tf.quiet import quiet

_DELEGATE = "DELEGATE"


def interpreter(tflite: bytes, threads: int = 1):
    """An `ai_edge_litert` interpreter of a file, its tensors allocated.

    Raises:
        WoolError: the bytes are no TFLite file that runs here.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quiet():
            opened = Interpreter(model_content=tflite, num_threads=threads)
            opened.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise WoolError(f"not a TFLite file that runs here: {' '.join(str(error).split())}") from None
    return opened


def nodes(opened) -> list[dict]:
    """Operators of the file in order, then the delegates that run them here: `op_name`, `inputs`, `outputs`."""
    # Private, but the only account of operators and delegates that the interpreter gives.
    return opened._get_ops_details()


def operators(opened) -> list[str]:
    """Names of the operators of the file, sorted, each once."""
    return sorted({node["op_name"] for node in nodes(opened)} - {_DELEGATE})


def runs_in_xnnpack(opened) -> bool:
    """Whether XNNPACK runs all of the file, save the change of its input from uint8 to int8."""
    delegates = [node for node in nodes(opened) if node["op_name"] == _DELEGATE]
    if len(delegates) != 1:
        return False
    # With a single delegate, whatever is left out of it either feeds it or makes a result behind it.
    producer = {tensor: node["op_name"] for node in nodes(opened) for tensor in node["outputs"]}
    feeding = {producer[tensor] for tensor in delegates[0]["inputs"] if tensor in producer}
    results = {tensor["index"] for tensor in opened.get_output_details()}
    return feeding <= {"QUANTIZE"} and results <= set(delegates[0]["outputs"])


def outputs(opened) -> list[dict]:
    """Details of the outputs: the logits first, then the heatmap if there is one. Files have them in any order."""
    return sorted(opened.get_output_details(), key=lambda output: len(output["shape"]))


def constants(opened) -> set[int]:
    """Indices of the tensors that are stored in the file."""
    made = {tensor for node in nodes(opened) for tensor in node["outputs"]}
    given = {tensor["index"] for tensor in opened.get_input_details()}
    return {tensor["index"] for tensor in opened.get_tensor_details()} - made - given


def weights(opened) -> set[int]:
    """Indices of the weights of the convolutions and matrix products, as they are stored."""
    widened = {node["outputs"][0]: node["inputs"][0] for node in nodes(opened) if node["op_name"] == "DEQUANTIZE"}
    used = [node["inputs"][1] for node in nodes(opened) if node["op_name"] in ("CONV_2D", "FULLY_CONNECTED")]
    return {widened.get(index, index) for index in used}
