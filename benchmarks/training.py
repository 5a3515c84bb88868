"""A training step of ours beside PyTorch's, in turns in one process: CPU seconds, images per second, ratios.

    python benchmarks/training.py --json=training.json
    python benchmarks/training.py --depths=18 --sizes=64 --batches=16 --rounds=5

Unpruned networks with equal layers, Adam, cross-entropy; PyTorch eagerly with channels last, which is its fastest way
on a CPU (the extra `torch`, BUILD.md). One thread each. A step's forward pass is timed on its own as well. Figures are
medians over rounds, with the quartiles of the ratio; the first steps, which trace and warm up, do not count.
"""

import itertools
import time
from collections.abc import Callable

import numpy as np
from absl import flags

import documents
from wool_tf import WoolError, environment, quiet
from wool_tf.command_line import console, setting_flags
from wool_tf.errors import extra
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training.config import TrainingConfig

_NAMES = {"depth": "depths", "image_size": "sizes", "batch_size": "batches"}
_USUAL = {"depth": (18, 50), "image_size": (64, 112, 224), "batch_size": (16, 32)}
_CASES = setting_flags.define(TrainingConfig, only=_NAMES, names=_NAMES, defaults=_USUAL, several=True)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Timed steps of each.", lower_bound=3)
_JSON, _QUICK = documents.define("One small case")

WARM_UP = 2
HEADER = (
    f"{'depth':>6}{'pixels':>8}{'batch':>7}{'ours, ms':>18}{'PyTorch, ms':>18}{'images/s':>10}{'ratio':>7}  quartiles"
)


def main() -> None:
    console.set_computing_environment(1)
    try:
        import torch
    except ImportError:
        raise WoolError(f"PyTorch is not installed; {extra('torch')}") from None
    quiet.import_keras()
    torch.set_num_threads(1)
    cases = itertools.product(*setting_flags.values(TrainingConfig, _CASES).values())
    print(f"{environment.processor()}; CPU time of a step, and of its forward pass in brackets\n{HEADER}")
    rows = []
    cases = [(18, 64, 2)] if _QUICK.value else cases
    for depth, side, batch in cases:
        rows.append(_measured(depth, side, batch))
        print(_line(rows[-1]), flush=True)
    documents.write(_JSON.value, rows=rows)


def _measured(depth: int, side: int, batch: int) -> dict:
    spec, rng = ResNetSpec.full(depth, 2, (side, side, 1)), np.random.default_rng(0)
    images, labels = rng.normal(size=(batch, side, side, 1)).astype(np.float32), np.arange(batch) % 2
    works = _keras(spec, images, labels) | _torch(spec, images, labels)
    times = {name: [] for name in works}
    for number in range(WARM_UP + _ROUNDS.value):
        for name, work in works.items():
            started = time.process_time()
            work()
            if number >= WARM_UP:
                times[name].append(time.process_time() - started)
    ratios = np.divide(times["torch step"], times["keras step"])
    seconds = {name: float(np.median(found)) for name, found in times.items()}
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()
    about = {"depth": depth, "image_size": side, "batch_size": batch, "cpu_seconds": seconds}
    return about | {"images_per_second": batch / seconds["keras step"], "ratio": middle, "quartiles": [low, high]}


def _keras(spec: ResNetSpec, images: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[], object]]:
    import tensorflow as tf

    from wool_tf.training import trainer

    model = trainer.compiled(spec, "adam", 0.0, False)
    forward = tf.function(lambda: model(images, training=True))
    return {"keras forward": forward, "keras step": lambda: model.train_on_batch(images, labels)}


def _torch(spec: ResNetSpec, images: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[], object]]:
    import torch

    from wool_tf.deploy.torch_resnet import TorchResNet

    model = TorchResNet(spec).to(memory_format=torch.channels_last).train()
    given = torch.from_numpy(images.transpose(0, 3, 1, 2)).to(memory_format=torch.channels_last)
    truth, optimizer = torch.from_numpy(labels), torch.optim.Adam(model.parameters(), 1e-3)

    def forward() -> None:
        with torch.no_grad():
            model(given)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(given), truth).backward()
        optimizer.step()

    return {"torch forward": forward, "torch step": step}


def _line(row: dict) -> str:
    seconds = {name: f"{1e3 * found:.0f}" for name, found in row["cpu_seconds"].items()}
    ours, theirs = (f"{seconds[f'{name} step']} ({seconds[f'{name} forward']})" for name in ("keras", "torch"))
    low, high = row["quartiles"]
    about = f"{row['depth']:>6}{row['image_size']:>8}{row['batch_size']:>7}"
    return f"{about}{ours:>18}{theirs:>18}{row['images_per_second']:>10.1f}{row['ratio']:>7.2f}  {low:.2f}–{high:.2f}"


if __name__ == "__main__":
    console.run(main)
