"""What the paper claims, each with a verdict from our own records.

The builder is as those of `quality`.
"""

import math
from collections.abc import Iterator, Sequence

from wool_tf.cells import MISSING, percent
from wool_tf.evaluation import mover
from wool_tf.report import naming, paper, stage_pairs
from wool_tf.report.naming import points
from wool_tf.report.tables import Table, table
from wool_tf.study.results import Configuration, Stage, Study
from wool_tf.study.score_results import THRESHOLDING, Baseline

HOLDS, FAILS, UNCLEAR, NOT_RUN = "holds", "does not hold", "cannot be told", "not run"
NOR_THERE = "does not hold, nor in the paper’s tables"
ROUNDING = 0.005
"""Of the shares that follow from Table III, whose figures have two digits."""
Cells = tuple[str, str, str, str]
"""Claim, verdict, what the records say, and what the paper's tables say."""

LITTLE_LOST = f"hard pruning costs at most {paper.CLAIMED_DROP} points of accuracy"
RETAINED = "hard pruning retains accuracy better than ASFP"
HARD, ASFP = paper.PRUNED_STAGES[:3], paper.PRUNED_STAGES[3:]


def claims(study: Study) -> Table | None:
    """Every claim, and of several networks those that their stages bear on."""
    several = len(study.configurations) > 1
    rows = [
        (naming.label(study, one), *row) if several else row
        for one in naming.ordered(study)
        for row in _rows(study, one)
        # Of many networks a table would hold little else.
        if not (several and row[1] == NOT_RUN)
    ]
    text = (
        "What the paper claims, what its own tables say of it for the same network (or, of one that it has not, for "
        "all of the depth), and what the records of this run say. A claim cannot be told where the 95 % interval over "
        "samples holds both answers. Losses of accuracy are compared image by image, and by their means alone where a "
        "document names no images; networks are compared with thresholding by the intervals of both, which makes that "
        f"of the difference rather too wide. Ours are from the images in {study.data.folder}, not from the factory’s."
    )
    note = (
        f"The paper contradicts itself in places. Its largest loss is said to be {paper.CLAIMED_DROP} points, but "
        f"ResNet-34 with SGD and ImageNet weights falls by {_drop((34, 'sgd', True)):.2f} points in round 3, to "
        f"{paper.PRUNED[34, 'sgd', True][2]:.2f} %. Networks are said to keep {_range('params')} of their parameters; "
        f"by its Table III ResNet-34 keeps {_kept(34):.1f} % after round 3 and ResNet-18 {_kept(18):.1f} %. Table III "
        "follows from removing 10, 20, 20 and 30 % of the filters of the four stacks, not 30 % everywhere. There are "
        f"{paper.CROPS} crops of {paper.SCANS} scans of {paper.SAMPLES} samples, most of them scanned from three "
        "angles; its folds keep apart what was cut from one source image, not the scans of one sample. So its networks "
        "were tested on samples that they had seen in training, from another angle; --group_by=scan divides images as "
        "the paper does."
    )
    header = (*(("Network",) if several else ()), "Claim of the paper", "Verdict", "Here", "The paper’s tables")
    return naming.marked(study, table("The paper’s claims", text, header, rows, "l" * len(header), note))


def _range(count: str) -> str:
    low, high = paper.CLAIMED_SHARES[count]
    return f"{low} to {high} %"


def _drop(row: paper.RowKey) -> float:
    """Percentage points that three rounds of hard pruning cost in the paper."""
    return paper.BASELINE[row][0] - paper.PRUNED[row][2]


def _kept(depth: int) -> float:
    """Percent of the parameters that three rounds leave in the paper's Table III."""
    rounds = paper.COMPLEXITY[depth]
    return 100 * rounds[3][0] / rounds[0][0]


