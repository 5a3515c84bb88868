"""Tables I, II and III of the paper in its layout, with its values beside ours, and those of another framework.

Every builder takes the Study and a run that it is compared with, or None, and returns a `Table`, or None where there is
nothing to show. Values of that run stand in it where its networks were trained in another framework.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from wool_tf.cells import MISSING, PREFIXES, count, percent
from wool_tf.pruning.importance import MEASURES
from wool_tf.report import counterpart, naming, paper
from wool_tf.report.naming import hundredths, label, points
from wool_tf.report.quality import repeats
from wool_tf.report.tables import Table, table
from wool_tf.study.results import BASELINE, Configuration, Study

THE_PAPER = "– the paper"
DIFFERENCE = "– difference (points)"
"""Names the row of what ours are above those of the row before it."""
COUNTS = {"params": "parameters", "operations": "operations"}
"""Of Table III, in the order of its columns."""
Values = Sequence[float | None]
Rows = list[tuple[str, ...]]


def table1(study: Study, before: Study | None = None) -> Table | None:
    """Accuracy before pruning, as the paper's Table I, with the values of others and the differences below each row."""
    other = counterpart.of(study, before)
    rows: Rows = []
    for one in naming.ordered(study):
        ours = one.baseline.figures.mean("accuracy")
        rows.append((label(study, one), *_unpruned(one)))
        if row := paper.row(one):
            mean, spread = paper.BASELINE[row]
            rows.append((THE_PAPER, f"{mean:.2f}", f"{spread:.2f}", *[MISSING] * 3))
            rows.append((DIFFERENCE, _apart(ours, mean / 100), *[MISSING] * 4))
        if there := counterpart.configuration(other, one):
            rows.append((counterpart.row(other), *_unpruned(there)))
            rows.append((DIFFERENCE, _apart(ours, there.baseline.figures.mean("accuracy")), *[MISSING] * 4))
    header = ("Network", "Mean (%)", "Standard deviation", "Over folds", "95 % interval", "Repeats")
    text = (
        "Accuracy at the threshold 0.5: mean and standard deviation over repeats of the cross-validation. Beside them "
        "stand the standard deviation over folds and the 95 % interval over physical samples."
    )
    found = table("Accuracy before pruning (Table I)", text, header, rows, "lrrrrr", _note(study, other))
    return naming.marked(study, found)


def _unpruned(one: Configuration) -> tuple[str, ...]:
    figures, around = one.baseline.figures, one.baseline.interval.get("accuracy")
    spreads = figures.mean("accuracy"), figures.std("accuracy"), figures.over_folds("accuracy")
    return *map(hundredths, spreads), naming.interval(around), repeats(one.baseline)


def table2(study: Study, before: Study | None = None) -> Table | None:
    """Accuracy after pruning, as the paper's Table II, with the values of others and the differences below each row."""
    names = naming.pruned_names(study)
    other = counterpart.of(study, before)
    rows: Rows = []
    for one in naming.ordered(study) if names else ():
        ours, changes = _accuracies(one, (BASELINE, *names))
        rows.append((label(study, one), *map(_with_change, ours, changes)))
        for title, theirs, changed in _beside(other, one, (BASELINE, *names)):
            rows.append((title, *map(_with_change, theirs, changed)))
            rows.append((DIFFERENCE, *map(_apart, ours, theirs)))
    text = (
        "Accuracy in percent before and after pruning, at the threshold 0.5, mean over repeats. In brackets the change "
        "against the same network before pruning, in percentage points: with a minus, pruning costs accuracy. The "
        "paper calls it “accuracy drop”, with the same sign. Hard pruning removes the least important filters for "
        f"good, round after round, here by {_measure(study)}. "
        "ASFP zeroes a growing share of filters while the network is trained, and lets them grow back until the last "
        "epoch."
    )
    note = _note(study, other)
    if any(stage.missing for _, stage in naming.stages(study)):
        note = f"Where repeats are incomplete, the change is that of the repeats which both stages have. {note}"
    return naming.marked(study, _of_stages("Accuracy after pruning (Table II)", text, names, rows, note))


def _measure(study: Study) -> str:
    """What filters were ranked by, beside what the paper ranks them by."""
    measure = study.settings.importance
    return MEASURES[measure].words + (", as in the paper" if measure == "l1" else "; the paper goes by L1 norms")


def _of_stages(title: str, text: str, names: Sequence[str], rows: Rows, note: str) -> Table | None:
    header = ("Network", "Baseline", *map(naming.short, names))
    return table(title, text, header, rows, "l" + "r" * (len(header) - 1), note)


def _accuracies(one: Configuration, names: Sequence[str]) -> tuple[Values, Values]:
    """Of stages, and what pruning changed."""
    stages = [one.stage(name) for name in names]
    means = [stage.figures.mean("accuracy") if stage else None for stage in stages]
    return means, [stage.change if stage else None for stage in stages]


def _beside(other: Study | None, one: Configuration, names: Sequence[str]) -> Iterator[tuple[str, Values, Values]]:
    """The same of the paper and of the other framework, where they have the network."""
    if row := paper.row(one):
        percents = [paper.accuracy(one, name) for name in names]
        shares = [None if value is None else value / 100 for value in percents]
        unpruned = paper.BASELINE[row][0] / 100
        yield THE_PAPER, shares, [None, *(None if share is None else share - unpruned for share in shares[1:])]
    if there := counterpart.configuration(other, one):
        yield counterpart.row(other), *_accuracies(there, names)


