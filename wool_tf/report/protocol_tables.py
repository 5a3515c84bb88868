"""The tables of a protocol's report, made of its results document.

Tables I and II stand as in the paper, with its values beside or below. Every builder takes the results document and
returns a `Table`, or None where the document has nothing to show.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from wool_tf.evaluation.bootstrap import WITH_INTERVAL
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.report import baselines, paper, tables
from wool_tf.report.cells import MISSING, count, decimals, known, percent, plain, significant, tiny
from wool_tf.report.protocol_views import (
    BASELINE,
    OPTIMISTIC,
    best,
    complete,
    every_stage,
    false_alarm_rate,
    find,
    frozen,
    hundredths,
    imagenet_files,
    interval,
    is_pruned,
    key,
    key_stages,
    label,
    marked,
    ordered,
    points,
    recipe,
    short,
    stage_names,
    thresholding,
)
from wool_tf.report.tables import Table, measure


def table1(document: Mapping) -> Table | None:
    """Accuracy before pruning, as the paper's Table I, whose values stand beside it."""
    rows = []
    for configuration in ordered(document):
        stage = find(configuration, BASELINE) or {}
        mean, spread = measure(stage, "accuracy")
        reported = paper.recipe(configuration)
        paper_mean, paper_spread = paper.BASELINE[reported] if reported else (None, None)
        rows.append(
            (
                *recipe(configuration),
                hundredths(mean),
                hundredths(spread),
                interval(stage, "accuracy"),
                complete(stage),
                MISSING if paper_mean is None else f"{paper_mean:.2f}",
                MISSING if paper_spread is None else f"{paper_spread:.2f}",
            )
        )
    text = (
        "Share of all images that are judged correctly, at the threshold 0.5 on the score, by networks that were not "
        "trained on them. Mean and standard "
        "deviation are over repeats of the whole cross-validation, as in the paper: they tell how much chance in "
        "splitting and training matters. The interval tells how the same networks would do on other samples. Networks "
        "whose intervals overlap widely cannot be told apart by this data."
    )
    header = ("Depth", "Optimizer", "Pretrained", "Mean (%)", "Standard deviation", "95 % interval", "Repeats")
    header += ("Paper: mean (%)", "Paper: standard deviation")
    note = f"The interval is drawn over physical samples (bootstrap). {_paper_note(document)}"
    return _table(document, "Accuracy before pruning (Table I)", text, header, rows, "lll" + "r" * 6, note)


def table2(document: Mapping) -> Table | None:
    """Accuracy after pruning, as the paper's Table II, whose values stand below each row."""
    names = [name for name in stage_names(document) if is_pruned(name)]
    if not names:
        return None
    rows = []
    for configuration in ordered(document):
        stages = [find(configuration, name) or {} for name in (BASELINE, *names)]
        means = [measure(stage, "accuracy")[0] for stage in stages]
        rows.append((label(configuration), *map(_with_change, means, [stage.get("drop") for stage in stages])))
        if paper.recipe(configuration):
            reported = [paper.accuracy(configuration, name) for name in (BASELINE, *names)]
            shares = [None if value is None else value / 100 for value in reported]
            changes = [None, *(None if share is None else share - shares[0] for share in shares[1:])]
            rows.append(("– the paper", *map(_with_change, shares, changes)))
    text = (
        "Accuracy in percent before and after pruning, at the threshold 0.5, mean over repeats. In brackets the change "
        "against the same network before pruning, in percentage points: with a minus, pruning costs accuracy. The "
        "paper calls it “accuracy drop”, with the same sign. Hard pruning removes the weakest filters for good, round "
        "after round; ASFP silences a growing share of them while the network is trained."
    )
    header = ("Network", "Baseline", *map(short, names))
    align = "l" + "r" * (1 + len(names))
    note = _paper_note(document)
    if any(stage.get("missing") for _, stage in every_stage(document)):
        note = f"Where repeats are incomplete, the change is that of the repeats which both stages have. {note}"
    return _table(document, "Accuracy after pruning (Table II)", text, header, rows, align, note)


