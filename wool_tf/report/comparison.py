"""What changed from one run to another."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from wool_tf.cells import MISSING, count, decimals, percent
from wool_tf.errors import BadSetting, as_text
from wool_tf.evaluation import paired_comparison
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.evaluation.paired_comparison import PairedComparison
from wool_tf.report import naming, stage_pairs
from wool_tf.report.naming import points
from wool_tf.report.tables import Table, table
from wool_tf.study.results import BASELINE, OF_CONFIGURATION, Configuration, DeliveredModel, Stage, Study

CHANGES = ("Network", "Before (%)", "Now (%)", "Change", "95 %", "Only now right", "Only before", "p")
OF_REPORT = ("final", "controls", "threads")
"""Settings that no network of both runs depends on."""
NETWORKS = ("Network", "Run", "Missed", "False alarms", "Parameters", "MACs", "From unpruned", "95 %")


def check(study: Study, before: Study) -> None:
    """Refuses runs that have no image in common, as far as their documents name them.

    Raises:
        WoolError: there is none.
    """
    if study.held_out and before.held_out and not _places(study, before):
        rule = f"has no image in common with {study.out}; compare runs on the same images"
        raise BadSetting("baseline", before.out, rule)


def changes(study: Study, before: Study) -> Table | None:
    """Accuracy of every network that both runs have, and the change image by image.

    Arguments:
        study: Study.
        before: the run that it is compared with.
    """
    rows = [_change(pair) for pair in _pairs(study, before)]
    text = (
        f'"Now" is {_made(study)}, "before" is {_made(before)}, network by network, in the first repeat of each. Every '
        "image that both judged is compared with itself: the interval of the change is over physical samples, the "
        "numbers are images that only one of the two judges rightly, and p is how often chance alone would part as "
        "many of them as unevenly (exact McNemar test). The data tell two runs apart only where the interval leaves "
        "out 0 and p is below 0.05: the interval is too narrow where few images change sides, and p does not know that "
        "images of one sample resemble each other."
    )
    note = _reservations(study, before, rows)
    return table(f"Beside {before.out}", text, CHANGES, rows, "lrrrrrrr", note)


def networks(study: Study, before: Study) -> Table | None:
    """What every network that both runs have misses and costs, and how it differs from the unpruned one of its run.

    Arguments:
        study: Study.
        before: the run that it is compared with.
    """
    rows = [
        (pair.title, run, *_mistakes(pair, side), *_costs(side.stage), *_from_unpruned(pair, side))
        for pair in _pairs(study, before)
        for run, side in ((_made(before), pair.before), (_made(study), pair.now))
    ]
    text = (
        "The same networks one by one, judged on the images that both runs have. Parameters that are zero, as soft "
        "pruning may leave them, are not counted; their multiply-accumulates (MACs) are, for they are computed all "
        'the same. "From unpruned" is the accuracy less that of the unpruned network of the same run at 0.5.'
    )
    return table(f"Mistakes and sizes beside {before.out}", text, NETWORKS, rows, "llrrrrrr")


@dataclasses.dataclass(frozen=True)
class _Side:
    """A network in one of two runs.

    Attributes:
        stage: Stage.
        called, unpruned: (n,) bool, which of the images that both runs judged it calls defective, and the unpruned
            network of its run; None where that is not known.
    """

    stage: Stage
    called: np.ndarray | None
    unpruned: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class _Pair:
    """A network that two runs have.

    Attributes:
        title: what a reader calls it.
        before, now: in the earlier run and in the later one.
        labels, groups: (n,) of the images that both judged, as `stage_pairs.truth` gives them.
    """

    title: str
    before: _Side
    now: _Side
    labels: np.ndarray
    groups: np.ndarray

    def compared(self, before: np.ndarray | None, after: np.ndarray | None) -> PairedComparison | None:
        """Two judgements of the images, or None where one is not known."""
        if before is None or after is None:
            return None
        return paired_comparison.compare(self.labels, self.groups, before, after)


def _pairs(study: Study, before: Study) -> Iterator[_Pair]:
    """Every stage that both have, and the delivered files, each at the thresholds that its rule gave on other folds."""
    places = _places(study, before)
    truth = stage_pairs.truth([study.held_out[place] for place, _ in places])
    now, then = ([pair[side] for pair in places] for side in range(2))
    for one, other in _configurations(study, before):
        for stage in one.stages:
            if earlier := other.stage(stage.name):
                sides = _side(earlier, other, then), _side(stage, one, now)
                yield _Pair(naming.full(study, one, stage), *sides, *truth)
    if study.delivered and before.delivered and places:
        title = f"{study.delivered.int8_stage.title}, at the thresholds by each run's rule"
        yield _Pair(title, _at_rule(before.delivered, then), _at_rule(study.delivered, now), *truth)


def _side(stage: Stage, one: Configuration, places: Sequence[int]) -> _Side:
    return _Side(stage, _called(stage, places), _called(one.baseline, places))


def _called(stage: Stage, places: Sequence[int]) -> np.ndarray | None:
    """None where an older document does not name its images, or a fold has no record."""
    return np.array(stage.scores)[places] >= THRESHOLD if places and stage.scores else None


def _at_rule(delivered: DeliveredModel, places: Sequence[int]) -> _Side:
    stage, judged = delivered.int8_stage, delivered.delivery.judged
    called = np.array([judged[place].called(stage.name) for place in places])
    return _Side(stage, called, _called(delivered.configuration.baseline, places))


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


def _change(pair: _Pair) -> tuple[str, ...]:
    """By means alone where images are not known."""
    found = pair.compared(pair.before.called, pair.now.called)
    if found is None:
        then, now = (side.stage.figures.mean("accuracy") for side in (pair.before, pair.now))
        change = None if then is None or now is None else now - then
        return pair.title, percent(then), percent(now), points(change), *[MISSING] * 4
    shares = (percent(float(np.mean(side.called == (pair.labels == 1)))) for side in (pair.before, pair.now))
    numbers = str(found.gained), str(found.lost), decimals(found.p)
    return pair.title, *shares, points(found.change), _ends(found), *numbers


def _mistakes(pair: _Pair, side: _Side) -> tuple[str, str]:
    """Missed of the defective images, and false alarms of the others."""
    if side.called is None:
        return MISSING, MISSING
    defective = pair.labels == 1
    missed, alarms = np.sum(~side.called[defective]), np.sum(side.called[~defective])
    return f"{missed} of {np.sum(defective)}", f"{alarms} of {np.sum(~defective)}"


def _costs(stage: Stage) -> tuple[str, str]:
    return count(stage.params), count(stage.macs)


def _from_unpruned(pair: _Pair, side: _Side) -> tuple[str, str]:
    found = None if side.stage.name == BASELINE else pair.compared(side.unpruned, side.called)
    return (points(found.change), _ends(found)) if found else (MISSING, MISSING)


def _ends(found: PairedComparison) -> str:
    return " to ".join(map(points, found.interval))


def _made(study: Study) -> str:
    """A run and the script that made it, which tells PyTorch's networks from ours."""
    script = naming.script(study)
    return f"{study.out} ({script})" if script else study.out


def _differing(study: Study, before: Study) -> list[str]:
    """Settings of the training that the earlier run had otherwise, with their values there."""
    now, then = (dataclasses.asdict(each.settings) for each in (study, before))
    told = (name for name in now if name not in (*OF_CONFIGURATION, *OF_REPORT) and now[name] != then[name])
    return [f"{name} {as_text(then[name]) or MISSING} instead of {as_text(now[name]) or MISSING}" for name in told]


def _reservations(study: Study, before: Study, rows: Sequence[tuple[str, ...]]) -> str:
    told, compared = [], len(_places(study, before))
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
    if differing := _differing(study, before):
        told.append(f"Trained otherwise before: {', '.join(differing)}.")
    if study.data.fingerprint != before.data.fingerprint:
        told.append(
            "The images or their labels differ between the runs, if only in size. Images are paired by name: where the "
            "same names stand for other images, as in two simulated campaigns, the pairs mean nothing."
        )
    return " ".join(told)
