"""Trains a small network on simulated wool, for trainings to start from where there is no network to fetch ImageNet's.

    python experiments/simulate_scans.py --out=scans --samples=1500 --clean=700 --scans=1500 --seed=1000
    python experiments/crop_scans.py --scans=scans --out=crops
    python experiments/pretrain.py --data=crops --out=small.safetensors
    python experiments/pretrain.py --data=crops --out=simulated.safetensors --weights=small.safetensors \
        --image_size=112 --epochs=15 --adam_learning_rate=0.001

These commands made the files behind --weights=simulated64 and --weights=simulated: a ResNet-18 with half of the
filters, trained from random weights on 64 × 64 pixels, then on 112 × 112. One fold of samples is held out, the same one
both times, and what the network is worth on it is printed and written into the file. Trainings that start from the file
have its widths.
"""

import startup  # noqa: F401

import logging
import tempfile

from absl import flags

import crop_flags
from wool_tf import logs
from wool_tf.command_line import console, flag_values, run_display, setting_flags
from wool_tf.training.config import TrainingConfig

_CROPS = crop_flags.define(required=True)
_OUT = flags.DEFINE_string("out", None, "File for the weights (.safetensors).", required=True)
_WIDTH = flags.DEFINE_float(
    "width", 0.5, "Share of the filters of each layer, with --weights=none.", lower_bound=0.1, upper_bound=1
)
_USED = "depth", "weights", "image_size", "folds", "seed", "batch_size", "adam_learning_rate", "epochs", "threads"
_SETTINGS = setting_flags.define(
    TrainingConfig, only=_USED, defaults={"image_size": 64, "epochs": 30, "adam_learning_rate": 2e-3}
)

flags.adopt_module_key_flags(crop_flags)


def main() -> None:
    settings = setting_flags.build(TrainingConfig, _SETTINGS, final="baseline")
    out = flag_values.path("out", _OUT.value)
    console.set_computing_environment(settings.threads)
    display = run_display.Display()

    from wool_tf import quiet

    with tempfile.TemporaryDirectory() as cache:
        log = logging.getLogger("wool_tf")
        reading, training = logs.ProgressLog(log, "reading image"), logs.ProgressLog(log, "training, per mille")
        images = _CROPS.load(cache, reading).for_network(settings.image_size)
        quiet.import_keras()
        from wool_tf.training import pretraining

        made = pretraining.run(settings, _WIDTH.value, images, lambda share, _: training(round(1000 * share), 1000))
    made.save(out, console.command())
    for name, value in made.about["held_out"].items():
        display.say(f"held-out samples, {name}: {value}")
    display.say(f"weights: {out}")


if __name__ == "__main__":
    console.run(main)