def table3(study: Study, before: Study | None = None) -> Table | None:
    """Parameters and operations after pruning, as the paper's Table III, with others and differences below each row."""
    names = naming.pruned_names(study)
    other = counterpart.of(study, before)
    rows: Rows = []
    for one in naming.ordered(study) if names else ():
        for name in COUNTS:
            rows += _left(study, other, one, name)
    text = (
        "What is left after pruning, and in brackets its share of the network before pruning. Parameters set the size "
        "of a model; operations are what the paper calls FLOPs: multiply-accumulates, and the elements of batch norms, "
        "ReLUs and pools. Differences are of shares."
    )
    note = counterpart.note(other)
    if other and any(name.startswith("asfp") for name in names):
        note += " Parameters that ASFP leaves at zero are not counted; their operations are, where they are computed."
    if _has_papers(study):
        note = (
            "The paper’s figures are rounded to two digits, and of networks with 1000 outputs for images of 224 × 224 "
            f"pixels, so that only its shares compare. {note}"
        )
    return _of_stages("Parameters and operations (Table III)", text, names, rows, note.strip())


def _has_papers(study: Study) -> bool:
    """Whether the paper's Table III is of the shares that the study removed."""
    return study.settings.recipe == paper.COMPLEXITY_RECIPE


def _left(study: Study, other: Study | None, one: Configuration, name: str) -> Rows:
    """The rows of Table III for one of `COUNTS`."""
    stages = (BASELINE, *naming.pruned_names(study))
    ours = _counts(one, stages, name)
    shares = _shares(ours, ours[0])
    rows: Rows = [(f"{label(study, one)}: {COUNTS[name]}", *_with_shares(list(map(count, ours)), shares))]
    if _has_papers(study) and one.depth in paper.COMPLEXITY:
        printed = [_printed(one.depth, stage, name) for stage in stages]
        left = _shares(printed, printed[0])
        rows.append((THE_PAPER, *_with_shares(list(map(_as_printed, printed)), left)))
        # With one decimal: shares of figures of two digits have no more.
        rows.append(
            (DIFFERENCE, MISSING, *(points(apart(*pair), 1) for pair in zip(shares[1:], left[1:], strict=True)))
        )
    if there := counterpart.configuration(other, one):
        theirs = _counts(there, stages, name)
        # Of our unpruned network, so that unpruned ones that differ do so in the table.
        left = _shares(theirs, ours[0])
        rows.append((counterpart.row(other), *_with_shares(list(map(count, theirs)), left)))
        rows.append((DIFFERENCE, *map(_apart, shares, left)))
    return rows


def _counts(one: Configuration, names: Sequence[str], count: str) -> Values:
    return [getattr(stage, count) if (stage := one.stage(name)) else None for name in names]


def _shares(values: Values, whole: float | None) -> Values:
    return [None if value is None or not whole else value / whole for value in values]


def _with_shares(cells: Sequence[str], shares: Values) -> list[str]:
    """Cells with their shares in brackets, the first without: it is what the others are shares of."""
    bracketed = ["" if share is None else f" ({percent(share)} %)" for share in shares[1:]]
    return [cell + share for cell, share in zip(cells, ["", *bracketed], strict=True)]


def _printed(depth: int, stage: str, name: str) -> float | None:
    """What the paper's Table III has for a stage, or None."""
    method, number = naming.parted(stage)
    found = paper.complexity(depth, int(number)) if method in (BASELINE, "hard") else None
    return found[list(COUNTS).index(name)] if found else None


def _as_printed(value: float | None) -> str:
    """With the digits that the paper prints.

    >>> _as_printed(4.8e6), _as_printed(6.3e8), _as_printed(1.2e10)
    ('4.8 M', '630 M', '12 G')
    """
    if value is None:
        return MISSING
    scale, prefix = next((scale, prefix) for scale, prefix in PREFIXES if value >= scale)
    return f"{value / scale:g} {prefix}"


def apart(ours: float | None, theirs: float | None) -> float | None:
    """The difference of two values, where both are known."""
    return None if ours is None or theirs is None else ours - theirs


def _apart(ours: float | None, theirs: float | None) -> str:
    return points(apart(ours, theirs))


def _with_change(share: float | None, change: float | None) -> str:
    """An accuracy of Table II with its change against the baseline, where there is one."""
    return hundredths(share) + ("" if change is None else f" ({points(change)})")


def _note(study: Study, other: Study | None) -> str:
    """What the values of others are of."""
    note = (
        f"Ours are of the images in {study.data.folder}. The paper is {paper.CITATION}: {paper.REPEATS} repeats "
        f"of {paper.FOLDS} folds on that factory’s own images. Its values show the order of magnitude and the trend, "
        "and cannot be compared one to one."
    )
    files = dict.fromkeys(Path(one.weights).name for one in naming.ordered(study) if one.pretrained)
    files.pop("imagenet", None)
    if files:
        note += (
            f" Pretrained by a file: {', '.join(files)}, which has a head of 1000 classes behind a stem for colour "
            "images and is therefore taken for ImageNet weights, but need not be those of the paper."
        )
    return f"{note} {counterpart.note(other)}".strip()
