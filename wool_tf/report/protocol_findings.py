"""What a reader of a protocol's report must know first: the outcome in a few sentences, and what speaks against it."""

from collections.abc import Mapping, Sequence

from wool_tf.report import paper, provenance
from wool_tf.report.baselines import Baseline
from wool_tf.report.cells import MISSING, known, percent
from wool_tf.report.protocol_views import (
    BASELINE,
    OPTIMISTIC,
    best,
    every_stage,
    false_alarm_rate,
    find,
    frozen,
    interval,
    is_pruned,
    key_stages,
    label,
    ordered,
    points,
    strongest,
)
from wool_tf.report.tables import measure

FEW_REPEATS = 5
"""The standard deviation of n repeats is itself uncertain by 1/√(2n − 2): by more than a third of it below five."""
FEW_GROUPS = 20
"""Bootstrap intervals of fewer samples are known to be too narrow."""
POOR_RECALL = 0.9
NAMED = 3
"""Things of a kind that a sentence names before it only counts the rest."""


def sentences(document: Mapping) -> list[str]:
    """The outcome: the best network, the cost of pruning, and how both compare with the baselines and the paper."""
    chosen = best(document)
    if chosen is None:
        return ["No network has a complete repeat yet, so there is nothing to report."]
    found = [_best(document, chosen), *_others(document, chosen)]
    found += [_pruned(stage) for configuration, stage in key_stages(document) if _shows(configuration, stage, chosen)]
    found += [*_range(document), *_operating(chosen)]
    found += [_beside(each, chosen) for each in strongest(document)]
    return [*(_marked(document, sentence) for sentence in found), *_paper(chosen)]


def warnings(document: Mapping) -> list[str]:
    """What makes the figures doubtful, one sentence each, and first of all that no network is needed."""
    compared = [*_about_baselines(document), *_about_frozen_features(document)]
    return [
        *(_marked(document, sentence) for sentence in compared),
        *_about_selection(document),
        *_about_data(document),
        *_about_repeats(document),
        *_about_missing(document),
        *(_marked(document, sentence) for sentence in _about_stages(document)),
    ]


def _marked(document: Mapping, sentence: str) -> str:
    """The sentence, called optimistic where the choice of the epoch flatters its figures."""
    return f"{sentence.removesuffix('.')} ({OPTIMISTIC})." if document.get("select") == "best" else sentence


def _best(document: Mapping, chosen: Mapping) -> str:
    stage, number = find(chosen, BASELINE), len(document["configurations"])
    which = f"The best of {number} unpruned networks, {label(chosen)}," if number > 1 else f"{label(chosen)}, unpruned,"
    return (
        f"{which} judges {percent(*measure(stage, 'accuracy'))}\u00a0% of the held-out images correctly (95 % interval "
        f"{interval(stage, 'accuracy')}), finds {percent(measure(stage, 'recall')[0])}\u00a0% of the defective ones, "
        f"and calls {percent(false_alarm_rate(stage))}\u00a0% of the sound ones defective."
    )


def _others(document: Mapping, chosen: Mapping) -> list[str]:
    lowest = find(chosen, BASELINE)["interval"]["accuracy"][0]
    means = [measure(find(c, BASELINE) or {}, "accuracy")[0] for c in ordered(document) if c is not chosen]
    means = [mean for mean in means if known(mean)]
    if not means:
        return []
    equal = sum(mean >= lowest for mean in means)
    if not equal:
        return ["The accuracies of all other networks lie below that interval."]
    return [
        f"The accuracy of {equal} of the {len(means)} other networks lies within that interval: this data hardly tells "
        "them from the best, and being picked as the best flatters it."
    ]


def _shows(configuration: Mapping, stage: Mapping, chosen: Mapping) -> bool:
    return configuration is chosen and is_pruned(stage["stage"]) and known(stage.get("drop"))


def _pruned(stage: Mapping) -> str:
    return (
        f"{stage['title']}, leaves it {percent(stage['params_share'])}\u00a0% of its parameters and "
        f"{percent(stage['macs_share'])}\u00a0% of its arithmetic, and changes its accuracy by {points(stage['drop'])} "
        f"percentage points, to {percent(*measure(stage, 'accuracy'))}\u00a0%; "
        f"{percent(measure(stage, 'recall')[0])}\u00a0% of the defective images are found."
    )


def _range(document: Mapping) -> list[str]:
    drops = [stage["drop"] for _, stage in every_stage(document) if is_pruned(stage["stage"]) and known(stage["drop"])]
    if len(document["configurations"]) < 2 or not drops:
        return []
    return [
        f"Over all networks, pruning changes the accuracy by {points(min(drops))} to {points(max(drops))} percentage "
        "points."
    ]


def _operating(chosen: Mapping) -> list[str]:
    """What a required recall costs the last of the key stages that were hard-pruned, or the baseline."""
    hard = [stage for stage in chosen["stages"] if stage["stage"].startswith("hard")]
    stage = (hard or [find(chosen, BASELINE)])[-1]
    for found in stage.get("operating") or ():
        if found["rule"].startswith("recall"):
            return [
                f"With its threshold set for {found['rule']}, {stage['title']} finds {percent(found['recall'])}\u00a0% "
                f"of the defective images at {percent(found['false_alarm_rate'])}\u00a0% false alarms."
            ]
    return []


def _beside(each: Baseline, chosen: Mapping) -> str:
    """A baseline beside the best network."""
    accuracy, recall = (measure(each.figures, name)[0] for name in ("accuracy", "recall"))
    whole, whole_recall = (measure(find(chosen, BASELINE), name)[0] for name in ("accuracy", "recall"))
    papers = "" if each.paper == MISSING else f" (in the paper {each.paper}\u00a0%)"
    return (
        f"{each.title}, judges {percent(accuracy)}\u00a0% of the images correctly{papers} and finds "
        f"{percent(recall)}\u00a0% of the defective ones. The network is {_better(whole - accuracy)} in accuracy and "
        f"{_better(whole_recall - recall)} in recall."
    )


