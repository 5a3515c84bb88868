"""What fine-tuning the compact network saves against the masked one: time per step, in turns in one process.

python benchmarks/finetune.py --image_size=64 --rounds=5

A turn is a few steps; the first ones, which trace and warm up, do not count. Ratios are medians over turns with their
quartiles; with one thread, times are processor time.
"""

import functools

import numpy as np
from absl import flags

import documents
import turns
from wool_tf import quiet
from wool_tf.command_line import console, setting_flags
from wool_tf.training.config import TrainingConfig

_SETTINGS = setting_flags.define(
    TrainingConfig, only=("image_size", "batch_size", "threads"), defaults={"image_size": 64, "batch_size": 16}
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each network.", lower_bound=3)
_JSON, _QUICK = documents.define("Images of 32 pixels and one turn")

REFERENCE = "masked, full width"


def main() -> None:
    given = setting_flags.build(TrainingConfig, _SETTINGS)
    console.set_computing_environment(given.threads)
    quiet.import_keras()
    from wool_tf.networks.resnet import ResNet
    from wool_tf.networks.spec import ResNetSpec
    from wool_tf.pruning import plan
    from wool_tf.pruning.layers import MaskedResNet

    print(documents.heading(), flush=True)
    side, batch, rounds = (32, 2, 1) if _QUICK.value else (given.image_size, given.batch_size, _ROUNDS.value)
    spec = ResNetSpec.full(18, 2, (side, side, 1))
    networks = {REFERENCE: _ready(MaskedResNet(spec))}
    for number in (1, 2, 3):
        spec = plan.pruned(spec, plan.named("paper-text", 18))
        networks[f"compact, round {number}"] = _ready(ResNet(spec))
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, *spec.input_shape)).astype(np.float32)
    labels = rng.integers(0, 2, batch)
    steps = {name: functools.partial(network.train_on_batch, images, labels) for name, network in networks.items()}
    times = turns.measure(steps, given.threads, rounds, turn_seconds=0.0)
    rows = [{"network": name, **own.figures(), **own.compared(times[REFERENCE])} for name, own in times.items()]
    for row in rows:
        ratio = "{ratio:.2f} × ({quartiles[0]:.2f}–{quartiles[1]:.2f})".format(**row)
        print(f"{row['network']:20}  {row['p50_ms']:8.1f} ms per step  {ratio} as fast as masked")
    documents.write(_JSON.value, image_size=side, batch_size=batch, rows=rows)


def _ready(network):
    import keras

    network.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return network


if __name__ == "__main__":
    console.run(main)
