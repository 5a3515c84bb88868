"""How a report names and orders what a study holds."""

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wool_tf.cells import MISSING, known, percent
from wool_tf.data import defect_types
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.report import paper
from wool_tf.report.tables import Table
from wool_tf.study.board_results import Latency
from wool_tf.study.results import BASELINE, PRUNED, Configuration, Stage, Study
from wool_tf.study.score_results import FROZEN, THRESHOLDING, Baseline, Figures

OPTIMISTIC = "optimistic: best epoch"
"""Stands in the title of every table that the choice of the epoch flatters."""
_OPTIMISTIC_NOTE = (
    "Optimistic: of each training the epoch was kept that did best on the very images it is measured on "
    "(--select=best); only ASFP’s figures are of the last epoch. Do not expect these figures on new images."
)
OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}
TITLES = {THRESHOLDING: "Thresholding, without a network", FROZEN: "Logistic regression on frozen features"}
TYPES = {
    "D1": "melt drops",
    "D2": "binder lump",
    "D3": "shot cluster",
    "D4": "burnt wool",
    "D5": "moist wool",
    "D6": "dirt",
}
"""Types of defects in words, as the paper numbers them."""
_EXPLAINED = {
    THRESHOLDING: (
        "Thresholding is what factories do without a network: an image is defective if its area weight, or its "
        "contrast to what is around, is above a limit anywhere; the limits are found by trial on the training folds. "
        f"The paper reports {'–'.join(map(str, paper.THRESHOLDING))} % for it, on the factory’s images."
    ),
    FROZEN: (
        "Logistic regression on frozen features is what the initial weights give without any training of the network: "
        "a linear classifier, fitted to the training folds, reads the pooled features of its four stacks."
    ),
}


def ordered(study: Study) -> list[Configuration]:
    """The configurations in the paper's order: by depth, Adam before SGD, from scratch before pretrained."""
    return sorted(study.configurations, key=lambda one: (one.depth, one.optimizer, one.weights != "none"))


def stages(study: Study) -> Iterator[tuple[Configuration, Stage]]:
    """Every configuration with each of its stages."""
    return ((one, stage) for one in ordered(study) for stage in one.stages)


def float_stages(study: Study) -> Iterator[tuple[Configuration, Stage]]:
    """Without those of int8 files."""
    return ((one, stage) for one, stage in stages(study) if not stage.int8)


def key_stages(study: Study) -> Iterator[tuple[Configuration, Stage]]:
    """Every configuration with the stages that the report compares."""
    return ((one, stage) for one in ordered(study) for stage in key(study, one))


def key(study: Study, one: Configuration) -> list[Stage]:
    """The unpruned network and the delivered one, in float and int8; or the last round and the highest rate of ASFP."""
    delivered = study.delivered
    if delivered and delivered.configuration is one:
        named = dict.fromkeys((BASELINE, delivered.float_stage.name, delivered.int8_stage.name))
        return [stage for name in named if (stage := one.stage(name))]
    found: dict[str, tuple[float, Stage]] = {}
    for stage in one.stages:
        kind, number = parted(stage.name)
        if kind in (BASELINE, *PRUNED) and not stage.int8:
            found[kind] = max(found.get(kind, (number, stage)), (number, stage), key=lambda pair: pair[0])
    return [found[kind][1] for kind in (BASELINE, *PRUNED) if kind in found]


def best(study: Study) -> Configuration | None:
    """The configuration whose unpruned network judges the most images correctly."""
    measured = [(one.baseline.figures.mean("accuracy"), one) for one in ordered(study)]
    found = [(mean, one) for mean, one in measured if mean is not None]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def pruned_names(study: Study) -> list[str]:
    """Names of the paper's stages after pruning, of all configurations, in order."""
    return list(dict.fromkeys(stage.name for _, stage in float_stages(study) if is_pruned(stage)))


def is_pruned(stage: Stage) -> bool:
    """Whether a stage is one of the two methods of the paper, and neither the baseline nor a control."""
    return stage.name.startswith(PRUNED)


def is_control(stage: Stage) -> bool:
    """Whether a stage is a control, which is not expected to be good."""
    return stage.name != BASELINE and not is_pruned(stage)


def parted(name: str) -> tuple[str, float]:
    """The method of a stage and its number.

    Raises:
        ValueError: no stage has such a name.

    >>> parted("hard1"), parted("asfp12.5"), parted("baseline"), parted("hard3-int8")
    (('hard', 1.0), ('asfp', 12.5), ('baseline', 0.0), ('hard', 3.0))
    """
    found = re.fullmatch(r"([a-z]*)([0-9.]*)(?:-int8)?", name)
    if found is None:
        raise ValueError(f"{name}: is not the name of a stage")
    kind, number = found.groups()
    return kind, float(number or 0)


def short(name: str) -> str:
    """A pruned stage as the paper heads its columns: Round 1, ASFP 10 %."""
    method, number = parted(name)
    return f"Round {number:g}" if method == "hard" else f"ASFP {number:g} %"