def _better(difference: float) -> str:
    return f"{percent(abs(difference))} percentage points {'worse' if difference < 0 else 'better'}"


def _paper(chosen: Mapping) -> list[str]:
    reported = paper.accuracy(chosen, BASELINE)
    if reported is None:
        return []
    return [f"The paper reports {reported:.2f}\u00a0% for the same network before pruning, on its own images."]


def _about_baselines(document: Mapping) -> list[str]:
    chosen, found = best(document), []
    if chosen is None:
        return []
    accuracy, recall = (measure(find(chosen, BASELINE), name)[0] for name in ("accuracy", "recall"))
    for each in strongest(document):
        shares = [measure(each.figures, name)[0] for name in ("accuracy", "recall")]
        if shares[0] >= accuracy:
            found.append(
                f"{each.title}, judges {percent(shares[0])} % of the images correctly and finds {percent(shares[1])} % "
                f"of the defective ones; the best unpruned network does no better: {percent(accuracy)} and "
                f"{percent(recall)} %."
            )
    return found


def _about_frozen_features(document: Mapping) -> list[str]:
    """Networks that do not beat the features of the weights that they start from; controls are not meant to."""
    beside, beaten = frozen(document), []
    for configuration, stage in every_stage(document):
        own, accuracy = beside.get(configuration.get("frozen_features")), measure(stage, "accuracy")[0]
        if own and known(accuracy) and (stage["stage"] == BASELINE or is_pruned(stage["stage"])):
            if accuracy <= measure(own.figures, "accuracy")[0]:
                beaten.append(f"{label(configuration)}: {stage['title']}")
    if not beaten:
        return []
    return [
        "Not worth their training, for logistic regression on frozen features of the weights that they start from "
        f"judges as many images correctly, or more: {_named(beaten)}."
    ]


def _about_selection(document: Mapping) -> list[str]:
    if document.get("select") != "best":
        return []
    return [
        "Run with --select=best: of each training the epoch was kept that did best on the very images it is measured "
        "on. All tables of accuracy are optimistic, save for ASFP; run with --select=last for figures to rely on."
    ]


def _about_data(document: Mapping) -> list[str]:
    data, found = document.get("data") or {}, []
    if data.get("grouped") is False:
        found.append(
            "No manifest says which images show the same product, so each counts as one of its own. If several do, "
            "the networks were tested on products that they had seen in training: all figures here are too good and "
            "the intervals too narrow."
        )
    found += filter(None, (provenance.leak(data), *provenance.mixture(document)))
    groups = data.get("groups")
    if known(groups) and groups < FEW_GROUPS:
        found.append(f"There are only {groups} physical samples: the intervals are wide, and still too narrow.")
    skipped = data.get("skipped") or ()
    if skipped:
        found.append(f"Bad images that were left out: {len(skipped)} ({_named(skipped)}).")
    return found


def _about_repeats(document: Mapping) -> list[str]:
    repeats = max((len(stage.get("repeats") or ()) for _, stage in every_stage(document)), default=0)
    if repeats == 1:
        return ["There is only one repeat: how much chance in splitting and training matters is unknown."]
    if 1 < repeats < FEW_REPEATS:
        return [f"There are only {repeats} repeats (the paper has 10): the standard deviations are rough."]
    return []


def _about_missing(document: Mapping) -> list[str]:
    short = [(c, stage) for c, stage in every_stage(document) if stage.get("missing")]
    found, failed = [], document.get("failures") or ()
    if short:
        named = _named([f"{label(c)}: {stage['title']} ({stage['missing']})" for c, stage in short])
        found.append(
            f"Folds without a result: {sum(stage['missing'] for _, stage in short)}, because their training failed or "
            "has not run. A repeat that lacks one is left out, so these figures rest on fewer repeats, which may not "
            f"be a fair choice: {named}."
        )
    if failed:
        found.append(f"Failed trainings: {len(failed)} ({_named([row['unit'] for row in failed])}); see Failures.")
    return found


def _about_stages(document: Mapping) -> list[str]:
    """Networks that are of little use; of controls nobody expects any."""
    data, useless, poor = document.get("data") or {}, [], []
    images, defective = data.get("images"), data.get("defective")
    majority = max(defective, images - defective) / images if images and known(defective) else None
    for configuration, stage in every_stage(document):
        name = f"{label(configuration)}: {stage['title']}"
        accuracy, recall = measure(stage, "accuracy")[0], measure(stage, "recall")[0]
        if stage["stage"] != BASELINE and not is_pruned(stage["stage"]):
            continue
        if known(accuracy) and known(majority) and accuracy <= majority:
            useless.append(name)
        elif known(recall) and recall < POOR_RECALL:
            poor.append((1 - recall, name))
    found = []
    if useless:
        found.append(
            f"No better than always giving the more frequent answer, right for {percent(majority)} % of the images: "
            f"{_named(useless)}."
        )
    if poor:
        worst = [f"{name} ({percent(missed)} %)" for missed, name in sorted(poor, reverse=True)]
        limit = f"{100 * (1 - POOR_RECALL):.0f} %"
        found.append(f"More than {limit} of the defective images are missed by {_named(worst)}.")
    return found


def _named(things: Sequence[str]) -> str:
    """The first few of some things, and how many more there are."""
    more = f" and {len(things) - NAMED} more" if len(things) > NAMED else ""
    return "; ".join(things[:NAMED]) + more
