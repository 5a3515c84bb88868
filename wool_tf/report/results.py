"""From the records of a run to one results document, of which the report is made."""

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf import environment, files
from wool_tf.baselines import threshold
from wool_tf.data.dataset import Dataset
from wool_tf.data.listing import CLASSES
from wool_tf.deploy import verify
from wool_tf.errors import WoolError
from wool_tf.networks import complexity
from wool_tf.networks.spec import ResNetSpec
from wool_tf.report import provenance, sheets
from wool_tf.training import pooled, protocol
from wool_tf.training.metrics import THRESHOLD, evaluate, summarise
from wool_tf.training.settings import Settings

EXAMPLES_PER_KIND = 4


def assemble(
    settings: Settings,
    images: Dataset,
    parts: Sequence[np.ndarray],
    records: Mapping[str, Mapping],
    tflite: Mapping[str, Path],
    latency: Mapping,
    command: str,
) -> dict:
    """The results document of a finished run.

    Arguments:
        settings: Settings of the run.
        images: its Dataset.
        parts: held-out indices of each fold.
        records: the record of every unit, by name, `resnet18-adam-none/repeat0/fold0/hard1`.
        tflite: the files that were timed, by name.
        latency: what the benchmark program says of them, in the same order.
        command: the command line.
    """
    from wool_tf.training import methods

    names = [stage.name for stage in methods.stages(settings)]
    titles = {stage.name: stage.title for stage in methods.stages(settings)}
    int8 = f"{settings.final}-int8"
    titles[int8] = f"{titles[settings.final]}, int8"
    prefixes = [protocol.fold_name(settings, 0, number) for number in range(len(parts))]
    folds = {name: [records[f"{prefix}/{name}"] for prefix in prefixes] for name in [*names, int8]}
    _check_folds(parts, folds)
    scores = _scores(images, parts, folds)
    return {
        "title": f"Reproduction on {Path(images.folder).resolve().name}",
        "command": command,
        "settings": dataclasses.asdict(settings),
        "environment": environment.describe(),
        "commits": provenance.commits(records),
        "seconds": sum(record["seconds"] for record in records.values()),
        "data": provenance.describe(images, settings.group_by),
        "folds": [_part(images, part) for part in parts],
        "thresholding": thresholding(images, parts),
        "sheets": sheets.build(images),
        "stages": [
            _stage(name, titles[name], found, folds) | {"by_defect": _by_defect(images, parts, found)}
            for name, found in folds.items()
        ],
        "histories": {name: _histories(folds[name]) for name in names},
        "scores": scores,
        "final": _final(settings, images, parts, folds, records, tflite),
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


def thresholding(images: Dataset, parts: Sequence[np.ndarray]) -> dict:
    """What limits on area weight and contrast reach on the same folds."""
    calls, scores = threshold.evaluate_folds(images.images, images.labels, parts)
    metrics = [evaluate(images.labels[part], scores[part], threshold=0.0) for part in parts]
    found = pooled.recall_by_defect(images.labels, calls[None] == 1, images.defects)
    return {"folds": metrics, **summarise(metrics), "by_defect": found}


def _by_defect(images: Dataset, parts: Sequence[np.ndarray], found: Sequence[Mapping]) -> dict:
    called = np.zeros((1, len(images.labels)), bool)
    for part, record in zip(parts, found, strict=True):
        called[0, part] = np.array(record["scores"]) >= THRESHOLD
    return pooled.recall_by_defect(images.labels, called, images.defects)


def _part(images: Dataset, part: np.ndarray) -> dict:
    return {
        "images": len(part),
        "indices": part.tolist(),
        "defective": int(images.labels[part].sum()),
        "groups": len(set(images.groups[part])),
    }


def _stage(name: str, title: str, found: Sequence[Mapping], folds: Mapping) -> dict:
    # The int8 file has the widths of the network that it was made of.
    network, baseline = folds[name.removesuffix("-int8")][0], folds["baseline"][0]
    metrics = [record["metrics"] for record in found]
    differences = [record["mask_difference"] for record in found if record.get("mask_difference") is not None]
    return {
        "stage": name,
        "title": title,
        "params": network["params"],
        "macs": network["macs"],
        "params_share": network["params"] / baseline["params"],
        "macs_share": network["macs"] / baseline["macs"],
        "operations_share": _operations(network) / _operations(baseline),
        "folds": metrics,
        **summarise(metrics),
        "mask_difference": max(differences, default=None),
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


def _final(settings: Settings, images: Dataset, parts, folds, records: Mapping, tflite: Mapping[str, Path]) -> dict:
    delivered = records[f"{settings.configuration}/final/{settings.final}-int8"]
    # Pooled over the folds, every image judged by the networks that had not seen it.
    labels = images.labels[np.concatenate(parts)]
    by_float, by_int8 = (
        np.concatenate([record["scores"] for record in folds[name]])
        for name in (settings.final, f"{settings.final}-int8")
    )
    return {
        "stage": settings.final,
        "spec": records[f"{settings.configuration}/final/{settings.final}"]["spec"],
        "files": [_file(path) for path in tflite.values()],
        "check": verify.compare(labels, by_float, by_int8) | {"operators": delivered["file"]["operators"]},
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
    """Images that the final stage judged wrongly, the worst first, and some of each class that it judged rightly."""
    wrong = [(n, row) for n, row in enumerate(scores) if (row[stage] >= THRESHOLD) != row["label"]]
    right = [(n, row) for n, row in enumerate(scores) if (row[stage] >= THRESHOLD) == row["label"]]
    wrong.sort(key=lambda found: -abs(found[1][stage] - found[1]["label"]))
    chosen = []
    kinds = (("missed", 1, wrong), ("false alarm", 0, wrong), ("correct", 1, right), ("correct", 0, right))
    for kind, label, rows in kinds:
        chosen += [(kind, *found) for found in rows if found[1]["label"] == label][:EXAMPLES_PER_KIND]
    return [
        {
            "caption": f"{row['path']}: {CLASSES[row['label']].replace('_', '-')}, score {row[stage]:.2f}",
            "kind": kind,
            "png": sheets.png(images.images[index]),
        }
        for kind, index, row in chosen
    ]
