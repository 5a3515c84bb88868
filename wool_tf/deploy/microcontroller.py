"""Integer models for microcontrollers: as C++ source for TensorFlow Lite Micro, with the memory that it needs there."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from wool_board.model.card import Card
from wool_board.model.network import probability
from wool_tf.deploy import runtime
from wool_tf.errors import WoolError, extra

if TYPE_CHECKING:
    from tflite_micro.python.tflite_micro.runtime import Interpreter

ALIGNMENT = 16
"""Bytes to which TensorFlow Lite Micro aligns its arena and its tensors."""
LARGEST_ARENA = 1 << 28
"""Bytes; what does not run in as many lacks something else."""
_METHODS = {
    "ADD": "AddAdd",
    "CONV_2D": "AddConv2D",
    "DEQUANTIZE": "AddDequantize",
    "FULLY_CONNECTED": "AddFullyConnected",
    "MAX_POOL_2D": "AddMaxPool2D",
    "MEAN": "AddMean",
    "PAD": "AddPad",
    "QUANTIZE": "AddQuantize",
    "RESHAPE": "AddReshape",
    "SPACE_TO_DEPTH": "AddSpaceToDepth",
    "STRIDED_SLICE": "AddStridedSlice",
    "TRANSPOSE": "AddTranspose",
}
"""What `tflite::MicroMutableOpResolver` calls the operators of integer models."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BYTES_IN_A_LINE = 24


def c_array(flatbuffer: bytes, card: Card, name: str) -> dict[str, str]:
    """A model as C++11 source: an aligned array, and a header with all that a program needs to decide.

    The header has no need of TensorFlow Lite Micro's own. It says the size of the tensor arena where `installed()`.

    Arguments:
        flatbuffer: the model alone, without the card behind it, of the precision `int8` or `qat`.
        card: of the model.
        name: of the files, without suffix: letters, digits, ".", "_" and "-". The namespace is `wool_` and this name.

    Returns:
        The text of `<name>.h` and `<name>.cc`, by file name.

    Raises:
        WoolError: the model is not an integer one or not that of the card, the name cannot be used, or TensorFlow Lite
            Micro is installed and cannot run the model.
    """
    if not _NAME.fullmatch(name):
        raise WoolError(f"{name!r}: the name of C source must be of letters, digits, '.', '_' and '-'")
    if card.model.bytes != len(flatbuffer):
        found, stated = len(flatbuffer), card.model.bytes
        raise WoolError(f"{name}: the model has {found} bytes, but its card is of one with {stated}")
    header = "\n".join(_header(flatbuffer, card, name)) + "\n"
    return {f"{name}.h": header, f"{name}.cc": "\n".join(_source(flatbuffer, name)) + "\n"}


def installed() -> bool:
    """Whether TensorFlow Lite Micro is there to measure with (the extra `micro`)."""
    return importlib.util.find_spec("tflite_micro") is not None


def arena_bytes(flatbuffer: bytes) -> int:
    """The tensor arena that TensorFlow Lite Micro needs: the smallest in which it runs the model here.

    Its reference kernels were asked, on a processor of 64 bits. With the same kernels a microcontroller's smaller
    pointers make it need less, but optimised kernels (CMSIS-NN, ESP-NN) take scratch memory besides.

    Arguments:
        flatbuffer: the model; a card behind it does no harm.

    Returns:
        Bytes, a multiple of `ALIGNMENT`.

    Raises:
        WoolError: TensorFlow Lite Micro is not installed, or cannot run the model.
    """
    if not installed():
        raise WoolError(f"tflite-micro is not installed, so the arena cannot be measured; {extra('micro')}")
    # A process of its own: it writes on the standard error, and what it cannot read may end it.
    command = [sys.executable, "-c", "from wool_tf.deploy import microcontroller; microcontroller._tell_arena()"]
    finished = subprocess.run(command, input=flatbuffer, capture_output=True, check=False)
    if finished.returncode:
        raise WoolError(f"TensorFlow Lite Micro cannot run the model: {_complaint(finished)}")
    return int(finished.stdout)