def _rows(study: Study, one: Configuration) -> Iterator[Cells]:
    hard = [stage for stage in one.stages if _measured(stage, "hard")]
    soft = [stage for stage in one.stages if _measured(stage, "asfp")]
    final = hard[-1] if hard else one.baseline
    if not final.figures.complete:
        return
    yield _accuracy(one, final)
    simple = study.baseline(THRESHOLDING)
    if simple is not None:
        yield _more_accurate(one, final, simple)
    if simple is not None and simple.figures.mean("recall"):
        yield _more_found(final, simple)
    if hard:
        yield _largest_drop(study, one, hard)
        yield _shares(one, hard, "params")
        yield _shares(one, hard, "operations")
    else:
        for claim in (LITTLE_LOST, _left("params"), _left("operations")):
            yield claim, NOT_RUN, "needs rounds of hard pruning", MISSING
    if hard and soft:
        yield _stability(study, one, hard, soft)
    else:
        yield RETAINED, NOT_RUN, "needs both in one run", _losses_of_both(one)


def _measured(stage: Stage, kind: str) -> bool:
    return stage.name.startswith(kind) and not stage.int8 and bool(stage.figures.complete)


def _judged(interval: tuple[float, float], limit: float) -> str:
    """Whether something is at least a limit; unclear where its interval holds both answers."""
    low, high = interval
    return HOLDS if low >= limit else FAILS if high < limit else UNCLEAR


def _reported(one: Configuration, stages: Sequence[str]) -> list[tuple[float, list[float]]]:
    """Accuracies in percent of the paper before and after stages, of its row, or of all rows of the depth."""
    known = paper.row(one)
    rows = [known] if known else [each for each in paper.BASELINE if each[0] == one.depth]
    return [
        (paper.BASELINE[each][0], [found for name in stages if (found := paper.pruned_accuracy(*each, name))])
        for each in rows
    ]


def _span(values: Sequence[float], unit: str) -> str:
    """Lowest to highest: 94.85 to 98.58 %, −1.34 to +0.25 points."""
    if not values:
        return MISSING
    low, high = (f"{value:.2f}" if unit == " %" else points(value / 100) for value in (min(values), max(values)))
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def _accuracy(one: Configuration, final: Stage) -> Cells:
    low, high = final.interval["accuracy"]
    mean, claimed = final.figures.known_mean("accuracy"), paper.CLAIMED_ACCURACY / 100
    held = UNCLEAR if low <= claimed <= high else HOLDS if mean > claimed else FAILS
    here = f"{final.title}: {percent(mean)} % ({naming.interval((low, high))})"
    reported = [after[-1] for _, after in _reported(one, HARD) if after]
    claim = f"more than {paper.CLAIMED_ACCURACY} % accuracy with a pruned network"
    return claim, held, here, _span(reported, " %")


def _more_accurate(one: Configuration, final: Stage, simple: Baseline) -> Cells:
    """Against thresholding."""
    ours, theirs = (each.figures.known_mean("accuracy") for each in (final, simple))
    around = _around(final, simple, "accuracy")
    ends = mover.difference(ours, around[0], theirs, around[1]) if around else None
    here = f"{points(ours - theirs)} points {_of_both(ours, theirs)}{_within(ends)}"
    reported = _span([after[-1] - paper.THRESHOLDING[1] for _, after in _reported(one, HARD) if after], " points")
    claim = f"at least {paper.CLAIMED_ADVANTAGE} points more accurate than thresholding"
    held = _judged(ends or (ours - theirs, ours - theirs), paper.CLAIMED_ADVANTAGE / 100)
    return claim, held, here, reported


def _more_found(final: Stage, simple: Baseline) -> Cells:
    """Against thresholding, which finds some."""
    ours, theirs = (each.figures.known_mean("recall") for each in (final, simple))
    more, around = ours / theirs - 1, _around(final, simple, "recall")
    low, high = (end - 1 for end in mover.ratio(ours, around[0], theirs, around[1])) if around else (more, more)
    here = f"{points(more, 1)} % {_of_both(ours, theirs)}"
    if around:
        here += f", 95 %: {points(low, 1)} % " + (f"to {points(high, 1)} %" if math.isfinite(high) else "or more")
    claim = f"finds {paper.CLAIMED_MORE_FOUND} % more defective products than thresholding"
    return claim, _judged((low, high), paper.CLAIMED_MORE_FOUND / 100), here, MISSING


