"""What a reader of a report must know besides the verdict: the outcome in sentences, and what speaks against it."""

from collections.abc import Sequence

from wool_tf.cells import decimals, percent, ratio, significant
from wool_tf.report import naming, paper
from wool_tf.report.naming import OPTIMISTIC, label, points
from wool_tf.report.verdict import FEW_GROUPS, Verdict, verdict
from wool_tf.study.results import Configuration, Stage, Study
from wool_tf.study.score_results import FROZEN, Baseline, Figures

FEW_REPEATS = 5
"""The standard deviation of n repeats is itself uncertain by 1/√(2n − 2): by more than a third of it below five."""
POOR_RECALL = 0.9
TOLERATED_DISAGREEMENT = 0.02
NAMED = 3
"""Things of a kind that a sentence names before it only counts the rest."""


def sentences(study: Study) -> list[str]:
    """The outcome: quality before and after pruning, size and speed, and the paper."""
    one = study.delivered.configuration if study.delivered else naming.best(study)
    if one is None:
        return ["No network has a complete repeat yet, so there is nothing to report."]
    found = [_unpruned(study, one), *_others(study, one)]
    found += [_pruned(one, stage) for stage in naming.key(study, one)[1:] if stage.change is not None]
    found += [*_range(study), *_speed(study)]
    found = [_marked(study, sentence) for sentence in found]
    reported = paper.accuracy(one, "baseline")
    if reported is not None:
        found.append(f"The paper reports {reported:.2f} % for the same network before pruning, on its own images.")
    return found


def warnings(study: Study) -> list[str]:
    """What makes the figures doubtful, one sentence each, and first of all that no network is needed."""
    compared = [*_about_baselines(study), *_about_frozen_features(study)]
    return [
        *(_marked(study, sentence) for sentence in compared),
        *_about_selection(study),
        *_about_data(study),
        *_about_repeats(study),
        *_about_missing(study),
        *(_marked(study, sentence) for sentence in _about_stages(study)),
        *_about_int8(study),
    ]


def closing(study: Study) -> list[str]:
    """The outcome in lines for a terminal: the verdict, the baselines and every stage."""
    found: Verdict = verdict(study)
    lines = [f"{found.kind}: {' '.join(found.reasons)}"]
    lines += [f"{naming.baseline_title(study, each)}: {_line(naming.best_known(each))}" for each in study.baselines]
    for one, stage in naming.stages(study):
        parameters = f", {stage.params:,} parameters" if stage.params else ""
        lines.append(f"{naming.full(study, one, stage)}, at the threshold 0.5: {_line(stage.figures)}{parameters}")
    if study.delivered:
        point, title = study.delivered.at_rule, study.delivered.int8_stage.title
        lines.append(f"{title}, {naming.rule(point.rule)}: {_line(point.figures)}")
    return [*lines, f"Next: {found.advice}", f"  {found.command}"]


def _line(figures: Figures) -> str:
    if not figures.complete:
        return "no complete repeat"
    metrics = figures.complete[0]
    shares = ", ".join(f"{name} {decimals(figures.mean(name))}" for name in ("accuracy", "recall", "auc"))
    alarms = "1 false alarm" if metrics.false_alarms == 1 else f"{metrics.false_alarms} false alarms"
    return f"{shares}, {metrics.missed} missed, {alarms}"


def _marked(study: Study, sentence: str) -> str:
    """The sentence, called optimistic where the choice of the epoch flatters its figures."""
    return f"{sentence.removesuffix('.')} ({OPTIMISTIC})." if study.optimistic else sentence


def _unpruned(study: Study, one: Configuration) -> str:
    stage, number = one.baseline, len(study.configurations)
    which = (
        f"The best of {number} unpruned networks, {label(study, one)},"
        if number > 1
        else f"{label(study, one)}, unpruned,"
    )
    return (
        f"{which} judges {naming.mean(stage.figures, 'accuracy')} % of the held-out images correctly (95 % "
        f"interval {naming.interval(stage.interval.get('accuracy'))}), finds "
        f"{percent(stage.figures.mean('recall'))} % of the defective ones, and calls "
        f"{percent(stage.figures.mean('false_alarm_rate'))} % of the sound ones defective, at the threshold 0.5."
    )