def _tell_arena() -> None:
    """Writes the smallest arena of the model on standard input to standard output."""
    flatbuffer = sys.stdin.buffer.read()
    _run(flatbuffer, LARGEST_ARENA)
    least, enough = 0, LARGEST_ARENA // ALIGNMENT
    while enough - least > 1:
        middle = (least + enough) // 2
        try:
            _allocated(flatbuffer, middle * ALIGNMENT)
        except RuntimeError:
            least = middle
        else:
            enough = middle
    _run(flatbuffer, enough * ALIGNMENT)
    sys.stdout.write(str(enough * ALIGNMENT))


def _allocated(flatbuffer: bytes, arena: int) -> "Interpreter":
    from tflite_micro.python.tflite_micro import runtime as micro_runtime

    return micro_runtime.Interpreter.from_bytes(flatbuffer, arena_size=arena)


def _run(flatbuffer: bytes, arena: int) -> None:
    opened = _allocated(flatbuffer, arena)
    image = opened.get_input_details(0)
    opened.set_input(np.zeros(image["shape"], image["dtype"]), 0)
    opened.invoke()


def _complaint(finished: subprocess.CompletedProcess) -> str:
    """TensorFlow Lite Micro's first word, since later ones tell what followed from it, or else Python's last."""
    notes, _, traceback = finished.stderr.decode(errors="replace").partition("Traceback")
    said = notes.split("\n")[:1] if notes.strip() else traceback.strip().split("\n")[-1:]
    return said[0].strip() or f"it ended with status {finished.returncode}"


def _header(flatbuffer: bytes, card: Card, name: str) -> Iterator[str]:
    opened = runtime.interpreter(flatbuffer)
    image, outputs = opened.get_input_details()[0], opened.get_output_details()
    logits = next(number for number, tensor in enumerate(outputs) if len(tensor["shape"]) == 2)
    if (image["dtype"], outputs[logits]["dtype"]) != (np.uint8, np.int8):
        found = f"{image['dtype'].__name__} to {outputs[logits]['dtype'].__name__}"
        raise WoolError(f"{name}: C source is made of models from uint8 to int8 (int8, qat), got one from {found}")
    guard = f"WOOL_{_identifier(name).upper()}_H_"
    yield from _title(card, name)
    yield from (f"#ifndef {guard}", f"#define {guard}", "", "#include <cstddef>", "#include <cstdint>", "")
    yield from (f"namespace wool_{_identifier(name)} {{", "")
    yield from _memory(flatbuffer)
    yield from _input(image, card)
    yield from _decision(outputs[logits], logits, card)
    for number, tensor in enumerate(outputs):
        if len(tensor["shape"]) == 4:
            yield from _heatmap(tensor, number)
    yield from _operators(runtime.operators(opened), name)
    yield from (f"}}  // namespace wool_{_identifier(name)}", "", f"#endif  // {guard}")


def _title(card: Card, name: str) -> Iterator[str]:
    network, training = card.network, card.training
    yield f"// {name}: a model that tells defective mineral wool, made by wool_tf. Do not edit."
    yield f"// Precision {card.precision}, {network.params} parameters, {network.macs} operations an image."
    yield f"// SHA-256 of the network's weights: {network.weights_sha256}"
    yield f"// SHA-256 of the {training.images} training images: {training.fingerprint}"
    yield ""


def _memory(flatbuffer: bytes) -> Iterator[str]:
    yield "// The model, a TFLite flatbuffer."
    yield f"alignas({ALIGNMENT}) extern const unsigned char model[];"
    yield f"constexpr std::size_t model_bytes = {len(flatbuffer)};"
    yield ""
    if installed():
        yield "// The smallest tensor arena with the reference kernels on 64 bits; it must be aligned like the model."
        yield "// Optimised kernels (CMSIS-NN, ESP-NN) take scratch memory besides."
        yield f"constexpr std::size_t arena_bytes = {arena_bytes(flatbuffer)};"
    else:
        yield f"// The tensor arena was not measured; make this file again after ({extra('micro')})."
    yield ""


