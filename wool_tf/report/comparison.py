"""What changed from one run to another."""

from collections.abc import Iterator, Sequence

import numpy as np

from wool_tf.cells import MISSING, decimals, percent
from wool_tf.evaluation import paired
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.report import naming
from wool_tf.report.naming import points
from wool_tf.report.tables import Table, table
from wool_tf.study.board_results import Judged
from wool_tf.study.results import Study

HEADER = ("Network", "Before (%)", "Now (%)", "Change", "95 %", "Only now right", "Only before", "p")


def changes(study: Study, before: Study) -> Table | None:
    """Accuracy of every network that both runs have, and, where both name their images, the change image by image.

    Arguments:
        study: Study.
        before: the run that it is compared with.
    """
    pairs = _pairs(study, before)
    rows = [*_means(study, before), *_delivered(study, before, pairs)]
    text = (
        f"This run beside {before.out}, network by network. Where both runs deliver a model, every image is compared "
        "with itself: the interval of the change is over physical samples, the numbers are images that only one of the "
        "two judges rightly, and p is how often chance alone would part as many of them as unevenly (exact McNemar "
        "test). An interval that holds 0 says that the data cannot tell them apart."
    )
    return table(f"Beside {before.out}", text, HEADER, rows, "lrrrrrrr", _reservations(study, before, pairs))


def _means(study: Study, before: Study) -> Iterator[tuple[str, ...]]:
    """Rows of stages that have no image in common by name: of k-fold studies, which deliver nothing."""
    if study.delivered and before.delivered:
        return
    known = {(one.name, stage.name): stage for one, stage in naming.stages(before)}
    for one, stage in naming.stages(study):
        earlier = known.get((one.name, stage.name))
        now, then = stage.figures.mean("accuracy"), earlier.figures.mean("accuracy") if earlier else None
        if now is not None and then is not None:
            cells = percent(then), percent(now), points(now - then)
            yield naming.full(study, one, stage), *cells, *[MISSING] * 4


def _delivered(study: Study, before: Study, pairs: Sequence[tuple[Judged, Judged]]) -> Iterator[tuple[str, ...]]:
    """Rows of the stages of two runs that deliver, compared image by image."""
    if study.delivered is None or before.delivered is None or not pairs:
        return
    labels = np.array([now.label for now, _ in pairs])
    groups = np.array([now.group for now, _ in pairs])
    chosen = study.delivered.configuration
    for stage in chosen.stages:
        if stage.name in pairs[0][0].scores and stage.name in pairs[0][1].scores:
            now, then = (np.array([one[side].scores[stage.name] >= THRESHOLD for one in pairs]) for side in (0, 1))
            yield _row(naming.full(study, chosen, stage), paired.compare(labels, groups, then, now), labels, then, now)
    names = study.delivered.int8_stage.name, before.delivered.int8_stage.name
    now, then = (np.array([one[side].called(names[side]) for one in pairs]) for side in (0, 1))
    title = f"{study.delivered.int8_stage.title}, at the thresholds by each run's rule"
    yield _row(title, paired.compare(labels, groups, then, now), labels, then, now)


def _row(title: str, found: paired.Paired, labels: np.ndarray, then: np.ndarray, now: np.ndarray) -> tuple[str, ...]:
    shares = (percent(float(np.mean(called == (labels == 1)))) for called in (then, now))
    ends = " to ".join(points(end) for end in found.interval)
    return title, *shares, points(found.change), ends, str(found.gained), str(found.lost), decimals(found.p)


def _pairs(study: Study, before: Study) -> list[tuple[Judged, Judged]]:
    """The images that both runs judged, by name, and that have the same label in both."""
    if study.delivery is None or before.delivery is None:
        return []
    known = {one.path: one for one in before.delivery.judged}
    both = ((one, known[one.path]) for one in study.delivery.judged if one.path in known)
    return [(now, then) for now, then in both if now.label == then.label]


def _reservations(study: Study, before: Study, pairs: Sequence[tuple[Judged, Judged]]) -> str:
    told = []
    if study.delivery and before.delivery:
        number = len(pairs)
        if number < max(len(study.delivery.judged), len(before.delivery.judged)):
            told.append(f"{number} images have the same name and label in both runs; only these are compared.")
    if study.data.fingerprint != before.data.fingerprint:
        told.append("The images or their labels differ between the runs, if only in size.")
    return " ".join(told)
