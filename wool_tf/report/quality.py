"""Tables of how well networks judge.

Every builder takes the Study and returns a `Table`, or None where there is nothing to show.
"""

import re
from collections.abc import Iterator, Sequence

from wool_tf.cells import MISSING, decimals, percent, significant
from wool_tf.evaluation.metrics import THRESHOLD, Metrics
from wool_tf.report import naming
from wool_tf.report.naming import label, mean
from wool_tf.report.tables import Table, table
from wool_tf.study.results import Stage, Study
from wool_tf.study.score_results import THRESHOLDING, Baseline, Figures, Intervals

ACCURACY = (
    "Accuracy is the share of all images that are judged correctly, each by a network that was not trained on it: of "
    "one repeat of the cross-validation all images together, then the mean ± standard deviation over repeats. The "
    "spread over folds stands beside it, and the 95 % interval over physical samples: networks whose intervals overlap "
    "widely cannot be told apart by this data."
)
SHARES = (
    "Recall: of 100 defective images, how many are found; the others would pass unseen. False alarms: of 100 sound "
    "images, how many are called defective. ROC AUC tells how well the scores separate the two classes: 1 is perfect, "
    "0.5 is guessing."
)


def summary(study: Study) -> Table | None:
    """The baselines, and the network before and after pruning and as it is delivered, in one look."""
    rows = [_summary(naming.baseline_title(study, each), each.figures, each.interval, None) for each in study.baselines]
    delivered = study.delivered
    one = delivered.configuration if delivered else naming.best(study)
    if one is None:
        return None
    for stage in naming.key(study, one):
        share = stage.share_of(one.baseline, "params")
        rows.append(_summary(naming.full(study, one, stage), stage.figures, stage.interval, share))
    if delivered and delivered.int8_stage.operating:
        by_rule, share = delivered.at_rule, delivered.int8_stage.share_of(one.baseline, "params")
        title = f"{delivered.int8_stage.title}, at thresholds by the delivered rule"
        rows.append(_summary(title, by_rule.figures, by_rule.interval, share))
    header = ("Network", "Accuracy (%)", "95 %", "Over folds", "Recall (%)", "False alarms (%)", "ROC AUC")
    note = "At the threshold 0.5 unless said otherwise."
    return _table(study, "Key figures", f"{ACCURACY} {SHARES}", (*header, "Parameters (%)"), rows, "lrrrrrrr", note)


def _summary(title: str, figures: Figures, interval: Intervals, share: float | None) -> tuple[str, ...]:
    accuracy = mean(figures, "accuracy"), naming.interval(interval.get("accuracy"))
    shares = mean(figures, "recall"), mean(figures, "false_alarm_rate"), mean(figures, "auc", decimals)
    return title, *accuracy, percent(figures.over_folds("accuracy")), *shares, percent(share)


def quality(study: Study) -> Table | None:
    """Every metric of every stage, with intervals, and the baselines in the first rows."""
    rows = []
    for each in study.baselines:
        rows.append((naming.baseline_title(study, each), *_quality(each.figures, each.interval), MISSING, MISSING))
    for one, stage in naming.stages(study):
        incomplete = repeats(stage), str(stage.missing)
        rows.append((naming.full(study, one, stage), *_quality(stage.figures, stage.interval), *incomplete))
    text = f"{naming.explained(study)} {ACCURACY} {SHARES} Precision: of 100 images that raise an alarm, how many are "
    text += "really defective. F1 combines recall and precision; average precision does so over all thresholds."
    header = ("Network", "Accuracy (%)", "95 %", "Over folds", "Recall (%)", "95 %", "False alarms (%)", "95 %",
              "ROC AUC", "95 %", "Precision (%)", "F1 (%)", "Average precision", "Repeats",
              "Missing folds")  # fmt: skip
    note = (
        "At the threshold 0.5. A repeat counts only if all of its folds are there. An interval without width says that "
        "no image was judged wrongly, not that none ever will be."
    )
    return _table(study, "Quality of every stage", text, header, rows, "l" + "r" * (len(header) - 1), note)


def _quality(figures: Figures, interval: Intervals) -> tuple[str, ...]:
    cells = [mean(figures, "accuracy"), naming.interval(interval.get("accuracy"))]
    cells.append(percent(figures.over_folds("accuracy")))
    for name in ("recall", "false_alarm_rate"):
        cells += [mean(figures, name), naming.interval(interval.get(name))]
    cells += [mean(figures, "auc", decimals), naming.interval(interval.get("auc"), decimals)]
    return (*cells, mean(figures, "precision"), mean(figures, "f1"), mean(figures, "average_precision", decimals))


