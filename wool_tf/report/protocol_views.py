"""What tables, plots and sentences of a protocol's report read from its results document, and how they name it."""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from wool_tf.evaluation.bootstrap import WITH_INTERVAL
from wool_tf.report import baselines, paper
from wool_tf.report.baselines import FROZEN, Baseline
from wool_tf.report.cells import MISSING, known, percent
from wool_tf.report.tables import Table, measure

BASELINE = "baseline"
PRUNED = ("hard", "asfp")
OPTIMISTIC = "optimistic: best epoch"
"""Stands in the title of every table that the choice of the epoch flatters."""
_OPTIMISTIC_NOTE = (
    "Optimistic: of each training the epoch was kept that did best on the very images it is measured on "
    "(--select=best); only ASFP’s figures are of the last epoch. Do not expect these figures on new images."
)
OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}
PRETRAINED = {False: "no", True: "yes"}
STARTS = {False: "from scratch", True: "pretrained"}


def marked(document: Mapping, table: Table | None) -> Table | None:
    """The table, called optimistic where the choice of the epoch flatters its figures."""
    if table is None or document.get("select") != "best":
        return table
    title, note = f"{table.title} – {OPTIMISTIC}", f"{_OPTIMISTIC_NOTE} {table.note}"
    return dataclasses.replace(table, title=title, note=note)


def ordered(document: Mapping) -> list[Mapping]:
    """The configurations in the paper's order: by depth, Adam before SGD, from scratch before pretrained."""
    found = document.get("configurations") or ()
    return sorted(found, key=lambda one: (one["depth"], one["optimizer"], one["weights"] != "none"))


def best(document: Mapping) -> Mapping | None:
    """The configuration whose unpruned network judges the most images correctly."""
    means = [measure(find(one, BASELINE) or {}, "accuracy")[0] for one in ordered(document)]
    measured = [(mean, one) for mean, one in zip(means, ordered(document), strict=True) if known(mean)]
    return max(measured, key=lambda pair: pair[0], default=(None, None))[1]


def thresholding(document: Mapping) -> list[Baseline]:
    """Thresholding, if it was tried."""
    return baselines.thresholding(_as_stage(document.get("threshold")))


def frozen(document: Mapping) -> dict[str, Baseline]:
    """Frozen features of each pretrained network that configurations start from, by the name that they give it."""
    found = document.get("frozen_features") or {}
    first = {one.get("frozen_features"): one for one in reversed(ordered(document))}
    return {
        name: Baseline(f"{FROZEN} of ResNet-{one['depth']}, {_start(one, STARTS, 'from ')}", _as_stage(found[name]))
        for name, one in reversed(first.items())
        if found.get(name)
    }


def strongest(document: Mapping) -> list[Baseline]:
    """Thresholding, and of the frozen features those that judge the most images correctly."""
    best_first = sorted(frozen(document).values(), key=lambda each: -(measure(each.figures, "accuracy")[0] or 0))
    found = [*thresholding(document), *best_first[:1]]
    return [each for each in found if known(measure(each.figures, "accuracy")[0])]


def _as_stage(figures: Mapping | None) -> dict | None:
    """Figures of a baseline in the form of a stage's."""
    if not figures:
        return None
    spread = {way: {name: (figures.get(name) or {}).get(way) for name in WITH_INTERVAL} for way in ("mean", "std")}
    return {**figures, **spread}


def find(configuration: Mapping, name: str) -> Mapping | None:
    """A stage of a configuration by its name."""
    return next((stage for stage in configuration["stages"] if stage["stage"] == name), None)


def every_stage(document: Mapping) -> Iterator[tuple[Mapping, Mapping]]:
    """Every configuration with each of its stages."""
    return ((configuration, stage) for configuration in ordered(document) for stage in configuration["stages"])


def key_stages(document: Mapping) -> Iterator[tuple[Mapping, Mapping]]:
    """Every configuration with its baseline, its last round of hard pruning and its highest rate of ASFP."""
    return ((configuration, stage) for configuration in ordered(document) for stage in key(configuration))