def _others(study: Study, chosen: Configuration) -> list[str]:
    lowest = chosen.baseline.interval["accuracy"][0]
    means = [one.baseline.figures.mean("accuracy") for one in naming.ordered(study) if one is not chosen]
    known = [mean for mean in means if mean is not None]
    if not known:
        return []
    equal = sum(mean >= lowest for mean in known)
    if not equal:
        return ["The accuracies of all other networks lie below that interval."]
    return [
        f"The accuracy of {equal} of the {len(known)} other networks lies within that interval: this data hardly tells "
        "them from the best, and being picked as the best flatters it."
    ]


def _pruned(one: Configuration, stage: Stage) -> str:
    whole, figures = one.baseline, stage.figures
    kept = f"leaves {percent(stage.share_of(whole, 'params'))} % of its parameters and "
    kept += f"{percent(stage.share_of(whole, 'macs'))} % of its arithmetic"
    return (
        f"{stage.title}, {kept}, and changes its accuracy by {points(stage.change)} percentage points, to "
        f"{naming.mean(figures, 'accuracy')} %; {percent(figures.mean('recall'))} % of the defective images "
        "are found."
    )


def _range(study: Study) -> list[str]:
    changes = [stage.change for _, stage in naming.stages(study) if naming.is_pruned(stage) and not stage.int8]
    known = [change for change in changes if change is not None]
    if len(study.configurations) < 2 or not known:
        return []
    return [
        f"Over all networks, pruning changes the accuracy by {points(min(known))} to {points(max(known))} percentage "
        "points."
    ]


def _speed(study: Study) -> list[str]:
    rows = study.delivery.latency if study.delivery else ()
    same = [row for row in rows[1:] if "int8" in row.model and row.threads == rows[0].threads]
    if not same:
        return []
    first, best = rows[0], min(same, key=lambda row: row.p50_ms)
    return [
        f"Compared with “{first.model}”, the model “{best.model}” is {ratio(first.bytes, best.bytes)} smaller and "
        f"{ratio(first.p50_ms, best.p50_ms)} faster: {significant(best.p50_ms)} ms per image (median)."
    ]


def _strongest(study: Study) -> list[Baseline]:
    """Thresholding, and of the frozen features those that judge the most images correctly."""
    frozen = [each for each in study.baselines if each.kind == FROZEN]
    frozen.sort(key=lambda each: -(each.figures.mean("accuracy") or 0))
    return [*(each for each in study.baselines if each.kind != FROZEN), *frozen[:1]]


def _about_baselines(study: Study) -> list[str]:
    """Of a study that delivers, the verdict says it."""
    chosen, found = naming.best(study), []
    if chosen is None or study.delivered:
        return []
    ours = chosen.baseline.figures
    for each in _strongest(study):
        accuracy, recall = (each.figures.known_mean(name) for name in ("accuracy", "recall"))
        if accuracy >= ours.known_mean("accuracy"):
            found.append(
                f"{naming.baseline_title(study, each)}, judges {percent(accuracy)} % of the images correctly and finds "
                f"{percent(recall)} % of the defective ones; the best unpruned network does no better: "
                f"{percent(ours.mean('accuracy'))} and {percent(ours.mean('recall'))} %."
            )
    return found


def _about_frozen_features(study: Study) -> list[str]:
    """Networks that do not beat the features of the weights that they start from; controls are not meant to."""
    beaten = []
    for one, stage in naming.float_stages(study):
        own = study.baseline(FROZEN, one.frozen) if one.frozen else None
        accuracy = stage.figures.mean("accuracy")
        if own and accuracy is not None and not naming.is_control(stage):
            if accuracy <= own.figures.known_mean("accuracy"):
                beaten.append(naming.full(study, one, stage))
    if not beaten:
        return []
    return [
        "Training gained no accuracy, for logistic regression on frozen features of the initial weights judges as many "
        f"images correctly, or more, at the threshold 0.5: {_named(beaten)}."
    ]


def _about_selection(study: Study) -> list[str]:
    if not study.optimistic:
        return []
    return [
        "Run with --select=best: of each training the epoch was kept that did best on the very images it is measured "
        "on. All tables of accuracy are optimistic, save for ASFP; run with --select=last for figures to rely on."
    ]


