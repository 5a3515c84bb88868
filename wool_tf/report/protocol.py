"""From the records of the whole protocol to one results document, of which its report is made.

Nothing is made up: a repeat that lacks a fold has no figures, and a stage without a complete repeat has none.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf.baselines import frozen_features as frozen
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.evaluation import bootstrap, operating_points
from wool_tf.evaluation.metrics import THRESHOLD, evaluate
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.networks import initial_weights
from wool_tf.report import paper, provenance, removal, sheets
from wool_tf.study.grid import fold_name
from wool_tf.training.config import TrainingConfig

_OF_CONFIGURATION = ("depth", "optimizer", "weights")


@dataclasses.dataclass(frozen=True)
class _Study:
    """What every configuration is measured with."""

    images: Dataset
    parts: Sequence[Sequence[np.ndarray]]
    records: Mapping[str, Mapping]
    draws: np.ndarray
    rules: Mapping[str, operating_points.Choose]


def assemble(
    configurations: Sequence[TrainingConfig],
    stages: Mapping[str, str],
    images: Dataset,
    parts: Sequence[Sequence[np.ndarray]],
    records: Mapping[str, Mapping],
    failures: Sequence[Mapping],
    threshold: Sequence[tuple[np.ndarray, np.ndarray]] | None,
    frozen_features: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
    environment: Mapping,
    command: str,
    required_recall: float,
    cost_ratio: float,
) -> dict:
    """The results document of a run of the protocol, finished or not.

    Arguments:
        configurations: settings of each, alike but for depth, optimizer and weights.
        stages: title of each stage by name, in order; `baseline` is one of them.
        images: their Dataset.
        parts: for each repeat the held-out indices of each fold.
        records: the records there are, by unit, `resnet18-adam-none/repeat0/fold3/hard1`; those of failed or unfinished
            units are missing.
        failures: of each unit that failed its name (`unit`), and its `attempts`, each with `kind` and `reason`.
        threshold: what `baselines.threshold.evaluate_repeats` says, calls and scores, for each repeat; or None.
        frozen_features: what `baselines.frozen_features.evaluate_grid` says, likewise, by what it depends on.
        environment: software and machine, by name.
        command: the command line.
        required_recall, cost_ratio: what thresholds are chosen for: a recall in (0, 1], and how many false alarms a
            miss costs.

    Returns:
        A JSON document; what is not known is None.

    Raises:
        WoolError: a record is of other images or folds than these.
    """
    rules = {
        f"recall ≥ {required_recall:g}": ThresholdRule(recall=required_recall).chosen,
        f"a miss costs {cost_ratio:g} false alarms": ThresholdRule(cost_ratio=cost_ratio).chosen,
    }
    study = _Study(images, parts, records, bootstrap.draw(images.labels, images.groups), rules)
    first = configurations[0]
    return {
        "title": f"Protocol on {Path(images.folder).resolve().name}",
        "command": command,
        "settings": _settings(configurations),
        "environment": dict(environment),
        "commits": provenance.commits(records),
        "processors": provenance.processors(records),
        "seconds": float(sum(record.get("seconds") or 0 for record in records.values())),
        "data": provenance.describe(images, first.group_by),
        "threshold": _baseline(images, threshold) if threshold else None,
        "frozen_features": {name: _baseline(images, repeats) for name, repeats in frozen_features.items()},
        "configurations": _told_apart([_configuration(settings, stages, study) for settings in configurations]),
        "failures": [_failure(failure) for failure in failures],
        "select": first.select,
        "sheets": sheets.build(images),
    }


def _settings(configurations: Sequence[TrainingConfig]) -> dict:
    """Every setting; of what the configurations differ in, all values."""
    shared = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(configurations[0]).items()
    }
    for name in _OF_CONFIGURATION:
        values = list(dict.fromkeys(getattr(settings, name) for settings in configurations))
        shared[name] = values if len(values) > 1 else values[0]
    return shared


def _failure(failure: Mapping) -> dict:
    last = failure["attempts"][-1]
    return {
        "unit": failure["unit"],
        "reason": f"{last['kind']}: {last['reason']}",
        "attempts": len(failure["attempts"]),
    }


def _baseline(images: Dataset, repeats: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict:
    labels, values = images.labels, {name: [] for name in bootstrap.WITH_INTERVAL}
    for calls, scores in repeats:
        judged = operating_points.judged(labels, calls == 1)
        values["accuracy"].append(judged["accuracy"])
        values["recall"].append(judged["recall"])
        # Over all folds at once, as of the networks: what was fitted differs from fold to fold, as a network does.
        values["auc"].append(evaluate(labels, scores)["auc"])
    spread = {
        name: {"mean": float(np.mean(found)), "std": float(np.std(found, ddof=1)) if len(found) > 1 else None}
        for name, found in values.items()
    }
    called = np.array([calls == 1 for calls, _ in repeats])
    return spread | {"by_defect": bootstrap.recall_by_defect(labels, called, images.defects)}


def _configuration(settings: TrainingConfig, stages: Mapping[str, str], study: _Study) -> dict:
    measured = [_stage(settings, name, title, study) for name, title in stages.items()]
    whole = next((stage for stage in measured if stage["stage"] == "baseline"), {})
    for stage in measured:
        for name in ("params", "macs"):
            known = stage[name] is not None and whole.get(name)
            stage[f"{name}_share"] = stage[name] / whole[name] if known else None
        stage["drop"] = None if stage is whole else _change(stage["repeats"], whole.get("repeats") or ())
    return {
        "name": settings.configuration,
        **{name: getattr(settings, name) for name in _OF_CONFIGURATION},
        "pretrained": initial_weights.pretrained(settings.weights),
        "frozen_features": frozen.name(settings),
        "stages": measured,
    }


def _change(pruned: Sequence[dict | None], whole: Sequence[dict | None]) -> float | None:
    """Mean change of the accuracy over the repeats that both have: others had other folds, and another difficulty."""
    pairs = [(after, before) for after, before in zip(pruned, whole, strict=False) if after and before]
    changes = [after["accuracy"] - before["accuracy"] for after, before in pairs]
    return float(np.mean(changes)) if changes else None


def _told_apart(configurations: list[dict]) -> list[dict]:
    """Notes of pretrained networks the file of their weights (`file`) where they would be called alike without."""
    recipes = [paper.recipe(each) for each in configurations]
    for one, recipe in zip(configurations, recipes, strict=True):
        alike = recipe is not None and recipes.count(recipe) > 1
        one["file"] = Path(one["weights"]).name if alike and one["weights"] != "imagenet" else None
    return configurations


def _stage(settings: TrainingConfig, name: str, title: str, study: _Study) -> dict:
    labels, pools, found, missing = study.images.labels, [], [], 0
    for repeat, folds in enumerate(study.parts):
        names = [f"{fold_name(settings, repeat, fold)}/{name}" for fold in range(len(folds))]
        present = [study.records[unit] for unit in names if unit in study.records]
        for unit, part in zip(names, folds, strict=True):
            if unit in study.records and not np.array_equal(study.records[unit]["held_out"], part):
                raise WoolError(f"{unit}: its record is of other folds than this run's; run it in a folder of its own")
        found += present
        missing += len(folds) - len(present)
        complete = len(present) == len(folds)
        pools.append(_pooled(names[0], present, len(labels)) if complete else None)
    whole = [pool for pool in pools if pool is not None]
    scores = [values for values, _ in whole]
    repeats = [None if pool is None else evaluate(labels, pool[0]) for pool in pools]
    called = np.array([values >= THRESHOLD for values in scores])
    differences = [record["mask_difference"] for record in found if record.get("mask_difference") is not None]
    return {
        "stage": name,
        "title": title,
        "params": found[0]["params"] if found else None,
        "macs": found[0]["macs"] if found else None,
        "repeats": repeats,
        **bootstrap.summary([metrics for metrics in repeats if metrics]),
        "interval": bootstrap.intervals(labels, scores, study.draws)
        if whole
        else dict.fromkeys(bootstrap.WITH_INTERVAL),
        "by_defect": bootstrap.recall_by_defect(labels, called, study.images.defects) if whole else {},
        "operating": [_operating(rule, choose, labels, whole) for rule, choose in study.rules.items() if whole],
        "mask_difference": max(differences, default=None),
        **removal.described(found),
        "missing": missing,
    }


def _pooled(unit: str, present: Sequence[Mapping], images: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        return bootstrap.pool(images, [(record["held_out"], record["scores"]) for record in present])
    except WoolError as error:
        raise WoolError(f"{unit} and the other folds of its repeat: {error}") from None


def _operating(rule: str, choose: operating_points.Choose, labels: np.ndarray, pools: Sequence) -> dict:
    """A rule's thresholds and what they are worth, on average over repeats."""
    worth, thresholds = [], []
    for scores, fold_of in pools:
        chosen, called = operating_points.cross_fitted(labels, scores, fold_of, choose)
        worth.append(operating_points.judged(labels, called))
        thresholds.append(chosen.mean())
    means = {name: float(np.mean([found[name] for found in worth])) for name in worth[0]}
    return {"rule": rule, **means, "threshold": float(np.mean(thresholds))}
