"""What the paper claims, each with a verdict from our own records.

The claims are those of its abstract, section V and conclusion; the builder is as those of `quality`.
"""

from collections.abc import Iterator, Sequence

from wool_tf.cells import percent
from wool_tf.report import naming, paper
from wool_tf.report.naming import points
from wool_tf.report.tables import Table, table
from wool_tf.study.results import Configuration, Stage, Study
from wool_tf.study.score_results import THRESHOLDING

HOLDS, FAILS, UNCLEAR = "holds", "does not hold", "cannot be told"
ACCURACY, ADVANTAGE, MORE_FOUND, LARGEST_DROP = 0.98, 0.1696, 0.20, 0.0134
PARAMETERS, OPERATIONS = (0.10, 0.40), (0.10, 0.45)
Cells = tuple[str, str, str, str]


def claims(study: Study) -> Table | None:
    """Every claim that the stages of the study bear on."""
    rows = [row for one in naming.ordered(study) for row in _rows(study, one)]
    text = (
        "What the paper claims, and what the records of this run say of it. A claim cannot be told where the 95 % "
        f"interval over samples holds both answers. Ours are from the images in {study.data.folder}, not from the "
        "factory’s."
    )
    note = (
        "The paper contradicts itself in places. Its largest loss is said to be 1.34 points, but ResNet-34 with SGD "
        f"and ImageNet weights falls by {_drop((34, 'sgd', True)):.2f} points in round 3, to "
        f"{paper.PRUNED[34, 'sgd', True][2]:.2f} %. Networks are said to keep 10 to 40 % of their parameters; by its "
        f"Table III ResNet-34 keeps {_kept(34):.1f} % after round 3 and ResNet-18 {_kept(18):.1f} %. Table III follows "
        "from removing 10, 20, 20 and 30 % of the filters of the four stages, not 30 % everywhere. There are 478 crops "
        "of 316 scans of 153 samples, most of them scanned from three angles; its folds keep apart what was cut from "
        "one source image, not the scans of one sample. So its networks were tested on samples that they had seen in "
        "training, from another angle; --group_by=scan divides images as the paper does."
    )
    header = ("Network", "Claim of the paper", "Here", "Verdict")
    return naming.marked(study, table("The paper’s claims", text, header, rows, "llll", note))


def _drop(recipe: paper.Recipe) -> float:
    """Percentage points that three rounds of hard pruning cost in the paper."""
    return paper.BASELINE[recipe][0] - paper.PRUNED[recipe][2]


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
    yield _accuracy(study, one, final)
    yield from _against_thresholding(study, one, final)
    if hard:
        yield _largest_drop(study, one, hard)
        yield _shares(study, one, hard, "params", "parameters", PARAMETERS)
        yield _shares(study, one, hard, "operations", "operations", OPERATIONS)
    if hard and soft:
        yield _stability(study, one, hard, soft)


def _measured(stage: Stage, kind: str) -> bool:
    return stage.name.startswith(kind) and not stage.int8 and bool(stage.figures.complete)


def _accuracy(study: Study, one: Configuration, final: Stage) -> Cells:
    low, high = final.interval["accuracy"]
    mean = final.figures.known_mean("accuracy")
    held = UNCLEAR if low <= ACCURACY <= high else HOLDS if mean > ACCURACY else FAILS
    here = f"{final.title}: {percent(mean)} % ({naming.interval((low, high))})"
    return naming.label(study, one), "more than 98 % accuracy with a pruned network", here, held


def _against_thresholding(study: Study, one: Configuration, final: Stage) -> Iterator[Cells]:
    simple = study.baseline(THRESHOLDING)
    if simple is None:
        return
    ours, theirs = final.figures, simple.figures
    gain = ours.known_mean("accuracy") - theirs.known_mean("accuracy")
    here = f"{points(gain)} points ({percent(ours.mean('accuracy'))} against {percent(theirs.mean('accuracy'))} %)"
    held = HOLDS if gain >= ADVANTAGE else FAILS
    yield naming.label(study, one), "at least 16.96 points more accurate than thresholding", here, held
    if theirs.known_mean("recall"):
        more = ours.known_mean("recall") / theirs.known_mean("recall") - 1
        here = f"{points(more, 1)} % ({percent(ours.mean('recall'))} against {percent(theirs.mean('recall'))} %)"
        held = HOLDS if more >= MORE_FOUND else FAILS
        yield naming.label(study, one), "finds 20 % more defective products than thresholding", here, held


def _largest_drop(study: Study, one: Configuration, hard: Sequence[Stage]) -> Cells:
    worst = _worst(hard)
    held = HOLDS if worst >= -LARGEST_DROP else FAILS
    here = f"{points(worst)} points"
    return naming.label(study, one), "hard pruning costs at most 1.34 points of accuracy", here, held


def _worst(stages: Sequence[Stage]) -> float:
    """The change of the stage that loses most; a stage with a complete repeat has one, as its unpruned network has."""
    return min(stage.change for stage in stages if stage.change is not None)


def _shares(
    study: Study, one: Configuration, hard: Sequence[Stage], name: str, word: str, claimed: tuple[float, float]
) -> Cells:
    shares = [share for stage in hard if (share := stage.share_of(one.baseline, name)) is not None]
    low, high = min(shares), max(shares)
    held = HOLDS if claimed[0] <= low and high <= claimed[1] else FAILS
    here = f"{percent(low)}–{percent(high)} %"
    told = f"rounds leave {100 * claimed[0]:.0f} to {100 * claimed[1]:.0f} % of the {word}"
    return naming.label(study, one), told, here, held


def _stability(study: Study, one: Configuration, hard: Sequence[Stage], soft: Sequence[Stage]) -> Cells:
    """Whether hard pruning is more stable than ASFP: its largest loss of accuracy over the stages is smaller."""
    by_hard, by_asfp = _worst(hard), _worst(soft)
    # A difference of a single image tells nothing.
    same = abs(by_hard - by_asfp) * study.judged.images < 1.5
    held = UNCLEAR if same else HOLDS if by_hard > by_asfp else FAILS
    here = f"largest change {points(by_hard)} points by hard pruning, {points(by_asfp)} by ASFP"
    return naming.label(study, one), "hard pruning retains accuracy better than ASFP", here, held
