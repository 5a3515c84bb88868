"""Misses and false alarms of a thousand images: the first table of a report."""

from wool_tf.cells import percent
from wool_tf.report import naming
from wool_tf.report.tables import Table, table
from wool_tf.study.results import Study
from wool_tf.study.score_results import Figures, Intervals


def per_thousand(study: Study) -> Table | None:
    """Misses and false alarms of a thousand images at the delivered rule, beside the baselines."""
    if study.delivered is None:
        return None
    at_rule = study.delivered.at_rule
    rows = [_row(f"Delivered: {study.delivered.int8_stage.title}", at_rule.figures, at_rule.interval)]
    for each in study.baselines:
        found = each.operating[0] if each.operating else each
        rows.append(_row(naming.baseline_title(study, each), found.figures, found.interval))
    given = at_rule.rule.threshold is not None
    by_rule = (
        f"at the threshold {at_rule.rule.threshold:g}, which was given. These are"
        if given
        else f"by this rule for the threshold: {naming.rule(at_rule.rule)}. On each fold the threshold comes from the "
        "other folds; so these are"
    )
    text = (
        "Of a thousand defective images, how many would pass unseen, and of a thousand sound ones, how many would be "
        f"rejected, {by_rule} figures of the files of the folds, while the delivered one was trained on all images. "
        "The intervals (95 %) are over physical samples."
    )
    header = ("", "Missed of 1000 defective", "95 %", "False alarms of 1000 sound", "95 %", "Accuracy (%)", "95 %")
    note = "Thresholding has limits of its own, found by trial; no rule parts its scores."
    if any(cell == "0–0" for row in rows for cell in row):
        # 0.05^(1/n): that many samples without an error happen one time in twenty.
        bound = 1000 * (1 - 0.05 ** (1 / study.judged.groups))
        note += (
            " 0–0: no image was judged wrongly, which does not show that none ever will be; if every one of the "
            f"{study.judged.groups} samples were of that class, up to {bound:.0f} of 1000 would still be possible, "
            "with fewer of them more."
        )
    return table("Misses and false alarms", text, header, rows, "lrrrrrr", note)


def _row(title: str, figures: Figures, interval: Intervals) -> tuple[str, ...]:
    low, high = interval["recall"]
    return (
        title,
        f"{1000 * (1 - figures.known_mean('recall')):.0f}",
        f"{1000 * (1 - high):.0f}–{1000 * (1 - low):.0f}",
        f"{1000 * figures.known_mean('false_alarm_rate'):.0f}",
        "–".join(f"{1000 * end:.0f}" for end in interval["false_alarm_rate"]),
        percent(figures.mean("accuracy")),
        naming.interval(interval["accuracy"]),
    )