def controls(document: Mapping) -> Table | None:
    """Each round beside the same with random filters, and the last architecture trained from scratch."""
    rows = []
    for configuration in ordered(document):
        for stage in configuration["stages"]:
            number = re.fullmatch(r"hard(\d+)", stage["stage"])
            beside = [find(configuration, f"{kind}{number[1]}") for kind in ("random", "scratch")] if number else []
            if any(beside):
                cells = [percent(*measure(found or {}, "accuracy")) for found in (stage, *beside)]
                rows.append((label(configuration), stage["title"], *cells))
    text = (
        "Does it matter which filters go? Beside hard pruning, which removes the weakest, stands the same with filters "
        "chosen by lot, and the architecture of the last round trained from random weights. Where these do as well, "
        "the smaller architecture is what counts, and the choice of filters gains nothing."
    )
    header = ("Network", "Stage", "Weakest filters (%)", "Random filters (%)", "From scratch (%)")
    note = "Accuracy, mean ± standard deviation over repeats."
    return _table(document, "Controls", text, header, rows, "llrrr", note)


def quality(document: Mapping) -> Table | None:
    """Accuracy, recall and AUC of every stage with their intervals."""
    rows = []
    for configuration, stage in every_stage(document):
        cells = []
        for name, form in zip(WITH_INTERVAL, (percent, percent, decimals), strict=True):
            cells += [form(*measure(stage, name)), interval(stage, name, form)]
        rows.append((label(configuration), stage["title"], *cells))
    text = (
        "Recall is the share of the defective images that are found; the others would pass unseen. ROC AUC tells how "
        "well the scores separate the two classes: 1 is perfect, 0.5 is guessing."
    )
    header = ("Network", "Stage", "Accuracy (%)", "95 %", "Recall (%)", "95 %", "ROC AUC", "95 %")
    note = (
        "Mean ± standard deviation over repeats; beside it the 95 % interval over samples. All at the threshold 0.5 on "
        "the score. An interval without width says that no image was judged wrongly, not that none ever will be."
    )
    return _table(document, "Quality of every stage", text, header, rows, "ll" + "r" * 6, note)


def further(document: Mapping) -> Table | None:
    """The other metrics of every stage."""
    rows = []
    for configuration, stage in every_stage(document):
        cells = [percent(*measure(stage, name)) for name in ("precision", "f1")]
        cells += [decimals(*measure(stage, "average_precision")), percent(false_alarm_rate(stage)), complete(stage)]
        rows.append((label(configuration), stage["title"], *cells, plain(stage.get("missing"))))
    text = (
        "Precision: of 100 images that raise an alarm, how many are really defective. F1 combines recall and precision "
        "into one number, average precision does so over all thresholds. False alarms: of 100 sound images, how many "
        "are called defective. A repeat counts only if all of its folds are there."
    )
    header = ("Network", "Stage", "Precision (%)", "F1 (%)", "Average precision", "False alarms (%)", "Repeats")
    header += ("Missing folds",)
    note = "Mean ± standard deviation over repeats."
    return _table(document, "Further metrics", text, header, rows, "ll" + "r" * 6, note)


def by_defect(document: Mapping) -> Table | None:
    """Recall of each type of defect, with the baselines in the first rows."""
    compared = [*thresholding(document), *frozen(document).values()]
    named = [(each.figures.get("by_defect"), (each.title, MISSING)) for each in compared]
    named += [(stage.get("by_defect"), (label(one), stage["title"])) for one, stage in key_stages(document)]
    named = [(found, names) for found, names in named if found]
    images = {kind: one["images"] for found, _ in named for kind, one in found.items()}
    kinds = sorted(images)
    rows = [(*names, *(percent(found.get(kind, {}).get("recall")) for kind in kinds)) for found, names in named]
    text = (
        "Of 100 images with a type of defect, how many are found, at the threshold 0.5. In brackets the number of "
        "images; one with several types counts for each, and those of unknown type are left out."
    )
    text = " ".join([text, *baselines.explained(compared)])
    header = ("Network", "Stage", *(f"{kind} ({images[kind]})" for kind in kinds))
    note = "Mean over repeats. With few images of a type, one image more or less is several percent."
    return _table(document, "Recall by type of defect", text, header, rows, "ll" + "r" * len(kinds), note)


def operating(document: Mapping) -> Table | None:
    """What the thresholds for a recall and for a cost are worth, beside the plain one."""
    rows = []
    for configuration, stage in key_stages(document):
        names = label(configuration), stage["title"]
        default = {"rule": "default", "threshold": THRESHOLD, "false_alarm_rate": false_alarm_rate(stage)}
        default |= {name: measure(stage, name)[0] for name in ("recall", "precision", "accuracy")}
        for found in (default, *(stage.get("operating") or ())):
            cells = [percent(found.get(name)) for name in ("recall", "false_alarm_rate", "precision", "accuracy")]
            rows.append((*names, found["rule"], significant(found.get("threshold")), *cells))
    text = (
        "The threshold on the score decides how many defective images are missed for how many false alarms. Here it is "
        "chosen for a required recall, or for what a miss costs, on the other folds’ images only, and then measured on "
        "the images of the fold. What was asked for is therefore met only roughly."
    )
    header = ("Network", "Stage", "Threshold chosen for", "Threshold", "Recall (%)", "False alarms (%)")
    header += ("Precision (%)", "Accuracy (%)")
    note = "Means over folds and repeats. False alarms: share of the sound images that are called defective."
    return _table(document, "Operating points", text, header, rows, "lll" + "r" * 5, note)


