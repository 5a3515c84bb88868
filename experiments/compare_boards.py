"""One table of what `tflite/benchmark.py` measured on several boards, and of PyTorch and ONNX Runtime on this machine.

    python tflite/benchmark.py compact-int8.tflite --threads=1,2,4 --json=pi5.json          # on the board
    python experiments/compare_boards.py --files=pi4.json,pi5.json --out=boards
    python experiments/compare_boards.py --files=pi5.json --network=hard3.safetensors --threads=1,2 --out=boards

With --network the network is measured here, in turns, in float32 on images of its own size; this needs the extras
torch and onnx. --out gets boards.md, boards.csv, and of a measurement workstation.json, one of the --files later.
"""

import startup  # noqa: F401

import dataclasses
from pathlib import Path

from absl import flags

from wool_board.benchmark import timing
from wool_board.benchmark.document import BenchmarkDocument
from wool_board.benchmark.program import BenchmarkOptions
from wool_tf import WoolError
from wool_tf.command_line import console, flag_values, setting_flags

_FILES = flags.DEFINE_list("files", [], "JSON files that tflite/benchmark.py wrote, with commas between them.")
_NETWORK = flags.DEFINE_string("network", None, "Checkpoint (.safetensors) to measure in PyTorch and ONNX Runtime.")
_TIMING = setting_flags.define(BenchmarkOptions, only=("threads", "runs"))
_REFERENCE = flags.DEFINE_integer("reference", 1, "Number of the row that all others are compared with.", lower_bound=1)
_OUT = flags.DEFINE_string("out", None, "Folder for the table as Markdown and CSV, and for the measurement.")


def main() -> None:
    from wool_tf import files, records
    from wool_tf.report import boards

    if not _FILES.value and _NETWORK.value is None:
        raise WoolError("--files=: is empty; give one or more, or a --network to be measured here")
    out = None if _OUT.value is None else flag_values.path("out", _OUT.value)
    documents = {value: boards.read(flag_values.file("files", value)) for value in _FILES.value}
    if _NETWORK.value is not None:
        measured = _measure(flag_values.file("network", _NETWORK.value))
        documents["now"] = measured
        if out is not None:
            records.write(out / "workstation.json", measured)
    comparison = boards.compare(documents, _REFERENCE.value)
    print(boards.to_text(comparison))
    if out is not None:
        files.write(out / "boards.md", boards.to_markdown(comparison).encode())
        files.write(out / "boards.csv", boards.to_csv(comparison).encode())


def _measure(network: Path) -> BenchmarkDocument:
    """The document of a measurement by the very program of the boards."""
    from wool_tf.deploy import workstation

    given = setting_flags.values(BenchmarkOptions, _TIMING)
    threads, notes = timing.usable(given["threads"])
    found = timing.document(*workstation.candidates(network), threads, given["runs"])
    return dataclasses.replace(found, notes=tuple(notes))


if __name__ == "__main__":
    console.run(main)
