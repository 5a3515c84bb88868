"""What changed from one run to another."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from wool_tf.cells import MISSING, decimals, percent
from wool_tf.evaluation import paired_comparison
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.evaluation.paired_comparison import PairedComparison
from wool_tf.report import naming, stage_pairs
from wool_tf.report.naming import points
from wool_tf.report.tables import Table, table
from wool_tf.study.results import Configuration, Stage, Study

HEADER = ("Network", "Before (%)", "Now (%)", "Change", "95 %", "Only now right", "Only before", "p")


def changes(study: Study, before: Study) -> Table | None:
    """Accuracy of every network that both runs have, and the change image by image.

    Arguments:
        study: Study.
        before: the run that it is compared with.
    """
    places = _places(study, before)
    rows = [*_stages(study, before, places), *_delivered(study, before, places)]
    text = (
        f'"Now" is {_made(study)}, "before" is {_made(before)}, network by network, in the first repeat of each. Every '
        "image that both judged is compared with itself: the interval of the change is over physical samples, the "
        "numbers are images that "
        "only one of the two judges rightly, and p is how often chance alone would part as many of them as unevenly "
        "(exact McNemar test). The data tell two runs apart only where the interval leaves out 0 and p is below 0.05: "
        "the interval is too narrow where few images change sides, and p does not know that images of one sample "
        "resemble each other."
    )
    note = _reservations(study, before, len(places), rows)
    return table(f"Beside {before.out}", text, HEADER, rows, "lrrrrrrr", note)


def _made(study: Study) -> str:
    """A run and the script that made it, which tells PyTorch's networks from ours."""
    script = next((word for word in study.command.split() if word.endswith(".py")), "")
    return f"{study.out} ({Path(script).name})" if script else study.out


def _stages(study: Study, before: Study, places: Sequence[tuple[int, int]]) -> Iterator[tuple[str, ...]]:
    """A row of every stage that both have; by means alone where an older document does not name its images."""
    labels, groups = stage_pairs.truth([study.held_out[place] for place, _ in places])
    for one, other in _configurations(study, before):
        for stage in one.stages:
            earlier, title = other.stage(stage.name), naming.full(study, one, stage)
            if earlier is None:
                continue
            if places and stage.scores and earlier.scores:
                now, then = (
                    np.array([each.scores[pair[side]] >= THRESHOLD for pair in places])
                    for side, each in enumerate((stage, earlier))
                )
                yield _row(title, paired_comparison.compare(labels, groups, then, now), labels, then, now)
            else:
                yield from _means(title, stage, earlier)


def _configurations(study: Study, before: Study) -> Iterator[tuple[Configuration, Configuration]]:
    """Those that are delivered, whatever they are called; of other runs those of one name."""
    if study.delivered and before.delivered:
        yield study.delivered.configuration, before.delivered.configuration
        return
    known = {one.name: one for one in before.configurations}
    yield from ((one, known[one.name]) for one in naming.ordered(study) if one.name in known)


def _places(study: Study, before: Study) -> list[tuple[int, int]]:
    """Where the images that both judged stand in each, if they have the same label in both."""
    known = {one.path: (place, one.label) for place, one in enumerate(before.held_out)}
    found = ((place, one.label, known[one.path]) for place, one in enumerate(study.held_out) if one.path in known)
    return [(place, other) for place, label, (other, same) in found if label == same]


def _means(title: str, stage: Stage, earlier: Stage) -> Iterator[tuple[str, ...]]:
    now, then = stage.figures.mean("accuracy"), earlier.figures.mean("accuracy")
    if now is not None and then is not None:
        yield title, percent(then), percent(now), points(now - then), *[MISSING] * 4


def _delivered(study: Study, before: Study, places: Sequence[tuple[int, int]]) -> Iterator[tuple[str, ...]]:
    """The row of the int8 files of two runs that deliver, each at the thresholds that its rule gave on other folds."""
    if study.delivered is None or before.delivered is None or not places:
        return
    labels, groups = stage_pairs.truth([study.held_out[place] for place, _ in places])
    now, then = (
        np.array([run.delivery.judged[pair[side]].called(run.int8_stage.name) for pair in places])
        for side, run in enumerate((study.delivered, before.delivered))
    )
    title = f"{study.delivered.int8_stage.title}, at the thresholds by each run's rule"
    yield _row(title, paired_comparison.compare(labels, groups, then, now), labels, then, now)


def _row(title: str, found: PairedComparison, labels: np.ndarray, then: np.ndarray, now: np.ndarray) -> tuple[str, ...]:
    shares = (percent(float(np.mean(called == (labels == 1)))) for called in (then, now))
    ends = " to ".join(points(end) for end in found.interval)
    return title, *shares, points(found.change), ends, str(found.gained), str(found.lost), decimals(found.p)


def _reservations(study: Study, before: Study, compared: int, rows: Sequence[tuple[str, ...]]) -> str:
    told = []
    if nameless := [f"{one.out} ({one.data.folder})" for one in (study, before) if not one.held_out]:
        told.append(
            f"Rows with {MISSING} are compared by their means only. The document of {' and of '.join(nameless)} is of "
            "a version that named no images, and the records beside it do not tell either which they are. Repeat the "
            "command of that run, which keeps what is trained, then compare again."
        )
    elif MISSING in {row[-1] for row in rows}:
        told.append(
            f"Rows with {MISSING} are compared by their means: a fold has no record in one of the runs, or not "
            "the one that the figures are of."
        )
    if study.held_out and before.held_out:
        if compared < max(len(study.held_out), len(before.held_out)):
            told.append(f"{compared} images have the same name and label in both runs; only these are compared.")
    if study.data.fingerprint != before.data.fingerprint:
        told.append(
            "The images or their labels differ between the runs, if only in size. Images are paired by name: where the "
            "same names stand for other images, as in two simulated campaigns, the pairs mean nothing."
        )
    return " ".join(told)