def size(document: Mapping) -> Table | None:
    """Parameters and work of every stage."""
    rows = []
    for configuration, stage in every_stage(document):
        row = [count(stage.get("params")), percent(stage.get("params_share"))]
        row += [count(stage.get("macs")), percent(stage.get("macs_share")), tiny(stage.get("mask_difference"))]
        rows.append((label(configuration), stage["title"], *row))
    text = (
        "Parameters set the size of the model; multiply-accumulates (MACs) are the arithmetic that one image costs. "
        "The mask difference is the largest difference of an output (logit) between the network with its filters "
        "silenced and with them cut out, over all folds: values near 1e-6 are rounding errors."
    )
    header = ("Network", "Stage", "Parameters", "% of baseline", "MACs", "% of baseline", "Mask difference")
    return _table(None, "Size and work", text, header, rows, "ll" + "r" * 5)


def failures(document: Mapping) -> Table | None:
    """What did not work."""
    rows = [(plain(row.get("unit")), plain(row.get("attempts")), plain(row.get("reason")))
            for row in document.get("failures") or ()]  # fmt: skip
    text = "Trainings that failed, also when tried again. Repeats that need them are left out of every figure."
    return _table(None, "Failures", text, ("Training", "Attempts", "Reason of the last"), rows, "lrl")


def data(document: Mapping) -> Table | None:
    """What was learned from."""
    found = tables.data(document)
    if found is None:
        return None
    kept = ("Folds never share a", plain(document["data"].get("group_by")))
    return dataclasses.replace(found, rows=(*found.rows, kept))


def summary(document: Mapping) -> Table | None:
    """The best network before and after pruning, and the baselines, in one look."""
    rows, chosen = [], best(document)
    for stage in key(chosen) if chosen else ():
        cells = percent(*measure(stage, "accuracy")), interval(stage, "accuracy"), percent(*measure(stage, "recall"))
        share = percent(stage.get("params_share"))
        rows.append((f"{label(chosen)}: {stage['title']}", *cells, decimals(*measure(stage, "auc")), share))
    for each in (*thresholding(document), *frozen(document).values()):
        accuracy, recall, auc = (measure(each.figures, name) for name in WITH_INTERVAL)
        rows.append((each.title, percent(*accuracy), MISSING, percent(*recall), decimals(*auc), MISSING))
    text = (
        "Accuracy is the share of all images that are judged correctly; recall is the share of the defective images "
        "that are found. All are measured on images that the network was not trained on."
    )
    # Its title is not seen on the page.
    first = f"Network ({OPTIMISTIC})" if document.get("select") == "best" else "Network"
    header = (first, "Accuracy (%)", "95 %", "Recall (%)", "ROC AUC", "Parameters (% of baseline)")
    note = "At the threshold 0.5. Mean ± standard deviation over repeats; 95 %: interval over samples."
    return _table(document, "Key figures of the best network", text, header, rows, "lrrrrr", note)


def _with_change(mean: float | None, change: float | None) -> str:
    """An accuracy of Table II with its change against the baseline, where there is one."""
    return hundredths(mean) + (f" ({points(change)})" if known(change) else "")


def _paper_note(document: Mapping) -> str:
    note = (
        f"The paper is {paper.CITATION}: ten repeats of ten folds on that factory’s own images. Its values show the "
        "order of magnitude and the trend, and cannot be compared one to one."
    )
    if found := imagenet_files(document):
        note += (
            f" Pretrained by a file: {', '.join(found)}, which has a head of 1000 classes behind a stem for colour "
            "images and is therefore taken for ImageNet weights, but need not be those of the paper."
        )
    return note


def _table(
    document: Mapping | None, title: str, text: str, header: Sequence[str], rows: Sequence, align: str, note: str = ""
) -> Table | None:
    """A table, marked as `marked` does; document is None where the epoch does not matter."""
    return marked(document or {}, tables.table(title, text, header, rows, align, note))
