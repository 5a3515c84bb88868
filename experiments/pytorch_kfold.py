"""Table II in PyTorch: torchvision's networks on the same folds and batches, pruned as users of PyTorch do.

    python experiments/prune_kfold.py --data=crops --out=runs/keras --weights=imagenet --optimizers=adam
    python experiments/pytorch_kfold.py --data=crops --out=runs/pytorch --weights=imagenet --optimizers=adam
    python experiments/report.py runs/keras --baseline=runs/pytorch

The flags are those of prune_kfold.py but for controls and --plan, and so are the files that it leaves; the last
command sets one beside the other. Initial weights, order of images, crops, flips and learning rates are the same. Hard
pruning is Torch-Pruning's, ASFP is as its authors publish it. Needs the extra `torch`.
"""

import startup  # noqa: F401

import importlib.util
import sys

from absl import flags

import kfold_flags
import training_flags
from wool_tf import WoolError
from wool_tf.command_line import console
from wool_tf.errors import BadSetting, extra

NEEDED = ("torch", "torchvision", "torch_pruning")

_SETTINGS = training_flags.define(without=("depth", "optimizer", "weights", "final", "controls", "finetune", "select"))

flags.adopt_module_key_flags(kfold_flags)
flags.adopt_module_key_flags(training_flags)


def main() -> None:
    if flags.FLAGS.plan:
        raise BadSetting("plan", None, "no estimate is made for PyTorch; leave the flag out")
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise WoolError(f"{name} is not installed; {extra('torch')}")
    base = training_flags.settings(_SETTINGS, final="baseline")
    from wool_tf.baselines.pytorch.protocol import stages

    sys.exit(kfold_flags.study(base, "pytorch_kfold", stages))


if __name__ == "__main__":
    console.run(main, resumes=True)
