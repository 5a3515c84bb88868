"""Whether a training in Keras takes the steps that one in PyTorch takes: losses of the first steps, side by side.

    python experiments/pytorch_steps.py --data=crops --weights=imagenet --image_size=64

From the same weights, on the same batches, with the same rates: an unpruned network and one that lost filters, with
SGD and with Adam, in double and in single precision. In double precision the losses agree until rounding has grown; in
single precision it grows faster, and the last two columns say how far each strays from its own double precision. Needs
the extra `torch`.
"""

import startup  # noqa: F401

import dataclasses
import importlib.util
import itertools
import tempfile

import numpy as np
from absl import flags

import crop_flags
from wool_tf import WoolError, environment, quiet
from wool_tf.command_line import console, flag_values, setting_flags
from wool_tf.errors import extra
from wool_tf.training.config import OPTIMIZERS, TrainingConfig

_CROPS = crop_flags.define(required=True)
_USED = "depth", "weights", "image_size", "batch_size", "adam_learning_rate", "sgd_learning_rate", "epochs", "threads"
_SETTINGS = setting_flags.define(TrainingConfig, only=_USED)
_STEPS = flags.DEFINE_integer("steps", 20, "Steps that are compared.", lower_bound=1)

flags.adopt_module_key_flags(crop_flags)

HEADER = f"{'network':<16}{'optimizer':<11}" + "".join(
    f"{title:>16}" for title in ("double, apart", "single, apart", "ours strays", "PyTorch strays")
)


def main() -> None:
    if importlib.util.find_spec("torch_pruning") is None:
        raise WoolError(f"torch_pruning is not installed; {extra('torch')}")
    settings = setting_flags.build(
        TrainingConfig, _SETTINGS, weights=flag_values.weights("weights", _SETTINGS["weights"].value)
    )
    console.set_computing_environment(settings.threads)
    with tempfile.TemporaryDirectory() as cache:
        _compare(settings, _CROPS.load(cache).for_network(settings.image_size))


def _compare(settings: TrainingConfig, images) -> None:
    quiet.import_keras()
    import torch

    from wool_tf.baselines.pytorch import steps
    from wool_tf.networks import initial_weights
    from wool_tf.training.trainer import Course

    torch.set_num_threads(settings.threads)
    spec = settings.initial_spec
    weights = initial_weights.resolve(settings.weights, spec, settings.seed)
    networks = {"unpruned": (spec, weights), "after a round": steps.after_a_round(spec, weights)}
    print(f"{environment.processor()}; largest difference of the losses of {_STEPS.value} steps\n{HEADER}")
    for (name, given), optimizer in itertools.product(networks.items(), OPTIMIZERS):
        one = dataclasses.replace(settings, optimizer=optimizer)
        course = Course.of(one, one.epochs, one.learning_rate)
        beginning = steps.FirstSteps(*given, images, course, _STEPS.value)
        found = {
            (who, precision): np.array(losses(beginning, precision))
            for who, losses in (("ours", steps.ours), ("theirs", steps.theirs))
            for precision in steps.PRECISIONS
        }
        columns = (
            _apart(found, ("ours", "float64"), ("theirs", "float64")),
            _apart(found, ("ours", "float32"), ("theirs", "float32")),
            _apart(found, ("ours", "float32"), ("ours", "float64")),
            _apart(found, ("theirs", "float32"), ("theirs", "float64")),
        )
        print(f"{name:<16}{optimizer:<11}" + "".join(f"{value:>16.1e}" for value in columns), flush=True)


def _apart(found: dict, one: tuple[str, str], other: tuple[str, str]) -> float:
    return float(np.abs(found[one] - found[other]).max())


if __name__ == "__main__":
    console.run(main)
