"""Table I: how well networks of several depths, optimizers and initial weights do in repeated cross-validation.

    python experiments/train_kfold.py --flagfile=experiments/flagfiles/paper.cfg --plan
    python experiments/train_kfold.py --data=crops --out=runs/table1 --depths=18,50 --repeats=2

Without --data it makes simulated crops. The report is train_kfold.html, and .md, .json and -table1.csv beside it. A run
that was interrupted goes on with the same command, and prune_kfold.py goes on with its records in the same folder, and
with its networks if they were kept. Settings of pruning say nothing here; they are accepted so that one flagfile serves
both scripts.
"""

import startup  # noqa: F401

import sys

from absl import flags

import kfold_flags
import training_flags
from wool_tf.command_line import console

_SETTINGS = training_flags.define(without=("depth", "optimizer", "weights", "final"))

flags.adopt_module_key_flags(kfold_flags)
flags.adopt_module_key_flags(training_flags)


def main() -> None:
    base = training_flags.settings(_SETTINGS, rounds=0, asfp_rates=(), controls=(), final="baseline")
    sys.exit(kfold_flags.study(base, "train_kfold"))


if __name__ == "__main__":
    console.run(main, resumes=True)
