"""The answer that a report begins with: is the delivered model fit for use, and what is to be done next."""

import dataclasses
import math
import shlex
from collections.abc import Iterator
from pathlib import Path

from wool_tf.cells import percent
from wool_tf.evaluation.thresholds import COST_RATIO
from wool_tf.report import advice, naming, stage_pairs
from wool_tf.study.board_results import Advantage
from wool_tf.study.results import Configuration, DeliveredModel, Stage, Study
from wool_tf.study.score_results import FROZEN, Baseline, Figures

FIT, NOT_FIT, UNKNOWN, COMPARED = "Fit for use", "Not fit for use", "Not enough data to say", "Compared, not delivered"
EQUALLED = "Not recommended: something simpler is as good"
"""Of a network that has a use all the same: its speed."""
FEW_GROUPS = 20
"""Bootstrap intervals of fewer samples are known to be too narrow."""
FEW_DEFECTIVE = 20
TOLERATED_LOSS = 0.01
"""How much accuracy int8 may cost."""
ROUNDING = 1e-9
"""Of a difference of two shares of images."""
CHEAPER = 0.5
"""Share of the unpruned network's multiply-accumulates up to which a network that merely equals its frozen features has
a use: its speed."""
EQUAL = 20.0
"""False alarms of a thousand images that an equal may cost more, at the worst end of the interval."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a reader wants to know first.

    Attributes:
        kind: `FIT`, `EQUALLED`, `NOT_FIT`, `UNKNOWN`, or `COMPARED` where nothing was delivered.
        reasons: why, a sentence each.
        advice: what to do next, in a sentence.
        command: the command that does it.
    """

    kind: str
    reasons: tuple[str, ...]
    advice: str
    command: str


def verdict(study: Study) -> Verdict:
    """The verdict on a study."""
    delivered = study.delivered
    if delivered is None:
        return _compared(study)
    for judge in (_too_little, _flattered, _useless, _beaten, _missed_recall, _quantised, _uncertain):
        if found := judge(study, delivered):
            return found
    equals = tuple(_equalled(study, delivered))
    needed = "If you need its speed, try" if equals else "Try"
    told = f"{needed} it on crops that it has never seen, then set up the board as BUILD.md says."
    model = str(Path(study.out) / delivered.delivery.files[-1].name)
    command = shlex.join([*advice.program(study, "tflite/classify.py"), model, "NEW_CROPS", "--csv"])
    reasons = (*equals, _told(delivered), *_spared(study, delivered), *_unlisted(study))
    return Verdict(EQUALLED if equals else FIT, reasons, told, command)


def _told(delivered: DeliveredModel) -> str:
    metrics = delivered.at_rule.figures.complete[0]
    return (
        f"By the delivered rule for the threshold, {metrics.missed} of {metrics.defective} defective images would pass "
        f"unseen and {_alarms(metrics.false_alarms)} would be raised on {metrics.sound} sound ones."
    )


def _alarms(number: int) -> str:
    return "1 false alarm" if number == 1 else f"{number} false alarms"


def _spared(study: Study, delivered: DeliveredModel) -> list[str]:
    ratio = delivered.delivery.rule.cost_ratio or COST_RATIO
    return [
        f"Against {naming.inline(_title(study, each))}, it spares {_cost(ratio, each.spared)} of 1000 images (95 % "
        f"interval {each.interval[0]:.0f} to {each.interval[1]:.0f})."
        for each in _to_be_beaten(delivered)
    ]


def _to_be_beaten(delivered: DeliveredModel) -> list[Advantage]:
    """What a network has to be better than to be recommended."""
    return [each for each in delivered.delivery.advantages if not _is_equal_and_cheaper(delivered, each)]


def _is_equal_and_cheaper(delivered: DeliveredModel, each: Advantage) -> bool:
    """Whether the network only equals a baseline, as far as the images tell, but does so at a fraction of its cost.

    Frozen features need the whole unpruned network on the board, so they are simpler to train and not to use. That the
    interval holds 0 is not enough: of few images every interval does.
    """
    share = delivered.float_stage.share_of(delivered.configuration.baseline, "macs")
    low, high = each.interval
    return each.kind == FROZEN and share is not None and share <= CHEAPER and -EQUAL <= low <= 0 <= high


def _equalled(study: Study, delivered: DeliveredModel) -> Iterator[str]:
    """What is as good without training, and what it would cost."""
    whole = delivered.configuration.baseline
    for each in delivered.delivery.advantages:
        if _is_equal_and_cheaper(delivered, each):
            share = delivered.float_stage.share_of(whole, "macs") or 1.0
            ratio = delivered.delivery.rule.cost_ratio or COST_RATIO
            yield (
                f"{_title(study, each)}, is as good, as far as these images tell: "
                f"{_told_of(naming.best_known(_baseline(study, each)))}; the network makes {_more(ratio, each)}. "
                f"It needs the unpruned network, with {1 / share:.1f} times the multiply-accumulates: take the pruned "
                "one where that is too slow, and not for its accuracy."
            )