def timed(row: Latency) -> str:
    """A model that was timed: compact int8, round 1 float32."""
    first, _, precision = row.model.partition(" ")
    return f"{inline(short(first))} {precision}" if first.startswith(PRUNED) else row.model


def script(study: Study) -> str:
    """The file name of the script that made a study; empty where its command names none."""
    return next((Path(word).name for word in study.command.split() if word.endswith(".py")), "")


def label(study: Study, one: Configuration) -> str:
    """A configuration as a person calls it: ResNet-18, Adam, pretrained."""
    start = _start(study, one, {False: "from scratch", True: "pretrained"}, "from ")
    return f"ResNet-{one.depth}, {OPTIMIZERS.get(one.optimizer, one.optimizer)}, {start}"


def full(study: Study, one: Configuration, stage: Stage) -> str:
    """A stage with its configuration, where there are several."""
    return stage.title if len(study.configurations) == 1 else f"{label(study, one)}: {stage.title}"


def file_of(study: Study, one: Configuration) -> str | None:
    """The file of pretrained weights, where configurations would be called alike without it."""
    alike = [paper.row(each) for each in study.configurations].count(paper.row(one)) > 1
    named = paper.row(one) is not None and alike and one.weights != "imagenet"
    return Path(one.weights).name if named else None


def _start(study: Study, one: Configuration, words: dict[bool, str], before: str) -> str:
    """What a network started from, in the words given, or the file of unknown contents."""
    if one.pretrained is None:
        return f"{before}{Path(one.weights).name}"
    file = file_of(study, one)
    return words[one.pretrained] + (f" ({file})" if file else "")


def baseline_title(study: Study, each: Baseline) -> str:
    """A baseline as rows and sentences call it."""
    if each.kind == THRESHOLDING:
        return TITLES[THRESHOLDING]
    of = next(one for one in ordered(study) if one.frozen == each.name)
    if len(study.configurations) == 1:
        return f"{TITLES[FROZEN]}, without training"
    start = _start(study, of, {False: "from scratch", True: "pretrained"}, "from ")
    return f"{TITLES[FROZEN]} of ResNet-{of.depth}, {start}"


def inline(title: str) -> str:
    """A title within a sentence.

    >>> inline("Hard pruning, round 1"), inline("ASFP, 30 %")
    ('hard pruning, round 1', 'ASFP, 30 %')
    """
    return title if title[:2].isupper() else title[0].lower() + title[1:]


def explained(study: Study) -> str:
    """A sentence on each kind of baseline that the study has."""
    kinds = dict.fromkeys(each.kind for each in study.baselines)
    return " ".join(_EXPLAINED[kind] for kind in kinds)


def types(defects: str) -> str:
    """Types of defects, joined by "+", with what they are in words; others stay as they are.

    >>> types("D1+D6"), types("scratch+scratch+"), types("")
    ('D1 melt drops + D6 dirt', 'scratch', '')
    """
    return " + ".join(f"{kind} {TYPES[kind]}" if kind in TYPES else kind for kind in defect_types.parted(defects))


def best_known(each: Baseline) -> Figures:
    """The figures of a baseline by the first rule of the study, where it has scores that a rule can part."""
    return each.operating[0].figures if each.operating else each.figures


def marked(study: Study, table: Table | None) -> Table | None:
    """The table, called optimistic where the choice of the epoch flatters its figures."""
    if table is None or not study.optimistic:
        return table
    title, note = f"{table.title} – {OPTIMISTIC}", f"{_OPTIMISTIC_NOTE} {table.note}"
    return dataclasses.replace(table, title=title, note=note)


def interval(ends: Sequence[float] | None, form: Callable[[float], str] = percent) -> str:
    """An interval: 96.1–98.4."""
    return "–".join(map(form, ends)) if ends else MISSING


def mean(figures: Figures, name: str, form: Callable[[float | None, float | None], str] = percent) -> str:
    """The mean of a metric over repeats, with its standard deviation."""
    return form(figures.mean(name), figures.std(name))


def hundredths(share: float | None) -> str:
    """A share from 0 to 1 in percent with two decimals, as the paper prints it."""
    return MISSING if share is None else f"{100 * share:.2f}"


def points(difference: float | None, digits: int = 2) -> str:
    """A difference of shares in percentage points, with its sign.

    >>> points(-0.0134), points(0.0042), points(0.00001)
    ('−1.34', '+0.42', '0.00')
    """
    if not known(difference):
        return MISSING
    size = f"{abs(100 * difference):.{digits}f}"
    sign = "" if float(size) == 0 else "−" if difference < 0 else "+"
    return sign + size


def rule(rule: ThresholdRule) -> str:
    """A rule for the threshold, for a column of its own."""
    if rule.recall is not None:
        return f"recall ≥ {rule.recall:g}"
    if rule.threshold is not None:
        return f"given: {rule.threshold:g}"
    return f"a miss costs {rule.cost_ratio:g} false alarm{'' if rule.cost_ratio == 1 else 's'}"
