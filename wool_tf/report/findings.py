"""What a reader of the report must know first: the outcome in a few sentences, and what speaks against it."""

from collections.abc import Mapping

from wool_tf.report import baselines, delivered, provenance
from wool_tf.report.cells import decimals, known, percent, ratio, significant
from wool_tf.report.tables import as_decided, key_stages, measure

POOR_RECALL = 0.9
TOLERATED_LOSS = 0.01
"""How much accuracy or recall int8 may cost before it is worth a warning."""
TOLERATED_DISAGREEMENT = 0.02


def sentences(results: Mapping) -> list[str]:
    """The outcome of the run: quality before and after pruning and in int8, size and speed."""
    stages = key_stages(results)
    found = []
    if "baseline" in stages:
        found.append(f"Before pruning, {_quality(stages['baseline'])}.")
    if "final" in stages:
        final = stages["final"]
        found.append(
            f"After pruning ({final['title']}), {_quality(final)}. The network keeps {_share(final, 'params_share')} "
            f"of its parameters and {_share(final, 'macs_share')} of its arithmetic."
        )
    if "int8" in stages:
        found.append(f"In int8, {_quality(stages['int8'])}.")
    return found + delivered.outcome(results) + _speed(results)


def closing(results: Mapping) -> list[str]:
    """The outcome in lines for a terminal: the baselines first, every stage at 0.5, and the delivered model."""
    lines = delivered.verdict(results)
    lines += [f"{each.title}: {_line(each.figures)}" for each in baselines.of_run(results)]
    for stage in results["stages"]:
        lines.append(f"{stage['title']}, at the threshold 0.5: {_line(stage)}, {stage['params']:,} parameters")
    return lines + delivered.outcome(results)


def _line(stage: Mapping) -> str:
    return ", ".join(f"{name} {decimals(measure(stage, name)[0])}" for name in ("accuracy", "recall", "auc"))


def warnings(results: Mapping) -> list[str]:
    """What makes the figures of a run doubtful, one sentence each, and first of all that no network is needed."""
    found = delivered.verdict(results)
    return [*found, *_about_folds(results), *_about_stages(results), *_about_int8(results), *_about_timing(results)]


def _quality(stage: Mapping) -> str:
    accuracy, recall, auc = (measure(stage, name) for name in ("accuracy", "recall", "auc"))
    return (
        f"{percent(*accuracy)}\u00a0% of the held-out images are judged correctly and {percent(*recall)}\u00a0% of the "
        f"defective ones are found at the threshold 0.5 (ROC AUC {decimals(*auc)})"
    )


def _share(stage: Mapping, name: str) -> str:
    return f"{percent(stage.get(name))}\u00a0%"


def _speed(results: Mapping) -> list[str]:
    rows = [row for row in results.get("latency") or () if known(row.get("p50_ms"))]
    if not rows or rows[0] is not results["latency"][0]:
        return []
    first = rows[0]
    same = [row for row in rows[1:] if "int8" in row["model"] and row.get("threads") == first.get("threads")]
    if not same:
        return []
    best = min(same, key=lambda row: row["p50_ms"])
    smaller = ratio(first.get("bytes"), best.get("bytes"))
    return [
        f"Compared with “{first['model']}”, the model “{best['model']}” is {smaller} smaller and "
        f"{ratio(first['p50_ms'], best['p50_ms'])} faster: {significant(best['p50_ms'])}\u00a0ms per image (median)."
    ]


def _about_folds(results: Mapping) -> list[str]:
    folds, found = results.get("folds") or (), []
    if (results.get("data") or {}).get("grouped") is False:
        found.append(
            "No manifest says which images show the same product, so each counts as one of its own. If several do, "
            "the network was tested on products that it had seen in training, and all figures here are too good."
        )
    found += filter(None, (provenance.leak(results.get("data") or {}), *provenance.mixture(results)))
    for number, fold in enumerate(folds, start=1):
        images, defective = fold.get("images"), fold.get("defective")
        if images and known(defective) and defective in (0, images):
            missing = "defective" if defective == 0 else "non-defective"
            measures = "recall and ROC AUC" if defective == 0 else "false alarms and ROC AUC"
            found.append(f"Held-out fold {number} has no {missing} image: {measures} cannot be measured on it.")
    if len(folds) == 1:
        found.append("There is only one fold: how much the figures vary with the data is unknown.")
    return found


def _about_stages(results: Mapping) -> list[str]:
    found = []
    data = results.get("data") or {}
    images, defective = data.get("images"), data.get("defective")
    majority = max(defective, images - defective) / images if images and known(defective) else None
    for stage in key_stages(results).values():
        recall, accuracy = measure(stage, "recall")[0], measure(stage, "accuracy")[0]
        if known(recall) and recall < POOR_RECALL:
            per_fold = [fold["recall"] for fold in stage.get("folds") or () if known(fold.get("recall"))]
            worst = f" ({percent(1 - min(per_fold))} % in the worst fold)" if len(per_fold) > 1 else ""
            missed = f"misses {percent(1 - recall)} % of the defective images{worst}"
            found.append(f"{stage['title']} {missed} at the threshold 0.5{_otherwise(stage)}.")
        if known(accuracy) and known(majority) and accuracy <= majority:
            found.append(
                f"{stage['title']}: the accuracy of {percent(accuracy)} % is no better than always giving the more "
                f"frequent answer, which is right for {percent(majority)} % of the images."
            )
    return found


def _otherwise(stage: Mapping) -> str:
    decided = as_decided(stage)
    return f", and {percent(1 - measure(decided, 'recall')[0])} % by the delivered rule" if decided else ""


def _about_int8(results: Mapping) -> list[str]:
    stages, found = key_stages(results), []
    whole = stages.get("final") or stages.get("baseline")
    for name in ("accuracy", "recall") if "int8" in stages else ():
        before, after = measure(whole or {}, name)[0], measure(stages["int8"], name)[0]
        if known(before) and known(after) and before - after > TOLERATED_LOSS:
            found.append(
                f"Conversion to int8 lowers {name} at the threshold 0.5 from {percent(before)} to {percent(after)} %."
            )
    agreement = ((results.get("final") or {}).get("check") or {}).get("agreement")
    if known(agreement) and agreement < 1 - TOLERATED_DISAGREEMENT:
        found.append(
            f"In int8, {percent(1 - agreement)} % of the held-out images are judged otherwise than in float, at the "
            "threshold 0.5."
        )
    return found


def _about_timing(results: Mapping) -> list[str]:
    return [f"Timing: {warning}" for warning in results.get("latency_warnings") or ()]
