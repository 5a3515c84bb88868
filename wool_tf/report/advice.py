"""What to do next, and the command that does it."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from wool_tf import settings
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.naming import CropNaming
from wool_tf.data.sample_bits import SampleBits
from wool_tf.errors import as_text
from wool_tf.pruning.importance import MEASURES
from wool_tf.study.results import OF_CONFIGURATION, Configuration, Stage, Study
from wool_tf.training.config import NOT_SEARCHED, OF_COMPARISONS, TrainingConfig

FOLDS = "--first_folds=0"
OF_IMAGES = tuple(name for kind in (CropReading, CropNaming, SampleBits) for name in settings.declared(kind))
"""Flags, besides `--data`, that every script which reads crops has."""


def words(study: Study) -> list[str]:
    """Of the command of a study; of one that a document gives with a quote left open, those between spaces."""
    try:
        return shlex.split(study.command) or ["python", "experiments/reproduce.py"]
    except ValueError:
        return study.command.split()


def program(study: Study, path: str) -> list[str]:
    """The first words of the command of another program, which the same Python runs as ran the study."""
    first = words(study)[0]
    return [first if Path(first).name.startswith("python") else "python", path]


def of_images(study: Study) -> list[str]:
    """The flags that say which images a study is of and how they are read: as its command has them, if it has all."""
    said = _parted(words(study), OF_IMAGES)[1]
    if "--flagfile" in study.command:
        said = [f"--{name}={as_text(value)}" for name, value in study.reading.given().items()]
    return [f"--data={study.data.folder}", *said]


def without(words: Sequence[str], *flags: str) -> list[str]:
    """The words of a command less some flags, whether their values follow in the same word or in the next.

    >>> without(["python", "x.py", "--out", "runs/x", "--weights=none"], "out", "weights")
    ['python', 'x.py']
    """
    return _parted(words, flags)[0]


def _parted(words: Sequence[str], flags: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command less some flags, and these, each with its value in one word.

    >>> _parted(["x.py", "--bits=12", "--out", "a", "--white", "4000"], ("bits", "white"))
    (['x.py', '--out', 'a'], ['--bits=12', '--white=4000'])
    """
    kept: list[str] = []
    taken: list[str] = []
    value_follows = False
    for word in words:
        name, given, _ = word.partition("=")
        if value_follows:
            taken[-1] += f"={word}"
            value_follows = False
        elif name.startswith("-") and name.lstrip("-") in flags:
            taken.append(word)
            value_follows = not given
        else:
            kept.append(word)
    return kept, taken


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
    own = {name: getattr(one, name) for name in OF_CONFIGURATION} | {"final": stage.name}
    if not stage.name.startswith("asfp"):
        own["asfp_rates"] = ()
    flags = [*_as_flags(own), *_settings(study, (*own, *OF_COMPARISONS))]
    return shlex.join(
        [*program(study, "experiments/reproduce.py"), *of_images(study), *flags, f"--out={study.out}-delivered"]
    )


def converting(study: Study) -> list[str]:
    """The command that converts the delivered network anew, without what for and where to."""
    network = Path(study.out) / "model" / "compact.safetensors"
    return [*program(study, "experiments/convert.py"), f"--network={network}", *of_images(study)]


def _settings(study: Study, leave_out: Sequence[str]) -> list[str]:
    """The flags of those settings of a study that are not the defaults."""
    found = dataclasses.asdict(study.settings).items()
    return _as_flags(
        {name: value for name, value in found if name not in leave_out and value != getattr(TrainingConfig, name)}
    )


def _as_flags(values: Mapping[str, object]) -> list[str]:
    return [f"--{name}={as_text(value)}" for name, value in values.items()]


def better_training(study: Study, one: Configuration) -> tuple[str, str]:
    """Advice and command where a network is not good enough: never one that ranks filters by a measure of before."""
    ranked = _ranked(study, one)
    if all(each.weights == "none" for each in study.configurations):
        kept = without(words(study), "out", "weights", "importance")
        command = shlex.join([*kept, "--weights=imagenet", f"--out={study.out}-imagenet"])
        return f"Start from ImageNet weights instead of random ones; they learn more from few images.{ranked}", command
    own = {name: getattr(one, name) for name in OF_CONFIGURATION}
    flags = [*_as_flags(own), *_settings(study, (*own, *NOT_SEARCHED, "importance"))]
    command = shlex.join([*program(study, "experiments/search.py"), *of_images(study), *flags, "--out=search"])
    return f"Look at the images judged wrongly, then search for better settings of the training.{ranked}", command


def _ranked(study: Study, one: Configuration) -> str:
    """That filters will be ranked by the default measure, where those of the study were not; begins with a space."""
    default, measure = TrainingConfig.importance, study.settings.importance
    if measure == default or not any(stage.name.startswith("hard") for stage in one.stages):
        return ""
    was, now = MEASURES[measure].words, MEASURES[default].words
    return f" Filters were ranked by {was}; the command goes by {now}, the default."
