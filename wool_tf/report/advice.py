"""What to do next, and the command that does it."""

import dataclasses
import shlex
from collections.abc import Sequence

from wool_tf.study.results import Configuration, Stage, Study
from wool_tf.training.config import TrainingConfig

FOLDS = "--first_folds=0"
NOT_DELIVERED = ("repeats", "controls", "select")
"""Settings of a comparison that `experiments/reproduce.py` does not have."""


def words(study: Study) -> list[str]:
    """Of the command of a study."""
    return shlex.split(study.command) if study.command else ["python", "experiments/reproduce.py"]


def without(words: Sequence[str], *flags: str) -> list[str]:
    """The words of a command less some flags, whether their values follow in the same word or in the next.

    >>> without(["python", "x.py", "--out", "runs/x", "--weights=none"], "out", "weights")
    ['python', 'x.py']
    """
    kept: list[str] = []
    value_follows = False
    for word in words:
        name, given, _ = word.partition("=")
        if value_follows:
            value_follows = False
        elif name.startswith("-") and name.lstrip("-") in flags:
            value_follows = not given
        else:
            kept.append(word)
    return kept


def more_samples(study: Study, needed: int) -> tuple[str, str]:
    """Advice and command where figures of so many samples are wanted: other folds first, if there are any."""
    command = words(study)
    if study.judged.images < study.data.images:
        advice = "Train the other folds, too: the same command without --first_folds; what is done is kept."
        kept = without(command, "first_folds")
        # What the command does not say itself stands in a flagfile, which a flag overrides.
        return advice, shlex.join(kept if kept != command or "--flagfile" not in study.command else [*kept, FOLDS])
    advice = f"Collect crops of more samples, about {needed} in all, and run the same command in a new folder."
    return advice, shlex.join([*without(command, "out"), f"--out={study.out}-more"])


def otherwise(study: Study, flag: str, value: str) -> str:
    """The command of a study with another value of a flag, in a folder of its own."""
    return shlex.join([*without(words(study), flag, "out"), f"--{flag}={value}", f"--out={study.out}-{value}"])


def delivering(study: Study, one: Configuration, stage: Stage) -> str:
    """The command that trains one of the networks of a study for a board, with the settings of the study."""
    own = {"depth": one.depth, "optimizer": one.optimizer, "weights": one.weights, "final": stage.name}
    if not stage.name.startswith("asfp"):
        own["asfp_rates"] = ""
    defaults = {each.name: each.default for each in dataclasses.fields(TrainingConfig)}
    kept = {
        name: value
        for name, value in study.settings.items()
        if name in defaults and name not in (*own, *NOT_DELIVERED) and value is not None and value != defaults[name]
    }
    flags = [f"--{name}={_written(value)}" for name, value in (own | kept).items()]
    return shlex.join(
        ["python", "experiments/reproduce.py", f"--data={study.data.folder}", *flags, f"--out={study.out}-delivered"]
    )


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def better_training(study: Study, weights: str = "") -> tuple[str, str]:
    """Advice and command where the network is not good enough.

    Arguments:
        study: Study.
        weights: that the network started from, where the study has several.
    """
    if study.settings.get("weights") == "none":
        kept = without(words(study), "out", "weights")
        command = shlex.join([*kept, "--weights=imagenet", f"--out={study.out}-imagenet"])
        return "Start from ImageNet weights instead of random ones; they learn more from few images.", command
    data = shlex.quote(study.data.folder)
    weights = shlex.quote(weights or str(study.settings.get("weights")))
    command = f"python experiments/search.py --data={data} --weights={weights} --out=search"
    return "Look at the images judged wrongly, then search for better settings of the training.", command
