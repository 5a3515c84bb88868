"""What fine-tuning the compact network saves against the masked one: time per step, in turns in one process.

python benchmarks/finetune.py --image_size=64 --rounds=20
"""

import program_folders  # noqa: F401

import time

import numpy as np
from absl import flags

import console
import documents
from wool_tf import quiet

_SIDE = flags.DEFINE_integer("image_size", 64, "Side of the input in pixels.", lower_bound=32)
_BATCH = flags.DEFINE_integer("batch_size", 16, "Images per step.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 20, "Timed steps of each network.", lower_bound=1)
_THREADS = flags.DEFINE_integer("threads", 1, "Threads.", lower_bound=1)
_JSON = flags.DEFINE_string("json", None, "File for the figures.")
_QUICK = flags.DEFINE_bool("quick", False, "Images of 32 pixels and one step: shows that it works, and no speed.")


def main() -> None:
    console.set_computing_environment(_THREADS.value)
    quiet.import_keras()
    from wool_tf.networks.resnet import ResNet
    from wool_tf.networks.spec import ResNetSpec
    from wool_tf.pruning import plan
    from wool_tf.pruning.layers import MaskedResNet

    side, batch, rounds = (32, 2, 1) if _QUICK.value else (_SIDE.value, _BATCH.value, _ROUNDS.value)
    spec = ResNetSpec.full(18, 2, (side, side, 1))
    networks = {"masked, full width": _ready(MaskedResNet(spec))}
    for number in (1, 2, 3):
        spec = plan.pruned(spec, plan.named("paper-text", 18))
        networks[f"compact, round {number}"] = _ready(ResNet(spec))
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, *spec.input_shape)).astype(np.float32)
    labels = rng.integers(0, 2, batch)
    times = {name: [] for name in networks}
    for step in range(rounds + 2):
        for name, network in networks.items():
            started = time.perf_counter()
            network.train_on_batch(images, labels)
            # The first steps trace and warm up.
            if step >= 2:
                times[name].append(time.perf_counter() - started)
    reference = np.median(times["masked, full width"])
    for name, seconds in times.items():
        median = np.median(seconds)
        print(f"{name:20}  {1e3 * median:8.1f} ms per step  {reference / median:5.2f} × as fast as masked")
    seconds = {name: float(np.median(found)) for name, found in times.items()}
    documents.write(_JSON.value, image_size=side, batch_size=batch, seconds=seconds)


def _ready(network):
    import keras

    network.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return network


if __name__ == "__main__":
    console.run(main)
