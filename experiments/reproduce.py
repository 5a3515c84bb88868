"""The main job: from a folder of crops to a checked, pruned int8 model and a report.

    python experiments/reproduce.py --flagfile=experiments/flagfiles/demo.cfg
    python experiments/reproduce.py --data=crops --out=runs/crops

Without --data it makes simulated crops. A run that was interrupted goes on with the same command.
"""

import startup  # noqa: F401

import sys
from pathlib import Path

from absl import flags

import threshold_flags
import training_flags
from wool_tf.command_line import console, run_display, setting_flags
from wool_tf.study.workers import Workers
from wool_tf.training.config import OF_COMPARISONS

REPOSITORY = Path(__file__).resolve().parent.parent

_WORKERS = setting_flags.define(Workers, only=("jobs", "keep_checkpoints"))
_THRESHOLD = threshold_flags.define()
_SETTINGS = training_flags.define(without=OF_COMPARISONS)

flags.adopt_module_key_flags(training_flags)


def main() -> None:
    settings = training_flags.settings(_SETTINGS)
    out, source = training_flags.out(), training_flags.source()
    rule = threshold_flags.rule(_THRESHOLD)
    console.set_computing_environment(settings.threads)
    display = run_display.Display()

    from wool_tf.report import findings, publication
    from wool_tf.study.request import Request

    try:
        benchmark, command = REPOSITORY / "tflite" / "benchmark.py", console.command()
        request = Request([settings], [rule], command, "report", benchmark)
        team = training_flags.workers(_WORKERS, settings.threads)
        study = publication.publish(request, source, out, team, display.show)
    finally:
        display.close()
    for line in findings.closing(study):
        display.say(line)
    display.say(f"report: {out / 'report.html'}")
    sys.exit(display.ended(study))


if __name__ == "__main__":
    console.run(main, resumes=True)
