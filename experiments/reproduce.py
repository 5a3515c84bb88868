"""The main job: from a folder of crops to a checked, pruned int8 model and a report.

    python experiments/reproduce.py --flagfile=experiments/flagfiles/demo.cfg
    python experiments/reproduce.py --data=crops --out=runs/crops

Without --data it makes simulated crops. A run that was interrupted goes on with the same command.
"""

import dataclasses
import os
import shlex
import sys
from pathlib import Path

import console
from absl import flags

from wool_tf.training.settings import FINETUNES, OPTIMIZERS, Settings

REPOSITORY = Path(__file__).resolve().parent.parent

_DATA = flags.DEFINE_string("data", None, "Folder of crops: defective/ and non_defective/, or a manifest.csv.")
_OUT = flags.DEFINE_string("out", None, "Folder of the run: report, model and results.", required=True)
_SAMPLES = flags.DEFINE_integer("samples", 100, "Simulated samples, where there is no --data.", lower_bound=2)
_JOBS = flags.DEFINE_integer("jobs", None, "Processes that train at a time; default: cores / threads.", lower_bound=1)

_HELP = {
    "depth": "Depth of the ResNet: 18, 34, 50, 101 or 152.",
    "weights": "Initial weights: none, imagenet, or a file (safetensors, .pth, .keras).",
    "image_size": "Side of the network's input in pixels; images are loaded at 244/224 of it.",
    "folds": "Parts of the cross-validation.",
    "seed": "Base of every random number.",
    "optimizer": f"One of {', '.join(OPTIMIZERS)}.",
    "batch_size": "Images per training step.",
    "epochs": "Epochs of the baseline.",
    "learning_rate": "First learning rate of the baseline and of ASFP.",
    "finetune_epochs": "Epochs after each round of hard pruning.",
    "finetune_learning_rate": "First learning rate after each round of hard pruning.",
    "asfp_epochs": "Epochs of ASFP.",
    "asfp_rate": "Share of the filters that ASFP prunes in the end; 0 leaves ASFP out.",
    "plateau_patience": "Epochs without a new minimum of the training loss before the learning rate falls.",
    "plateau_factor": "What the learning rate is then multiplied by.",
    "rounds": "Rounds of hard pruning.",
    "recipe": "What a round removes: paper-text or paper-table3.",
    "align": "Keep pruned widths a multiple of this; 8 is faster in int8.",
    "finetune": f"Which network is fine-tuned, one of {', '.join(FINETUNES)}; the results agree.",
    "final": "Stage that is trained on all images and goes to the board, for example hard3.",
    "threads": "Threads of each process; the last digits of the results depend on it.",
}
_DEFINE = {int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}
_SETTINGS = [_DEFINE[item.type](item.name, item.default, _HELP[item.name]) for item in dataclasses.fields(Settings)]


def main() -> None:
    values = {flag.name: flag.value for flag in _SETTINGS}
    if values["weights"] not in ("none", "imagenet"):
        values["weights"] = str(console.path("weights", values["weights"]))
    settings = Settings(**values)
    out = console.path("out", _OUT.value)
    source = None if _DATA.value is None else console.path("data", _DATA.value)
    console.use_threads(settings.threads)
    display = console.Display()

    from wool_tf import reproduction

    try:
        results = reproduction.run(
            settings=settings,
            source=source,
            samples=_SAMPLES.value,
            out=out,
            jobs=_JOBS.value or max(1, len(os.sched_getaffinity(0)) // settings.threads),
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
    console.run(main)
