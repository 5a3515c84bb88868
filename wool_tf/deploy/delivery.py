"""The folder that goes to the board, and how fast its models are here."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from wool_tf import files
from wool_tf.deploy import convert
from wool_tf.errors import WoolError
from wool_tf.networks import resnet, weights

BASELINE_FLOAT, COMPACT_FLOAT, COMPACT_INT8 = "baseline-float32", "compact-float32", "compact-int8"


def write(folder: Path, unpruned: Path, final: Path, int8: Path) -> dict[str, Path]:
    """Writes what goes to the board, what Keras and PyTorch can read of it, and what it is timed against.

    Arguments:
        folder: made if it is missing; gets `compact.keras`, `compact.safetensors` and three TFLite files.
        unpruned: checkpoint of an unpruned network.
        final: checkpoint of the network that is delivered.
        int8: its int8 file.

    Returns:
        The TFLite files, by name: the unpruned network, the delivered one, and its int8 file.

    Raises:
        WoolError: a checkpoint cannot be read, or a file cannot be written.
    """
    tflite = {name: folder / f"{name}.tflite" for name in (BASELINE_FLOAT, COMPACT_FLOAT, COMPACT_INT8)}
    files.write(tflite[BASELINE_FLOAT], convert.convert(resnet.restored(*weights.load(unpruned)), "fp32"))
    spec, arrays = weights.load(final)
    network = resnet.restored(spec, arrays)
    files.write(tflite[COMPACT_FLOAT], convert.convert(network, "fp32"))
    files.write(tflite[COMPACT_INT8], int8.read_bytes())
    weights.save(folder / "compact.safetensors", spec, arrays)
    _save_keras(network, folder / "compact.keras")
    return tflite


def _save_keras(network, path: Path) -> None:
    # Keras goes by the suffix, so the temporary name has it too.
    temporary = path.with_name(f".{path.name}")
    try:
        network.save(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise WoolError(f"{path}: cannot be written ({error.strerror or error}); free the disk") from None


def latency(program: Path, tflite: Mapping[str, Path]) -> dict:
    """What the board's own program measures on this machine.

    Arguments:
        program: `tflite/benchmark.py`.
        tflite: files by name.

    Returns:
        The program's JSON document, each model with its name as `model`.

    Raises:
        WoolError: the program failed.
    """
    command = [sys.executable, str(program), *map(str, tflite.values()), "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise WoolError(f"{program}: {finished.stderr.strip() or 'failed'}")
    document = json.loads(finished.stdout)
    for row, name in zip(document["models"], tflite, strict=True):
        row["model"] = name.replace("-", " ")
    return document
