"""The main job: from a folder of crops to a checked, pruned int8 model and a report.

    python experiments/reproduce.py --flagfile=experiments/flagfiles/demo.cfg
    python experiments/reproduce.py --data=crops --out=runs/crops

Without --data it makes simulated crops. A run that was interrupted goes on with the same command.
"""

import shlex
import sys
from pathlib import Path

import console
import training_flags
from absl import flags

REPOSITORY = Path(__file__).resolve().parent.parent

_KEEP = flags.DEFINE_bool("keep_checkpoints", False, "Keep the networks of all folds, not only of the first.")
_SETTINGS = training_flags.define(without=("repeats", "controls"))

flags.adopt_module_key_flags(training_flags)


def main() -> None:
    settings = training_flags.settings(_SETTINGS)
    out = training_flags.out()
    console.use_threads(settings.threads)
    display = console.Display()

    from wool_tf import reproduction

    try:
        results = reproduction.run(
            settings=settings,
            source=training_flags.source(),
            out=out,
            workers=training_flags.workers(settings.threads, keep=_KEEP.value),
            benchmark=REPOSITORY / "tflite" / "benchmark.py",
            command=shlex.join(["python", *sys.argv]),
            show=display.show,
            say=display.say,
        )
    finally:
        display.close()
    for stage in results["stages"]:
        figures = ", ".join(f"{name} {stage['mean'][name]:.3f}" for name in ("accuracy", "recall", "auc"))
        display.say(f"{stage['title']}: {figures}, {stage['params']:,} parameters")
    display.say(f"report: {out / 'report.html'}")


if __name__ == "__main__":
    console.run(main, resumes=True)
