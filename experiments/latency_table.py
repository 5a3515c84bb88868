"""Measures how long int8 convolutions take, for pruning to a time (`--recipe=latency`).

    python experiments/latency_table.py --image_size=64 --out=table.json
    python experiments/latency_table.py --image_size=64 --models=convolutions.zip

The first measures here. The second writes what tflite/latency_table.py measures on a board:

    python tflite/latency_table.py convolutions.zip --out=table.json

Where a table is used, networks must have one of its depths and its image size. Networks whose first layers were pruned
before (`--weights=simulated`) are in it, too.
"""

import startup  # noqa: F401

import tempfile
from pathlib import Path

from absl import flags

import console
from wool_tf.errors import WoolError
from wool_tf.networks.spec import REDUCTION, ResNetSpec

_DEPTHS = flags.DEFINE_list("depths", ["18"], "Depths of the ResNets: of 18, 34, 50, 101 and 152.")
_SIDE = flags.DEFINE_integer("image_size", 224, "Side of the network's input in pixels.", lower_bound=REDUCTION)
_THREADS = flags.DEFINE_integer("threads", 1, "CPU threads that the board will use.", lower_bound=1)
_OUT = flags.DEFINE_string("out", None, "File of the table.")
_MODELS = flags.DEFINE_string("models", None, "File for the convolutions instead, to be measured on a board.")


def main() -> None:
    if (_OUT.value is None) == (_MODELS.value is None):
        raise WoolError("--out, --models: give one of them: the file of a table, or one to be measured on a board")
    shape = (_SIDE.value, _SIDE.value, 1)
    specs = [ResNetSpec.full(depth, 2, shape) for depth in console.numbers("depths", _DEPTHS.value, int)]
    if not specs:
        raise WoolError("--depths=: give at least one")
    if _MODELS.value is not None:
        print(f"{_written(console.output('models', _MODELS.value), specs):,} convolutions: {_MODELS.value}")
        return
    out = console.output("out", _OUT.value)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "convolutions.zip"
        print(f"{_written(models, specs):,} convolutions")
        _measure(models, out)


def _written(path: Path, specs: list[ResNetSpec]) -> int:
    from wool_tf.deploy import convolution_models
    from wool_tf.pruning import latency_table

    return convolution_models.write(path, latency_table.to_measure(specs))


def _measure(models: Path, out: Path) -> None:
    from wool_board.latency import program

    program.run(program.LatencyOptions(models, out, _THREADS.value))


if __name__ == "__main__":
    console.run(main)