def _cost(ratio: float, spared: float) -> str:
    return f"{spared:.0f} {_unit(ratio)}"


def _unit(ratio: float) -> str:
    return "wrong judgements" if ratio == 1 else f"false alarms, a miss counting as {ratio:g},"


def _more(ratio: float, each: Advantage) -> str:
    """How many more or fewer errors a network makes, with the interval."""
    word = "fewer" if each.spared > 0 else "more"
    return f"{abs(each.spared):.0f} {word} {_unit(ratio)} of 1000 images (95 % interval {ends(each.interval)})"


def ends(spared: tuple[float, float]) -> str:
    """An interval of spared judgements: `12 fewer to 18 more`, or `0 to 12 more` where both ends are on one side."""
    low, high = spared
    if low < 0 < high:
        return f"{high:.0f} fewer to {-low:.0f} more"
    near, far = sorted((abs(low), abs(high)))
    return f"{near:.0f} to {far:.0f} {'more' if low < 0 else 'fewer'}"


def _title(study: Study, each: Advantage) -> str:
    return naming.baseline_title(study, _baseline(study, each))


def _baseline(study: Study, each: Advantage) -> Baseline:
    """The baseline that an advantage is over."""
    found = study.baseline(each.kind, each.name)
    assert found is not None, f"{each.kind} {each.name}: was compared with, and is not among the baselines"
    return found


def _too_little(study: Study, delivered: DeliveredModel) -> Verdict | None:
    data = study.judged
    if data.groups >= FEW_GROUPS and data.defective >= FEW_DEFECTIVE:
        return None
    reason = (
        f"There are {data.groups} physical samples and {data.defective} defective images; figures of fewer than "
        f"{FEW_GROUPS} samples or {FEW_DEFECTIVE} defective images say next to nothing about others."
    )
    needed = max(FEW_GROUPS, math.ceil(data.groups * FEW_DEFECTIVE / max(data.defective, 1)))
    return Verdict(UNKNOWN, (reason, _told(delivered)), *advice.more_samples(study, needed))


def _flattered(study: Study, delivered: DeliveredModel) -> Verdict | None:
    """The figures are known to be too good, so that nothing follows from them."""
    flaw = _too_good(study)
    if flaw is None:
        return None
    reason, told, flag, value = flaw
    return Verdict(UNKNOWN, (reason, _told(delivered)), told, advice.otherwise(study, flag, value))


def _too_good(study: Study) -> tuple[str, str, str, str] | None:
    """Why the figures are too good, what to do, and the flag with the value that does it."""
    by = study.data.group_by
    if by != "sample":
        reason = (
            f"The folds keep only each {by} together, so the networks were judged on products that they had seen in "
            "training: the figures are too good, and no estimate for new products."
        )
        return reason, "Run it again with folds that keep every sample together.", "group_by", "sample"
    if study.optimistic:
        reason = (
            "Of each training the epoch was kept that did best on the images it is judged on: figures are too good."
        )
        return reason, "Run it again, keeping the last epoch.", "select", "last"
    return None


def _unlisted(study: Study) -> list[str]:
    """What a recommendation takes for granted where nothing says which images belong together."""
    if study.data.grouped:
        return []
    return ["This holds only if no two images show the same product; no manifest says which do."]


def _useless(study: Study, delivered: DeliveredModel) -> Verdict | None:
    majority = max(study.judged.defective, study.judged.sound) / study.judged.images
    accuracy = delivered.at_rule.figures.mean("accuracy")
    if accuracy is None or accuracy > majority:
        return None
    reason = (
        f"Its accuracy of {percent(accuracy)} % is no better than always giving the more frequent answer, which is "
        f"right for {percent(majority)} % of the images."
    )
    return Verdict(NOT_FIT, (reason, _told(delivered)), *advice.better_training(study, delivered.configuration))


def _beaten(study: Study, delivered: DeliveredModel) -> Verdict | None:
    """Something simpler is as good: then no network is recommended."""
    found = [each for each in _to_be_beaten(delivered) if each.spared <= 0]
    if not found:
        return None
    reasons = tuple(
        f"{_title(study, each)}, is as good or better: {_told_of(naming.best_known(_baseline(study, each)))}. The "
        f"network: {_told_of(delivered.at_rule.figures)}."
        for each in found
    )
    return Verdict(NOT_FIT, reasons, *advice.better_training(study, delivered.configuration))


