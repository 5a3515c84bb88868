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

from wool_board.latency import program
from wool_board.latency.program import LatencyOptions
from wool_board.machine import cores
from wool_tf.command_line import console, flag_values, setting_flags
from wool_tf.errors import WoolError
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training.config import TrainingConfig

_DEPTHS = setting_flags.define(TrainingConfig, only=("depth",), names={"depth": "depths"}, several=True)
_SIDE = setting_flags.define(TrainingConfig, only=("image_size",))
_THREADS = setting_flags.define(LatencyOptions, only=("threads",))
_OUT = flags.DEFINE_string("out", None, "File of the table.")
_MODELS = flags.DEFINE_string("models", None, "File for the convolutions instead, to be measured on a board.")


def main() -> None:
    if (_OUT.value is None) == (_MODELS.value is None):
        raise WoolError("--out, --models: give one of them: the file of a table, or one to be measured on a board")
    side = setting_flags.build(TrainingConfig, _SIDE).image_size
    depths = setting_flags.values(TrainingConfig, _DEPTHS)["depth"]
    threads = setting_flags.values(LatencyOptions, _THREADS)["threads"]
    specs = [ResNetSpec.full(depth, 2, (side, side, 1)) for depth in depths]
    if _MODELS.value is not None:
        print(f"{_written(flag_values.output('models', _MODELS.value), specs):,} convolutions: {_MODELS.value}")
        return
    cores.check_threads(threads)
    out = flag_values.output("out", _OUT.value)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "convolutions.zip"
        print(f"{_written(models, specs):,} convolutions")
        program.run(LatencyOptions(models, out, threads))


def _written(path: Path, specs: list[ResNetSpec]) -> int:
    from wool_tf.deploy import convolution_models
    from wool_tf.pruning import latency_table

    return convolution_models.write(path, latency_table.to_measure(specs))


if __name__ == "__main__":
    console.run(main)
