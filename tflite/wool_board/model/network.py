"""The network of a TFLite file: crops in, logits, scores and heatmaps out."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from wool_board.errors import BadFile, WoolError, in_one_line

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

Number = TypeVar("Number", float, np.ndarray)

LOGITS, HEATMAP = "logits", "heatmap"
"""What the signature of a file calls its outputs."""


class TfliteNetwork:
    """A TFLite file, ready to run on crops.

    Arguments:
        model: path of the file, or its bytes; a card behind it does no harm.
        threads: CPU threads, at least 1.

    Attributes:
        input_shapes: of what it reads: of a board model one, (1, side, side, 1).
        logits_shape: (1, classes), or None of a file without logits.
        heatmap_shape: rows and columns of the heatmap, or None of a file without one.

    Raises:
        BadFile: it does not run here.
    """

    def __init__(self, model: Path | bytes, threads: int = 1):
        self._interpreter = opened(model, threads)
        images, found = self._interpreter.get_input_details(), outputs(self._interpreter)
        self._image, self._logits, self._heatmap = images[0], found.get(LOGITS), found.get(HEATMAP)
        self.input_shapes = [tuple(map(int, image["shape"])) for image in images]
        self.logits_shape = self._logits and tuple(map(int, self._logits["shape"]))
        self.heatmap_shape = self._heatmap and tuple(map(int, self._heatmap["shape"][1:3]))

    def run(self, pixels: np.ndarray) -> float:
        """The score of a crop: the softmax of the second of two logits.

        Arguments:
            pixels: (side, side) of uint8, 255 where there is nothing but air.
        """
        given = pixels[np.newaxis, :, :, np.newaxis].astype(self._image["dtype"], copy=False)
        self._interpreter.set_tensor(self._image["index"], given)
        invoke(self._interpreter)
        assert self._logits is not None, "without logits, nothing but `logits_shape` is asked"
        found = self._interpreter.get_tensor(self._logits["index"])
        # Two numbers, for which arrays would take longer than the arithmetic.
        (first, second), (scale, zero_point) = found[0].tolist(), self._logits["quantization"]
        margin = (second - zero_point) * scale - (first - zero_point) * scale if scale else second - first
        return float(probability(margin))

    def heatmap(self) -> np.ndarray | None:
        """(rows, columns) of float32 of the crop that was run last: what each cell adds to the margin of the logits."""
        return None if self._heatmap is None else self._values(self._heatmap, np.float32)[0, :, :, 0]

    def _values(self, tensor: dict, kind: type) -> np.ndarray:
        """The numbers that an output stands for."""
        found, (scale, zero_point) = self._interpreter.get_tensor(tensor["index"]), tensor["quantization"]
        return (found.astype(kind) - zero_point) * kind(scale) if scale else found.astype(kind, copy=False)


def probability(margin: Number) -> Number:
    """The softmax of the second of two logits, 0 to 1, from the second less the first, a number or an array."""
    return 0.5 * (1 + np.tanh(margin / 2))


def invoke(interpreter: "Interpreter") -> None:
    """Computes the outputs from the inputs.

    Raises:
        WoolError: an operator fails, as one does that looks something up where there is nothing.
    """
    try:
        interpreter.invoke()
    except RuntimeError as error:
        raise WoolError(f"the model cannot be computed with this input ({in_one_line(error)})") from None


def opened(model: Path | bytes, threads: int) -> "Interpreter":
    """An interpreter of a TFLite file, its tensors allocated.

    Arguments:
        model: path of the file, or its bytes.
        threads: CPU threads, at least 1.

    Raises:
        BadFile: it does not run here.
    """
    from ai_edge_litert.interpreter import Interpreter

    source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    try:
        with _silence():
            interpreter = Interpreter(**source, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BadFile(f"cannot be run ({in_one_line(error)})") from None
    return interpreter


def outputs(interpreter: "Interpreter") -> dict[str, dict]:
    """Details of the logits and, where there is one, of the heatmap, by `LOGITS` and `HEATMAP`.

    A file's signature names them. Files that were made before signatures did have them in any order; there the shapes
    tell: (1, classes), and (1, rows, columns, 1).
    """
    for key in interpreter.get_signature_list():
        named = interpreter.get_signature_runner(key).get_output_details()
        if LOGITS in named:
            return {name: named[name] for name in (LOGITS, HEATMAP) if name in named}
    found: dict[str, dict] = {}
    for tensor in sorted(interpreter.get_output_details(), key=lambda tensor: len(tensor["shape"])):
        name = {2: LOGITS, 4: HEATMAP}.get(len(tensor["shape"]))
        if name:
            found.setdefault(name, tensor)
    return found


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps the interpreter's notes off the standard error, where each line is a complaint of a program."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
