"""A results document whose numbers agree with one another: every metric is computed from its out-of-fold scores."""

import base64
import io

import numpy as np
from PIL import Image
from sklearn import metrics

from wool_tf.networks.spec import groups

FOLDS = 3
PER_FOLD = 60
AT = 0.3
"""The threshold of the delivered model."""
TITLES = {
    "baseline": "Baseline",
    "hard1": "Hard pruning, round 1",
    "hard2": "Hard pruning, round 2",
    "hard3": "Hard pruning, round 3",
    "asfp10": "ASFP, 10 %",
    "asfp20": "ASFP, 20 %",
    "asfp30": "ASFP, 30 %",
    "hard3-int8": "Hard pruning, round 3, int8",
}
PARAMS = {
    "baseline": 11170114, "hard1": 5502211, "hard2": 2701987, "hard3": 1330126,
    "asfp10": 9051222, "asfp20": 7160318, "asfp30": 5502211, "hard3-int8": 1330126,
}  # fmt: skip
MACS = {
    "baseline": 147456512, "hard1": 75123456, "hard2": 38123456, "hard3": 19812345,
    "asfp10": 120123456, "asfp20": 97123456, "asfp30": 75123456, "hard3-int8": 19812345,
}  # fmt: skip


def sample(separation: float = 5.0, stages: tuple[str, ...] = tuple(TITLES), folds: int = FOLDS) -> dict:
    """A results document; a smaller separation makes the networks worse."""
    rng = np.random.default_rng(7)
    rows = _scores(rng, separation, stages, folds)
    images = len(rows)
    final = next((name for name in ("hard3", "hard2", "hard1", "baseline") if name in stages), None)
    return {
        "title": "Reproduction on simulated mineral wool",
        "command": "python experiments/reproduce.py --flagfile=experiments/flagfiles/demo.cfg",
        "settings": {
            "depth": 18,
            "weights": "none",
            "optimizer": "adam",
            "folds": folds,
            "side": 64,
            "epochs": 12,
            "rates": [0.3, 0.3, 0.3],
            "data": None,
        },  # fmt: skip
        "environment": {
            "python": "3.11.7",
            "keras": "3.15.1",
            "tensorflow": "2.21.0",
            "backend": "tensorflow",
            "machine": "x86_64, 2 cores, Intel Xeon",
            "wool_tf": "0.1.0",
            "commit": "abc123",
        },  # fmt: skip
        "seconds": 512.3,
        "data": {
            "folder": "data/simulated",
            "images": images,
            "defective": images // 2,
            "non_defective": images // 2,
            "groups": 25 * folds,
            "side": 72,
            "fingerprint": "0123456789abcdef" * 4,
        },  # fmt: skip
        "folds": [{"images": PER_FOLD, "defective": PER_FOLD // 2, "groups": 25} for _ in range(folds)],
        "thresholding": _thresholding(rows, folds),
        "frozen_features": None,
        "sheets": [{"kind": "defective, D1", "images": 30, "shown": 8, "png": _png(np.random.default_rng(1))}],
        "stages": [_stage(name, rows, folds) for name in stages],
        "histories": {name: _history(rng, folds, name) for name in stages if not name.endswith("-int8")},
        "scores": rows,
        "final": _final(images, final),
        "latency": [
            {
                "model": "baseline float32",
                "bytes": 44712345,
                "threads": 1,
                "p50_ms": 5.1,
                "p90_ms": 6.0,
                "p99_ms": 7.1,
                "mean_ms": 5.3,
                "images_per_second": 188.7,
            },
            {
                "model": "compact float32",
                "bytes": 5331234,
                "threads": 1,
                "p50_ms": 1.02,
                "p90_ms": 1.2,
                "p99_ms": 1.6,
                "mean_ms": 1.06,
                "images_per_second": 943.4,
            },
            {
                "model": "compact int8",
                "bytes": 1402112,
                "threads": 1,
                "p50_ms": 0.51,
                "p90_ms": 0.58,
                "p99_ms": 0.9,
                "mean_ms": 0.53,
                "images_per_second": 1886.8,
            },
        ],  # fmt: skip
        "latency_machine": "x86_64, 2 cores, Intel Xeon",
        "latency_warnings": [],
        "examples": _examples(rng, rows, final),
    }


def _scores(rng, separation, stages, folds) -> list[dict]:
    rows = []
    for index in range(folds * PER_FOLD):
        label = index % 2
        name = f"{'defective' if label else 'non_defective'}/{index:03d}.png"
        row = {"path": name, "label": label, "fold": index // PER_FOLD}
        evidence = rng.normal(separation * (2 * label - 1), 2.2)
        for stage in stages:
            noise = 0.1 if stage.endswith("-int8") else 1.0
            source = row[stage.removesuffix("-int8")] if stage.removesuffix("-int8") in row else None
            logit = np.log(source / (1 - source)) if source else evidence
            row[stage] = float(1 / (1 + np.exp(-(logit + rng.normal(0, noise)))))
        rows.append(row)
    return rows


def _stage(name, rows, folds) -> dict:
    by_defect = {"D1": {"images": 20, "recall": 0.95}, "D6": {"images": 10, "recall": 0.9}}
    decided = None
    if name in ("baseline", "hard3", "hard3-int8"):
        decided = _measured(rows, name, AT) | {"by_defect": by_defect | {"D1": {"images": 20, "recall": 1.0}}}
    return {
        "stage": name,
        "title": TITLES[name],
        "params": PARAMS[name],
        "macs": MACS[name],
        "params_share": PARAMS[name] / PARAMS["baseline"],
        "macs_share": MACS[name] / MACS["baseline"],
        **_figures(rows, name, folds),
        "decided": decided,
        "mask_difference": None if name in ("baseline", "hard3-int8") else 1.2e-6,
        "removed": dict.fromkeys(groups(18), 0.0 if name == "baseline" else 0.3),
        "before_finetuning": None if name == "baseline" else 0.9,
        "by_defect": by_defect,
    }


def _figures(rows, name, folds) -> dict:
    """Of all rows together, and of each fold."""
    measured = [_measured([row for row in rows if row["fold"] == fold], name) for fold in range(folds)]
    whole = _measured(rows, name)
    keys = [key for key in whole if key != "confusion"]
    spread = {key: float(np.std([fold[key] for fold in measured], ddof=1)) for key in keys} if folds > 1 else None
    mean = {key: whole[key] for key in keys}
    return {"repeats": [whole], "mean": mean, "std": dict.fromkeys(keys), "folds": measured, "fold_std": spread}


def _thresholding(rows, folds) -> dict:
    """Half of the non-defective images are called defective."""
    guessed = [row | {"threshold": row["label"] if index % 4 else 0.6} for index, row in enumerate(rows)]
    found = {"D1": {"images": 20, "recall": 0.75}, "D6": {"images": 10, "recall": 0.5}}
    return _figures(guessed, "threshold", folds) | {"by_defect": found}


def with_frozen_features(document: dict, wrong_in: int = 5) -> dict:
    """The document of a run from pretrained weights, whose frozen features judge one image in so many wrongly."""
    rows = [row | {"frozen": abs(row["label"] - 0.8) if index % wrong_in == 0 else abs(row["label"] - 0.1)}
            for index, row in enumerate(document["scores"])]  # fmt: skip
    found = {"D1": {"images": 20, "recall": 0.8}, "D6": {"images": 10, "recall": 0.7}}
    decided = _measured(rows, "frozen", AT) | {"by_defect": found}
    figures = _figures(rows, "frozen", len(document["folds"])) | {"by_defect": found, "decided": decided}
    return document | {"frozen_features": figures}


def _measured(rows, name, at=0.5) -> dict:
    truth, scores = [row["label"] for row in rows], np.array([row[name] for row in rows])
    judged = scores >= at
    return {
        "accuracy": float(metrics.accuracy_score(truth, judged)),
        "recall": float(metrics.recall_score(truth, judged)),
        "precision": float(metrics.precision_score(truth, judged)),
        "f1": float(metrics.f1_score(truth, judged)),
        "auc": float(metrics.roc_auc_score(truth, scores)),
        "average_precision": float(metrics.average_precision_score(truth, scores)),
        "confusion": metrics.confusion_matrix(truth, judged, labels=[0, 1]).tolist(),
    }


def _history(rng, folds, name) -> list[dict]:
    epochs = 12 if name == "baseline" or name.startswith("asfp") else 4
    start = 0.7 if epochs == 12 else 0.2
    return [
        {
            "fold": fold,
            "loss": [float(start * np.exp(-0.25 * epoch) * rng.uniform(0.8, 1.2) + 0.02) for epoch in range(epochs)],
            "accuracy": [float(1 - 0.4 * np.exp(-0.3 * epoch)) for epoch in range(epochs)],
            "learning_rate": [0.001] * epochs,
        }
        for fold in range(folds)
    ]


def _final(images, stage) -> dict:
    widths = {f"layer{number}": width for number, width in enumerate((22, 44, 88, 176), start=1)}
    files = [
        {"name": f"model/{name}.tflite", "precision": name.split("-")[1], "bytes": size, "sha256": "9f86d081" * 8}
        for name, size in (("baseline-float32", 44712345), ("compact-float32", 5331234), ("compact-int8", 1402112))
    ]
    check = {"images": images, "agreement": 0.994, "mean_difference": 0.004, "max_difference": 0.05,
             "accuracy_float": 0.978, "accuracy_int8": 0.972, "recall_float": 0.967, "recall_int8": 0.967,
             "operators": ["CONV_2D", "ADD", "MAX_POOL_2D", "MEAN", "FULLY_CONNECTED"]}  # fmt: skip
    spec = {"depth": 18, "widths": widths, "classes": 2, "input_shape": [64, 64, 1]}
    trained_on = dict.fromkeys(("agreement", "accuracy_float", "accuracy_int8", "recall_float", "recall_int8"), 1.0)
    delivered = check | trained_on
    asked = {"threshold": None, "recall": None, "cost_ratio": 3.0}
    rule = "a miss costs as much as 3 false alarms, on 180 held-out images of all folds"
    decision = {"threshold": AT, "rule": rule, "float_threshold": AT, "asked": asked}
    return {"stage": stage, "spec": spec, "files": files, "check": check, "delivered": delivered, "decision": decision}


def _examples(rng, rows, stage) -> list[dict]:
    chosen = []
    kinds = (("missed", 1, True), ("false alarm", 0, True), ("correct", 1, False), ("correct", 0, False))
    for kind, label, wrong in kinds:
        fitting = [row for row in rows if row["label"] == label and ((row[stage] >= 0.5) != bool(label)) == wrong]
        chosen += [(kind, row) for row in fitting[:3]]
    return [
        {
            "caption": f"{row['path']}: {'defective' if row['label'] else 'non-defective'}, score {row[stage]:.2f}",
            "kind": kind,
            "png": _png(rng),
        }
        for kind, row in chosen
    ]


def _png(rng) -> str:
    noise = rng.normal(120, 25, (18, 18)).clip(0, 255).astype("uint8")
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((72, 72), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