def _around(final: Stage, simple: Baseline, metric: str) -> tuple[mover.Ends, mover.Ends] | None:
    """The intervals of both, where both have one."""
    ours, theirs = final.interval.get(metric), simple.interval.get(metric)
    return (ours, theirs) if ours and theirs else None


def _within(ends: mover.Ends | None) -> str:
    """An interval of a difference, for the end of a cell."""
    return f", 95 %: {points(ends[0])} to {points(ends[1])}" if ends else ""


def _of_both(ours: float, theirs: float) -> str:
    return f"({percent(ours)} against {percent(theirs)} %)"


def _largest_drop(study: Study, one: Configuration, hard: Sequence[Stage]) -> Cells:
    worst = _worst(hard)
    assert worst.change is not None
    ends = stage_pairs.change(study, worst, one.baseline)
    held = _judged(ends or (worst.change, worst.change), -paper.CLAIMED_DROP / 100)
    here = f"{points(worst.change)} points{_within(ends)}"
    drops = [min(after) - before for before, after in _reported(one, HARD) if after]
    if held == FAILS and drops and round(min(drops), 2) < -paper.CLAIMED_DROP:
        held = NOR_THERE
    return LITTLE_LOST, held, here, _span(drops, " points")


def _worst(stages: Sequence[Stage]) -> Stage:
    """The stage that loses most; a stage with a complete repeat has a change, as its unpruned network has."""
    return min((stage for stage in stages if stage.change is not None), key=lambda stage: stage.change or 0.0)


def _left(count: str) -> str:
    """The claim on what rounds leave: parameters, or operations."""
    return f"rounds leave {_range(count)} of the {'parameters' if count == 'params' else count}"


def _shares(one: Configuration, hard: Sequence[Stage], name: str) -> Cells:
    claimed = [percent / 100 for percent in paper.CLAIMED_SHARES[name]]
    shares = [share for stage in hard if (share := stage.share_of(one.baseline, name)) is not None]
    low, high = min(shares), max(shares)
    held = HOLDS if claimed[0] <= low and high <= claimed[1] else FAILS
    rounds, column = paper.COMPLEXITY.get(one.depth, ()), ("params", "operations").index(name)
    theirs = [after[column] / rounds[0][column] for after in rounds[1:]]
    if held == FAILS and theirs:
        inside = claimed[0] - ROUNDING <= min(theirs) and max(theirs) <= claimed[1] + ROUNDING
        held = FAILS if inside else NOR_THERE
    here = f"{percent(low)}–{percent(high)} %"
    there = f"{percent(min(theirs))}–{percent(max(theirs))} %" if theirs else MISSING
    return _left(name), held, here, there


def _stability(study: Study, one: Configuration, hard: Sequence[Stage], soft: Sequence[Stage]) -> Cells:
    """Whether hard pruning is more stable than ASFP: its largest loss of accuracy over the stages is smaller."""
    by_hard, by_asfp = _worst(hard), _worst(soft)
    assert by_hard.change is not None and by_asfp.change is not None
    difference, ends = by_hard.change - by_asfp.change, stage_pairs.change(study, by_hard, by_asfp)
    # Where images are not known: a difference of a single one tells nothing.
    same = ends[0] <= 0 <= ends[1] if ends else abs(difference) * study.judged.images < 1.5
    held = UNCLEAR if same else HOLDS if difference > 0 else FAILS
    here = f"{points(by_hard.change)} points by hard pruning, {points(by_asfp.change)} by ASFP"
    here += f"; difference {points(difference)} points{_within(ends)}"
    return RETAINED, held, here, _losses_of_both(one)


def _losses_of_both(one: Configuration) -> str:
    """The largest losses of the paper's networks by either method."""
    hard, asfp = (
        _span([min(after) - before for before, after in _reported(one, names) if after], " points")
        for names in (HARD, ASFP)
    )
    return f"{hard} by hard pruning, {asfp} by ASFP"
