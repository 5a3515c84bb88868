"""What to do next, and the command that does it."""

import shlex
from collections.abc import Sequence

from wool_tf.study.results import Study


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
        return advice, shlex.join([*without(command, "first_folds"), "--first_folds=0"])
    advice = f"Collect crops of more samples, about {needed} in all, and run the same command in a new folder."
    return advice, shlex.join([*without(command, "out"), f"--out={study.out}-more"])


def better_training(study: Study) -> tuple[str, str]:
    """Advice and command where the network is not good enough."""
    if study.settings.get("weights") == "none":
        kept = without(words(study), "out", "weights")
        command = shlex.join([*kept, "--weights=imagenet", f"--out={study.out}-imagenet"])
        return "Start from ImageNet weights instead of random ones; they learn more from few images.", command
    data = shlex.quote(study.data.folder)
    weights = shlex.quote(str(study.settings.get("weights")))
    command = f"python experiments/search.py --data={data} --weights={weights} --out=search"
    return "Look at the images judged wrongly, then search for better settings of the training.", command