def _told_of(figures: Figures) -> str:
    metrics = figures.complete[0]
    return f"{metrics.missed} of {metrics.defective} missed, {_alarms(metrics.false_alarms)} on {metrics.sound}"


def _missed_recall(study: Study, delivered: DeliveredModel) -> Verdict | None:
    point = delivered.at_rule
    asked, found = delivered.delivery.rule.recall, point.figures.mean("recall")
    if asked is None or found is None or round(found, 3) >= asked:
        return None
    low, high = point.interval["recall"]
    if high >= asked:
        reason = (
            f"A recall of {percent(asked)} % was asked for; on unseen images it is {percent(found)} % (95 % interval "
            f"{percent(low)}–{percent(high)}), which neither reaches nor rules it out."
        )
        return Verdict(UNKNOWN, (reason, _told(delivered)), *advice.more_samples(study, 2 * study.judged.groups))
    reason = f"A recall of {percent(asked)} % was asked for; on unseen images it is {percent(found)} %."
    return Verdict(NOT_FIT, (reason, _told(delivered)), *advice.better_training(study, delivered.configuration))


def _quantised(study: Study, delivered: DeliveredModel) -> Verdict | None:
    before, after = (stage.figures.mean("accuracy") for stage in (delivered.float_stage, delivered.int8_stage))
    if before is None or after is None or before - after <= TOLERATED_LOSS + ROUNDING:
        return None
    reason = f"Conversion to int8 lowers accuracy at the threshold 0.5 from {percent(before)} to {percent(after)} %."
    told = "Fine-tune it for int8 (quantisation-aware training) and compare."
    command = shlex.join([*advice.converting(study), "--precisions=qat", "--out=qat"])
    return Verdict(NOT_FIT, (reason, _told(delivered)), told, command)


def _uncertain(study: Study, delivered: DeliveredModel) -> Verdict | None:
    """It looks better than what is simpler, and might not be."""
    found = [each for each in _to_be_beaten(delivered) if each.interval[0] <= 0]
    if not found:
        return None
    # The width of an interval falls with the root of the number of samples.
    worst = max((each.interval[1] - each.interval[0]) / (2 * each.spared) for each in found)
    needed = math.ceil(study.judged.groups * worst**2 / 10) * 10
    return Verdict(UNKNOWN, (_told(delivered), *_spared(study, delivered)), *advice.more_samples(study, needed))


def _compared(study: Study) -> Verdict:
    """Which of several networks to deliver, if any."""
    best = max(study.baselines, key=_accuracy, default=None)
    better = smallest(study, _accuracy(best) if best else 0.0)
    chosen = better or smallest(study)
    if chosen is None:
        told = "No network has a complete repeat yet.", "Go on with the same command."
        return Verdict(COMPARED, told[:1], told[1], study.command)
    one, stage = chosen
    accuracy = percent(stage.figures.mean("accuracy"), stage.figures.std("accuracy"))
    reason = (
        f"The smallest network that this data cannot tell from the best is {naming.label(study, one)}: {stage.title}, "
        f"with {accuracy} % accuracy at the threshold 0.5."
    )
    flaw = _too_good(study)
    reasons = (*([flaw[0]] if flaw else []), reason)
    if best and better is None:
        simpler = (
            f"{naming.baseline_title(study, best)}, is as good or better, with {percent(_accuracy(best))} % accuracy, "
            "so none of the networks is recommended."
        )
        return Verdict(COMPARED, (simpler, *reasons), *advice.better_training(study, one))
    return Verdict(COMPARED, reasons, "Train it for the board.", advice.delivering(study, one, stage))


def _accuracy(each: Baseline) -> float:
    return each.figures.mean("accuracy") or 0.0


def smallest(study: Study, above: float = 0.0) -> tuple[Configuration, Stage] | None:
    """The stage with the fewest parameters that the images cannot tell from the most accurate one.

    They tell two apart where the interval of the difference, image by image in the first repeat, leaves out 0. It is
    too narrow where few images change sides, so that in doubt the larger network is kept.

    Arguments:
        study: Study.
        above: accuracy that it must exceed, a share.
    """
    found = [
        (stage.figures.mean("accuracy") or 0.0, one, stage)
        for one, stage in naming.float_stages(study)
        if stage.figures.complete and not naming.is_control(stage)
    ]
    if not found:
        return None
    best = max(found, key=lambda each: each[0])[2]
    equal = [
        (one, stage)
        for accuracy, one, stage in found
        # Where scores are not known, images do not say whether a stage equals the best.
        if accuracy > above and (stage is best or ((ends := stage_pairs.change(study, stage, best)) and ends[1] >= 0))
    ]
    return min(equal, key=lambda pair: pair[1].params or math.inf, default=None)
