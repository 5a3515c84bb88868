"""From the records of a run to one results document, of which the report is made."""

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf import environment, files
from wool_tf.baselines import frozen_features, thresholding
from wool_tf.data.dataset import Dataset
from wool_tf.data.listing import CLASSES
from wool_tf.deploy import verify
from wool_tf.errors import WoolError
from wool_tf.evaluation import bootstrap
from wool_tf.evaluation.metrics import THRESHOLD, evaluate, summarise
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.networks import complexity
from wool_tf.networks.spec import ResNetSpec
from wool_tf.report import provenance, removal, sheets
from wool_tf.study import grid
from wool_tf.training.config import TrainingConfig

EXAMPLES_PER_KIND = 4


def assemble(
    settings: TrainingConfig,
    images: Dataset,
    parts: Sequence[np.ndarray],
    records: Mapping[str, Mapping],
    decision: ThresholdRule,
    tflite: Mapping[str, Path],
    latency: Mapping,
    command: str,
) -> dict:
    """The results document of a finished run.

    The metrics of a stage, and of a baseline, are those of all images, each judged by the fold that held it out:
    `mean`, and `std` over repeats, which is not known of one. `fold_std` is the spread over folds. They are at the
    threshold 0.5, as in the paper; under `decided` stands what the decision is worth, see `ThresholdRule.out_of_fold`.

    Arguments:
        settings: TrainingConfig of the run.
        images: its Dataset.
        parts: held-out indices of each fold.
        records: the record of every unit, by name, `resnet18-adam-none/repeat0/fold0/hard1`.
        decision: how the threshold of the delivered model is chosen.
        tflite: the files that were timed, by name.
        latency: what the benchmark program says of them, in the same order.
        command: the command line.
    """
    from wool_tf.training import methods

    names = [stage.name for stage in methods.stages(settings)]
    titles = {stage.name: stage.title for stage in methods.stages(settings)}
    int8 = f"{settings.final}-int8"
    titles[int8] = f"{titles[settings.final]}, int8"
    prefixes = [grid.fold_name(settings, 0, number) for number in range(len(parts))]
    folds = {name: [records[f"{prefix}/{name}"] for prefix in prefixes] for name in [*names, int8]}
    _check_folds(parts, folds)
    scores = _scores(images, parts, folds)
    decided = {
        name: _decided(decision, images, *_pooled(images, folds[name])) for name in ("baseline", settings.final, int8)
    }
    return {
        "title": f"Reproduction on {Path(images.folder).resolve().name}",
        "command": command,
        "settings": dataclasses.asdict(settings),
        "environment": environment.describe(),
        "commits": provenance.commits(records),
        "processors": provenance.processors(records),
        "seconds": sum(record["seconds"] for record in records.values()),
        "data": provenance.describe(images, settings.group_by),
        "folds": [_part(images, part) for part in parts],
        "thresholding": _thresholding(images, parts),
        "frozen_features": _frozen_features(settings, images, parts, decision),
        "sheets": sheets.build(images),
        "stages": [
            _stage(name, titles[name], images, found, folds) | {"decided": decided.get(name)}
            for name, found in folds.items()
        ],
        "histories": {name: _histories(folds[name]) for name in names},
        "scores": scores,
        "final": _final(settings, images, folds, records, tflite),
        "latency": latency["models"],
        "latency_machine": latency["machine"].get("cpu") or platform.machine(),
        "latency_warnings": latency["warnings"],
        "examples": _examples(images, scores, settings.final),
    }


def _check_folds(parts: Sequence[np.ndarray], folds: Mapping[str, Sequence[Mapping]]) -> None:
    for name, found in folds.items():
        for number, (part, record) in enumerate(zip(parts, found, strict=True)):
            if record["held_out"] != part.tolist():
                raise WoolError(f"fold{number}/{name}: its record is of other folds than this run's; use another --out")


def _histories(found: Sequence[Mapping]) -> list[dict]:
    return [{"fold": number, **record["history"]} for number, record in enumerate(found)]


def _thresholding(images: Dataset, parts: Sequence[np.ndarray]) -> dict:
    """What limits on area weight and contrast reach on the same folds."""
    # Limits differ between folds, and scores are counted from them.
    return _baseline(images, parts, *thresholding.evaluate_folds(images.images, images.labels, parts), at=0.0)


def _frozen_features(settings: TrainingConfig, images: Dataset, parts: Sequence[np.ndarray], decision: ThresholdRule):
    """What the features of the initial weights reach on the same folds; None where these are random."""
    found = frozen_features.evaluate_grid([settings], images.images, images.labels, [parts])
    if not found:
        return None
    ((calls, scores),) = found[frozen_features.name(settings)]
    fold_of = np.empty(len(scores), np.int64)
    for number, part in enumerate(parts):
        fold_of[part] = number
    measured = _baseline(images, parts, calls, scores, at=THRESHOLD)
    return measured | {"decided": _decided(decision, images, scores, fold_of)}