def key(configuration: Mapping) -> list[Mapping]:
    """The baseline, the last round of hard pruning and the highest rate of ASFP, as far as there are any."""
    found = {}
    for stage in configuration["stages"]:
        kind, number = _parted(stage["stage"])
        found.setdefault(kind, []).append((number, stage))
    return [max(found[kind], key=lambda pair: pair[0])[1] for kind in (BASELINE, *PRUNED) if kind in found]


def stage_names(document: Mapping) -> list[str]:
    """Names of the stages of all configurations, in order."""
    return list(dict.fromkeys(stage["stage"] for _, stage in every_stage(document)))


def titles(document: Mapping) -> dict[str, str]:
    """Titles of the stages, by name."""
    return {stage["stage"]: stage["title"] for _, stage in every_stage(document)}


def short(name: str) -> str:
    """A pruned stage as the paper heads its columns: Round 1, ASFP 10 %."""
    method, number = _parted(name)
    return f"Round {number:g}" if method == "hard" else f"ASFP {number:g} %"


def is_pruned(name: str) -> bool:
    """Whether a stage is one of the two methods of the paper, and neither the baseline nor a control."""
    return name.startswith(PRUNED)


def recipe(configuration: Mapping) -> tuple[str, str, str]:
    """Depth, optimizer, and whether pretrained, or from which file, for columns of their own."""
    optimizer = configuration["optimizer"]
    return str(configuration["depth"]), OPTIMIZERS.get(optimizer, optimizer), _start(configuration, PRETRAINED, "")


def label(configuration: Mapping) -> str:
    """A configuration as a person calls it: ResNet-18, Adam, pretrained."""
    depth, optimizer, _ = recipe(configuration)
    return f"ResNet-{depth}, {optimizer}, {_start(configuration, STARTS, 'from ')}"


def imagenet_files(document: Mapping) -> list[str]:
    """Names of the files that are taken for ImageNet weights because of what is in them."""
    found = [str(one["weights"]) for one in ordered(document) if paper.pretrained(one)]
    return list(dict.fromkeys(Path(weights).name for weights in found if weights != "imagenet"))


def _start(configuration: Mapping, words: Mapping[bool, str], before: str) -> str:
    """What a network started from, in the words given, or the file of which nobody knows what it is."""
    pretrained = paper.pretrained(configuration)
    if pretrained is None:
        return f"{before}{Path(str(configuration['weights'])).name}"
    file = configuration.get("file")
    return words[pretrained] + (f" ({file})" if file else "")


def _parted(name: str) -> tuple[str, float]:
    """hard1 → hard, 1; asfp12.5 → asfp, 12.5; baseline → baseline, 0."""
    kind, number = re.fullmatch(r"([a-z]*)(.*)", name).groups()
    return kind, float(number or 0)


def false_alarm_rate(stage: Mapping) -> float | None:
    """Share of the sound images that are called defective, mean over repeats."""
    sound = [repeat["confusion"][0] for repeat in stage.get("repeats") or () if repeat]
    return float(np.mean([alarms / (passed + alarms) for passed, alarms in sound])) if sound else None


def complete(stage: Mapping) -> str:
    """How many repeats have all of their folds: 2 of 3."""
    repeats = stage.get("repeats")
    return f"{sum(repeat is not None for repeat in repeats)} of {len(repeats)}" if repeats else MISSING


def interval(stage: Mapping, name: str, form: Callable[[float], str] = percent) -> str:
    """The interval of a metric: 96.1–98.4."""
    ends = (stage.get("interval") or {}).get(name)
    return "–".join(map(form, ends)) if ends else MISSING


def hundredths(share: float | None) -> str:
    """A share from 0 to 1 in percent with two decimals, as the paper prints it."""
    return f"{100 * share:.2f}" if known(share) else MISSING


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
