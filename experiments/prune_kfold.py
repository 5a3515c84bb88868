"""Table II: what hard filter pruning and ASFP cost, stage by stage, in repeated cross-validation.

    python experiments/prune_kfold.py --flagfile=experiments/flagfiles/paper.cfg --plan
    python experiments/prune_kfold.py --data=crops --out=runs/table2 --asfp_rates=0.1,0.2,0.3 --controls=random,scratch

Without --data it makes simulated crops. The report is prune_kfold.html, and .md, .json, -table1.csv and -table2.csv
beside it; what train_kfold.py or reproduce.py wrote in the same folder stays. A run that was interrupted goes on with
the same command.
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
    base = training_flags.settings(_SETTINGS, final="baseline")
    sys.exit(kfold_flags.study(base, "prune_kfold"))


if __name__ == "__main__":
    console.run(main, resumes=True)