def controls(study: Study) -> Table | None:
    """Each round beside the same with random filters, and the last architecture trained from scratch."""
    rows = []
    for one in naming.ordered(study):
        for stage in one.stages:
            number = re.fullmatch(r"hard(\d+)", stage.name)
            beside = [one.stage(f"{kind}{number[1]}") for kind in ("random", "scratch")] if number else []
            if any(beside):
                cells = [mean(each.figures, "accuracy") if each else MISSING for each in (stage, *beside)]
                rows.append((label(study, one), stage.title, *cells))
    text = (
        "Does it matter which filters go? Beside hard pruning, which removes the least important, stands the same with "
        "filters chosen at random, and the architecture of the last round trained from random weights. Where these do "
        "as well, the smaller architecture is what counts, and the choice of filters gains nothing."
    )
    header = ("Network", "Stage", "Weakest filters (%)", "Random filters (%)", "From scratch (%)")
    note = "Accuracy at the threshold 0.5, mean ± standard deviation over repeats."
    return _table(study, "Controls", text, header, rows, "llrrr", note)


def by_defect(study: Study) -> Table | None:
    """Recall of each type of defect, with the baselines in the first rows."""
    named = [(naming.baseline_title(study, each), each.figures) for each in study.baselines]
    for one, stage in naming.key_stages(study):
        named.append((naming.full(study, one, stage), stage.figures))
        if stage.operating:
            by_rule = f"{naming.full(study, one, stage)}, {naming.rule(stage.operating[0].rule)}"
            named.append((by_rule, stage.operating[0].figures))
    recalls = [(title, figures.by_defect) for title, figures in named if figures.by_defect]
    images = {kind: one.images for _, found in recalls for kind, one in found.items()}
    kinds = sorted(images)
    rows = [(title, *(percent(found[kind].recall if kind in found else None) for kind in kinds))
            for title, found in recalls]  # fmt: skip
    text = (
        "Of 100 images with a type of defect, how many are found. In brackets the number of images; one with several "
        "types counts for each, and those of unknown type are left out. The threshold is 0.5 if nothing else is said."
    )
    header = ("Network", *(f"{naming.types(kind)} ({images[kind]})" for kind in kinds))
    note = "Mean over repeats. With few images of a type, one image more or less is several percent."
    return _table(study, "Recall by type of defect (%)", text, header, rows, "l" + "r" * len(kinds), note)


def operating(study: Study) -> Table | None:
    """What each rule for the threshold is worth, beside 0.5 and beside the baselines."""
    names = ("recall", "false_alarm_rate", "precision", "accuracy")
    rows = [
        (title, by, limit, *(percent(figures.mean(name)) for name in names))
        for title, by, limit, figures in _judgements(study)
    ]
    text = (
        "The threshold on the score decides how many defective images are missed for how many false alarms. The paper "
        "does not name one, and 0.5 is usual. By a rule, the threshold is chosen on the other folds’ images only, and "
        "then measured on the images of the fold: what was asked for is therefore met only roughly."
    )
    header = ("Network", "Threshold by", "Threshold", "Recall (%)", "False alarms (%)", "Precision (%)", "Accuracy (%)")
    note = "Means over folds and repeats. False alarms: share of the sound images that are called defective."
    return _table(study, "Operating points", text, header, rows, "ll" + "r" * 5, note)


def _judgements(study: Study) -> Iterator[tuple[str, str, str, Figures]]:
    """The baselines and the key stages at 0.5 and by each rule: name, what the threshold is by, threshold, figures."""
    measured: list[tuple[str, Stage | Baseline]] = [
        (naming.baseline_title(study, each), each) for each in study.baselines
    ]
    measured += [(naming.full(study, one, stage), stage) for one, stage in naming.key_stages(study)]
    for title, each in measured:
        own_limits = isinstance(each, Baseline) and each.kind == THRESHOLDING
        by, limit = ("its own limits", MISSING) if own_limits else ("0.5", significant(THRESHOLD))
        yield title, by, limit, each.figures
        for point in each.operating:
            yield title, naming.rule(point.rule), significant(point.threshold), point.figures


def confusion(study: Study) -> Table | None:
    """Right and wrong judgements of the baselines and the key stages, of the first complete repeat."""
    rows = [
        (title, by, *_counts(figures.complete[0])) for title, by, _, figures in _judgements(study) if figures.complete
    ]
    text = (
        "How many held-out images were judged rightly and wrongly. A missed image is a defective product that would be "
        "delivered; a false alarm is a sound product that would be rejected."
    )
    header = ("Network", "Threshold by", "Defective: found", "Defective: missed", "Non-defective: passed",
              "Non-defective: false alarm")  # fmt: skip
    note = "Of the first repeat." if len(study.folds) > 1 else ""
    return _table(study, "Confusion matrices", text, header, rows, "llrrrr", note)


def _counts(metrics: Metrics) -> tuple[str, ...]:
    (passed, alarms), (missed, found) = metrics.confusion
    return str(found), str(missed), str(passed), str(alarms)


def repeats(stage: Stage) -> str:
    """How many repeats have all of their folds: 2 of 3."""
    return f"{len(stage.figures.complete)} of {len(stage.figures.repeats)}"


def _table(
    study: Study,
    title: str,
    text: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    align: str,
    note: str = "",
) -> Table | None:
    """A table, marked as `naming.marked` does."""
    return naming.marked(study, table(title, text, header, rows, align, note))