def _about_data(study: Study) -> list[str]:
    data, found = study.data, []
    if not data.grouped:
        found.append(
            "No manifest says which images show the same product, so each counts as one of its own. If several do, "
            "the networks were tested on products that they had seen in training: all figures here are too good and "
            "the intervals too narrow. Write a manifest.csv with the columns path, label and group, or give "
            "--sample_from."
        )
    if data.group_by != "sample":
        found.append(
            f"The folds keep only each {data.group_by} together (--group_by={data.group_by}), so networks were tested "
            "on products that they had seen in training. The figures are too good on purpose, to show how much this "
            "leak flatters; they are no estimate for new products."
        )
    found += _mixture(study)
    if study.judged.images < data.images:
        folds = f"the first {len(study.folds[0])} of {study.settings.folds} folds"
        found.append(f"Only {folds} were trained: the figures are of {study.judged.images} of {data.images} images.")
    samples = study.judged.groups
    if samples < FEW_GROUPS:
        found.append(f"There are only {samples} physical samples: the intervals are wide, and still too narrow.")
    found += _about_alike(study)
    if data.skipped:
        found.append(f"Bad images that were left out: {len(data.skipped)} ({_named(data.skipped)}).")
    return found


def _about_alike(study: Study) -> list[str]:
    pairs = study.data.alike
    if not pairs:
        return []
    contrary = sum(pair.contrary for pair in pairs)
    differ = f", {contrary} of them with different labels" if contrary else ""
    number = f"{len(pairs)} pairs of images" if len(pairs) > 1 else "Two images"
    return [
        f"{number} that folds may part are alike{differ} ({_named([f'{p.first} and {p.second}' for p in pairs])}). If "
        "they show the same thing, the figures are too good; give such images one group."
    ]


def _mixture(study: Study) -> list[str]:
    """What is wrong with where the records come from, a sentence each."""
    told = []
    if len(study.commits) > 1:
        many = f"{len(study.commits)} versions of the code ({', '.join(study.commits)})"
        told.append(f"The records were made with {many}, which may differ.")
    if len(study.processors) > 1:
        told.append(
            f"The records were computed on {len(study.processors)} kinds of processors "
            f"({'; '.join(study.processors)}), which round in other ways: no one of them gives these very figures."
        )
    return told


def _about_repeats(study: Study) -> list[str]:
    repeats = len(study.folds)
    if repeats == 1:
        return ["There is only one repeat: how much chance in splitting and training matters is unknown."]
    if repeats < FEW_REPEATS:
        return [f"There are only {repeats} repeats (the paper has {paper.REPEATS}): the standard deviations are rough."]
    return []


def _about_missing(study: Study) -> list[str]:
    short = [(one, stage) for one, stage in naming.stages(study) if stage.missing]
    found = []
    if short:
        named = _named([f"{label(study, one)}: {stage.title} ({stage.missing})" for one, stage in short])
        found.append(
            f"Folds without a result: {sum(stage.missing for _, stage in short)}, because their training failed or "
            "has not run. A repeat that lacks one is left out, so these figures rest on fewer repeats, which may not "
            f"be a fair choice: {named}."
        )
    if study.failures:
        units = _named([one.unit for one in study.failures])
        found.append(f"Failed trainings: {len(study.failures)} ({units}); see Failures.")
    return found


def _about_stages(study: Study) -> list[str]:
    """Networks that are of little use; controls are not expected to be of any."""
    useless: list[str] = []
    poor: list[tuple[float, str]] = []
    majority = max(study.judged.defective, study.judged.sound) / study.judged.images
    for one, stage in naming.stages(study):
        accuracy, recall = stage.figures.mean("accuracy"), stage.figures.mean("recall")
        if naming.is_control(stage) or accuracy is None or recall is None:
            continue
        if accuracy <= majority:
            useless.append(naming.full(study, one, stage))
        elif recall < POOR_RECALL:
            poor.append((1 - recall, naming.full(study, one, stage)))
    found = []
    if useless:
        found.append(
            f"No better than always giving the more frequent answer, right for {percent(majority)} % of the images: "
            f"{_named(useless)}."
        )
    if poor:
        worst = [f"{name} ({percent(missed)} %)" for missed, name in sorted(poor, reverse=True)]
        limit = f"{100 * (1 - POOR_RECALL):.0f} %"
        found.append(f"At the threshold 0.5, more than {limit} of the defective images are missed by {_named(worst)}.")
    return found


def _about_int8(study: Study) -> list[str]:
    if study.delivery is None or study.delivery.held_out.agreement >= 1 - TOLERATED_DISAGREEMENT:
        return []
    apart = percent(1 - study.delivery.held_out.agreement)
    return [f"In int8, {apart} % of the held-out images are judged otherwise than in float, at the threshold 0.5."]


def _named(things: Sequence[str]) -> str:
    """The first few of some things, and how many more there are."""
    more = f" and {len(things) - NAMED} more" if len(things) > NAMED else ""
    return "; ".join(things[:NAMED]) + more
