"""Tables I and II of the paper in its layout, with its values beside ours.

Builders are as those of `quality`.
"""

from pathlib import Path

from wool_tf.cells import MISSING
from wool_tf.report import naming, paper
from wool_tf.report.naming import IMPORTANCES, hundredths, label, points
from wool_tf.report.quality import ACCURACY, repeats
from wool_tf.report.tables import Table, table
from wool_tf.study.results import BASELINE, Study


def table1(study: Study) -> Table | None:
    """Accuracy before pruning, as the paper's Table I, with its values and the differences."""
    rows = []
    for one in naming.ordered(study):
        figures, reported = one.baseline.figures, paper.row(one)
        ours = figures.mean("accuracy")
        theirs, spread = paper.BASELINE[reported] if reported else (None, None)
        difference = ours - theirs / 100 if ours is not None and theirs is not None else None
        cells = list(map(hundredths, (ours, figures.std("accuracy"), figures.over_folds("accuracy"))))
        cells += [naming.interval(one.baseline.interval.get("accuracy")), repeats(one.baseline)]
        papers = (MISSING if value is None else f"{value:.2f}" for value in (theirs, spread))
        rows.append((*naming.columns(study, one), *cells, *papers, points(difference)))
    header = ("Depth", "Optimizer", "Pretrained", "Mean (%)", "Standard deviation", "Over folds", "95 % interval",
              "Repeats", "Paper: mean (%)", "Paper: standard deviation", "Difference (points)")  # fmt: skip
    text = f"At the threshold 0.5. {ACCURACY}"
    return naming.marked(
        study, table("Accuracy before pruning (Table I)", text, header, rows, "lll" + "r" * 8, _paper_note(study))
    )


def table2(study: Study) -> Table | None:
    """Accuracy after pruning, as the paper's Table II, with its values and the differences below each row."""
    names = naming.pruned_names(study)
    rows = []
    for one in naming.ordered(study) if names else ():
        stages = [one.stage(name) for name in (BASELINE, *names)]
        ours = [stage.figures.mean("accuracy") if stage else None for stage in stages]
        changes = [stage.change if stage else None for stage in stages]
        rows.append((label(study, one), *map(_with_change, ours, changes)))
        if row := paper.row(one):
            reported = [paper.accuracy(one, name) for name in (BASELINE, *names)]
            theirs = [None if value is None else value / 100 for value in reported]
            unpruned = paper.BASELINE[row][0] / 100
            dropped = [None, *(None if value is None else value - unpruned for value in theirs[1:])]
            rows.append(("– the paper", *map(_with_change, theirs, dropped)))
            apart = [a - b if a is not None and b is not None else None for a, b in zip(ours, theirs, strict=True)]
            rows.append(("– difference (points)", *map(points, apart)))
    text = (
        "Accuracy in percent before and after pruning, at the threshold 0.5, mean over repeats. In brackets the change "
        "against the same network before pruning, in percentage points: with a minus, pruning costs accuracy. The "
        "paper calls it “accuracy drop”, with the same sign. Hard pruning removes the least important filters for "
        f"good, round after round, here by {IMPORTANCES[study.settings.importance]}; the paper goes by L1 norms. "
        "ASFP zeroes a growing share of filters while the network is trained, and lets them grow back until the last "
        "epoch."
    )
    header = ("Network", "Baseline", *map(naming.short, names))
    note = _paper_note(study)
    if any(stage.missing for _, stage in naming.stages(study)):
        note = f"Where repeats are incomplete, the change is that of the repeats which both stages have. {note}"
    align = "l" + "r" * (1 + len(names))
    return naming.marked(study, table("Accuracy after pruning (Table II)", text, header, rows, align, note))


def _with_change(share: float | None, change: float | None) -> str:
    """An accuracy of Table II with its change against the baseline, where there is one."""
    return hundredths(share) + ("" if change is None else f" ({points(change)})")


def _paper_note(study: Study) -> str:
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
    return note