def _input(image: dict, card: Card) -> Iterator[str]:
    about = card.input
    yield f"// Input 0: (1, side, side, 1) of uint8, the pixels of a crop as they are: {_comment(about.pixels)}."
    if about.window is not None:
        low, high = about.window
        yield f"// Pixels from 255 to 0 are attenuations from {low:g} to {high:g}, as imaging.json has them."
    yield f"constexpr int side = {about.side};"
    yield from _quantisation("input", image)
    yield ""


def _decision(logits: dict, number: int, card: Card) -> Iterator[str]:
    labels, threshold = card.labels, card.decision.threshold
    yield f"// Output {number}: (1, 2) of int8, the logits in the order of the labels."
    yield f"constexpr int logits_output = {number};"
    yield from _quantisation("logits", logits)
    yield f"constexpr const char* labels[] = {{{', '.join(map(json.dumps, labels))}}};"
    yield ""
    yield "// A crop is defective from this softmax of the second logit on, chosen by this rule:"
    yield f"// {_comment(card.decision.rule)}"
    yield f"constexpr float threshold = {_float(threshold)};"
    yield "// Which is this difference of the logits as they come out, second less first."
    yield f"constexpr int least_difference = {_least_difference(threshold, logits['quantization'][0])};"
    yield "inline bool is_defective(const std::int8_t* logits) { return logits[1] - logits[0] >= least_difference; }"
    yield ""


def _heatmap(tensor: dict, number: int) -> Iterator[str]:
    _, rows, columns, _ = tensor["shape"]
    yield f"// Output {number}: (1, rows, columns, 1) of int8, margins above 0 where the crop looks defective."
    yield f"constexpr int heatmap_output = {number};"
    yield f"constexpr int heatmap_rows = {rows};"
    yield f"constexpr int heatmap_columns = {columns};"
    yield from _quantisation("heatmap", tensor)
    yield ""


def _operators(operators: list[str], name: str) -> Iterator[str]:
    unknown = [operator for operator in operators if operator not in _METHODS]
    if unknown:
        raise WoolError(f"{name}: no call of MicroMutableOpResolver is known for the operators {', '.join(unknown)}")
    yield "// Adds what the model is made of to a tflite::MicroMutableOpResolver<operators>; false if one was refused."
    yield f"constexpr unsigned int operators = {len(operators)};"
    yield "template <typename Resolver>"
    yield "bool add_operators(Resolver& resolver) {"
    yield "  // kTfLiteOk is 0."
    calls = [f"resolver.{_METHODS[operator]}() == 0" for operator in operators]
    yield "  return " + " &&\n         ".join(calls) + ";"
    yield "}"
    yield ""


def _source(flatbuffer: bytes, name: str) -> Iterator[str]:
    yield f'#include "{name}.h"'
    yield ""
    yield f"namespace wool_{_identifier(name)} {{"
    yield ""
    yield f"alignas({ALIGNMENT}) const unsigned char model[] = {{"
    for start in range(0, len(flatbuffer), _BYTES_IN_A_LINE):
        yield ",".join(map(str, flatbuffer[start : start + _BYTES_IN_A_LINE])) + ","
    yield "};"
    yield ""
    yield f"}}  // namespace wool_{_identifier(name)}"


def _quantisation(what: str, tensor: dict) -> Iterator[str]:
    scale, zero_point = tensor["quantization"]
    yield f"constexpr float {what}_scale = {_float(scale)};"
    yield f"constexpr int {what}_zero_point = {zero_point};"


def _least_difference(threshold: float, scale: float) -> int:
    """By how many steps of int8 the second logit must exceed the first; 256, which is never, if no step suffices."""
    steps = np.arange(-255, 256)
    reached = probability(steps * float(scale)) >= threshold
    return int(steps[reached][0]) if reached.any() else 256


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _float(value: float) -> str:
    """The shortest literal of type float that is the nearest one to a number."""
    return f"{np.float32(value)!s}f"


def _comment(text: str) -> str:
    return " ".join(text.split())