def _baseline(images: Dataset, parts: Sequence[np.ndarray], calls: np.ndarray, scores: np.ndarray, at: float) -> dict:
    folds = [evaluate(images.labels[part], scores[part], at) for part in parts]
    return _measured(evaluate(images.labels, scores, at), folds) | {"by_defect": _by_defect(images, calls == 1)}


def _measured(whole: Mapping, folds: Sequence[Mapping]) -> dict:
    """The metrics of the one repeat, which are those of all images, and of its folds."""
    return {"repeats": [whole], **summarise([whole]), "folds": folds, "fold_std": summarise(folds)["std"]}


def _by_defect(images: Dataset, called: np.ndarray) -> dict:
    return bootstrap.recall_by_defect(images.labels, called[np.newaxis], images.defects)


def _pooled(images: Dataset, found: Sequence[Mapping]) -> tuple[np.ndarray, np.ndarray]:
    """Of all images their out-of-fold scores, and their folds."""
    return bootstrap.pool(len(images.labels), [(record["held_out"], record["scores"]) for record in found])


def _decided(decision: ThresholdRule, images: Dataset, scores: np.ndarray, fold_of: np.ndarray) -> dict:
    """What out-of-fold scores are worth at thresholds by the rule of the delivered network."""
    called, metrics = decision.out_of_fold(images.labels, scores, fold_of)
    return {**metrics, "by_defect": _by_defect(images, called)}


def _part(images: Dataset, part: np.ndarray) -> dict:
    return {
        "images": len(part),
        "indices": part.tolist(),
        "defective": int(images.labels[part].sum()),
        "groups": len(set(images.groups[part])),
    }


def _stage(name: str, title: str, images: Dataset, found: Sequence[Mapping], folds: Mapping) -> dict:
    # The int8 file has the widths of the network that it was made of.
    network, baseline = folds[name.removesuffix("-int8")][0], folds["baseline"][0]
    scores, _ = _pooled(images, found)
    differences = [record["mask_difference"] for record in found if record.get("mask_difference") is not None]
    return {
        "stage": name,
        "title": title,
        "params": network["params"],
        "macs": network["macs"],
        "params_share": network["params"] / baseline["params"],
        "macs_share": network["macs"] / baseline["macs"],
        "operations_share": _operations(network) / _operations(baseline),
        **_measured(evaluate(images.labels, scores), [record["metrics"] for record in found]),
        "by_defect": _by_defect(images, scores >= THRESHOLD),
        "mask_difference": max(differences, default=None),
        **removal.described(found),
    }


def _operations(network: Mapping) -> int:
    return complexity.operations(ResNetSpec.from_config(network["spec"]))


def _scores(images: Dataset, parts: Sequence[np.ndarray], folds: Mapping[str, Sequence[Mapping]]) -> list[dict]:
    """One row per image: what each stage said of it when it was held out."""
    rows = {}
    for fold, part in enumerate(parts):
        for position, index in enumerate(part):
            said = {name: records[fold]["scores"][position] for name, records in folds.items()}
            rows[index] = {"path": images.paths[index], "label": int(images.labels[index]), "fold": fold, **said}
    return [rows[index] for index in sorted(rows)]


def _final(settings: TrainingConfig, images: Dataset, folds, records: Mapping, tflite: Mapping[str, Path]) -> dict:
    delivered = records[f"{settings.configuration}/final/{settings.final}-int8"]
    by_float, by_int8 = (_pooled(images, folds[name])[0] for name in (settings.final, f"{settings.final}-int8"))
    return {
        "stage": settings.final,
        "spec": records[f"{settings.configuration}/final/{settings.final}"]["spec"],
        "files": [_file(path) for path in tflite.values()],
        "check": verify.compare(images.labels, by_float, by_int8) | {"operators": delivered["file"]["operators"]},
        "delivered": delivered["check"],
    }


def _file(path: Path) -> dict:
    return {
        "name": f"{path.parent.name}/{path.name}",
        "precision": path.stem.split("-")[-1],
        "bytes": path.stat().st_size,
        "sha256": files.sha256(path),
    }


def _examples(images: Dataset, scores: Sequence[Mapping], stage: str) -> list[dict]:
    """Images that the final stage judges wrongly at 0.5, the worst first, and some of each class that it gets right."""
    wrong = [(n, row) for n, row in enumerate(scores) if (row[stage] >= THRESHOLD) != row["label"]]
    right = [(n, row) for n, row in enumerate(scores) if (row[stage] >= THRESHOLD) == row["label"]]
    wrong.sort(key=lambda found: -abs(found[1][stage] - found[1]["label"]))
    chosen = []
    kinds = [("missed at 0.5", 1, wrong), ("false alarm at 0.5", 0, wrong)]
    for kind, label, rows in (*kinds, ("correct", 1, right), ("correct", 0, right)):
        chosen += [(kind, *found) for found in rows if found[1]["label"] == label][:EXAMPLES_PER_KIND]
    return [
        {
            "caption": f"{row['path']}: {CLASSES[row['label']].replace('_', '-')}, score {row[stage]:.2f}",
            "kind": kind,
            "png": sheets.png(images.images[index]),
        }
        for kind, index, row in chosen
    ]
