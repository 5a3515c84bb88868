"""The main job: from a folder of crops to a checked, pruned int8 model and a report.

    python experiments/reproduce.py --flagfile=experiments/flagfiles/demo.cfg
    python experiments/reproduce.py --data=crops --out=runs/crops

Without --data it makes simulated crops. A run that was interrupted goes on with the same command.
"""

import shlex
import sys
from pathlib import Path

from absl import flags

import console
import training_flags
from wool_tf.evaluation import thresholds
from wool_tf.evaluation.thresholds import ThresholdRule

REPOSITORY = Path(__file__).resolve().parent.parent

_KEEP = flags.DEFINE_bool("keep_checkpoints", False, "Keep the networks of all folds, not only of the first.")
_RECALL = flags.DEFINE_float("required_recall", None, "Share of the defective images that the model must find.")
_COST = flags.DEFINE_float("cost_ratio", None, f"False alarms that a miss costs; default: {thresholds.COST_RATIO:g}.")
_SETTINGS = training_flags.define(without=("repeats", "controls", "select"))

flags.adopt_module_key_flags(training_flags)


def main() -> None:
    settings = training_flags.settings(_SETTINGS)
    out, asked = training_flags.out(), ThresholdRule.asked(recall=_RECALL.value, cost_ratio=_COST.value)
    console.use_threads(settings.threads)
    display = console.Display()

    from wool_tf.report import findings
    from wool_tf.study import run

    try:
        benchmark, command = REPOSITORY / "tflite" / "benchmark.py", shlex.join(["python", *sys.argv])
        request = run.Request([settings], [asked], command, "report", benchmark)
        team = training_flags.workers(settings.threads, keep=_KEEP.value)
        study = run.run(request, training_flags.source(), out, team, display.show, display.say)
    finally:
        display.close()
    for line in findings.closing(study):
        display.say(line)
    display.say(f"report: {out / 'report.html'}")


if __name__ == "__main__":
    console.run(main, resumes=True)
