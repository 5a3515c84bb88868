"""A protocol that never ran: made-up images and scores, and the records that its units would have left."""

import numpy as np

from wool_tf.baselines import frozen_features
from wool_tf.data import folds
from wool_tf.data.dataset import Dataset
from wool_tf.evaluation.metrics import evaluate
from wool_tf.networks.spec import groups
from wool_tf.report import protocol
from wool_tf.training.config import TrainingConfig

STAGES = {
    "baseline": "Baseline",
    "hard1": "Hard pruning, round 1",
    "hard2": "Hard pruning, round 2",
    "hard3": "Hard pruning, round 3",
    "asfp10": "ASFP, 10 %",
    "asfp20": "ASFP, 20 %",
    "asfp30": "ASFP, 30 %",
}
CONTROLS = {
    "random1": "Random filters, round 1",
    "random2": "Random filters, round 2",
    "random3": "Random filters, round 3",
    "scratch3": "Round 3 from scratch",
}
PARAMS = {"baseline": 11170114, "1": 5502211, "2": 2701987, "3": 1330126, "10": 9051222, "20": 7160318, "30": 5502211}
LOSSES = {"baseline": 0.0, "hard1": 0.1, "hard2": 0.2, "hard3": 0.5, "asfp10": 0.5, "asfp20": 0.9, "asfp30": 1.4,
          "random1": 0.4, "random2": 0.9, "random3": 1.5, "scratch3": 1.1}  # fmt: skip
RECIPES = (("adam", "none"), ("adam", "imagenet"), ("sgd", "none"), ("sgd", "imagenet"))


def dataset(samples: int = 60, per_sample: int = 4, **changes) -> Dataset:
    """Half of the samples are defective; one crop of each of those is sound all the same."""
    labels = np.array([[sample % 2 and crop > 0 for crop in range(per_sample)] for sample in range(samples)], np.int64)
    kinds = ("D1", "D2", "D1+D3", "")
    defects = [[kinds[sample // 2 % 4] if label else "" for label in row] for sample, row in enumerate(labels)]
    number = labels.size
    groups = np.repeat([f"S{sample:02d}" for sample in range(samples)], per_sample)
    fields = {
        "images": np.zeros((number, 2, 2), np.uint8),
        "labels": labels.ravel(),
        "groups": groups,
        "defects": np.array(defects).ravel(),
        "scans": groups,
        "paths": tuple(f"{index:04d}.png" for index in range(number)),
        "folder": "data/campaign",
        "fingerprint": "0123456789abcdef" * 4,
        "grouped": True,
    }
    return Dataset(**fields | changes)


GROUPS = groups(18)


def settings(optimizer: str = "adam", weights: str = "none", **changes) -> TrainingConfig:
    shared = {"repeats": 2, "folds": 5, "asfp_rates": (0.1, 0.2, 0.3)}
    return TrainingConfig(optimizer=optimizer, weights=weights, **shared | changes)


def record(stage: str, labels: np.ndarray, held_out: np.ndarray, scores: np.ndarray) -> dict:
    """What a unit leaves; widths and figures are made up."""
    params = PARAMS[stage if stage == "baseline" else stage.lstrip("abcdefghijklmnopqrstuvwxyz")]
    return {
        "stage": stage,
        "spec": {},
        "params": params,
        "macs": 13 * params,
        "history": {"loss": [0.1], "accuracy": [1.0], "learning_rate": [0.001]},
        "mask_difference": None if stage == "baseline" else 1.2e-6,
        "removed": dict.fromkeys(GROUPS, 0.0 if stage == "baseline" else 0.3),
        "before_finetuning": None if stage == "baseline" else {"accuracy": 0.9},
        "seconds": 10.0,
        "held_out": held_out.tolist(),
        "scores": scores.tolist(),
        "metrics": evaluate(labels[held_out], scores),
    }


def inputs(recipes=RECIPES, stages=STAGES | CONTROLS, images=None, separation: float = 4.0, **changes) -> dict:
    """The arguments of `protocol.assemble`; what pruning costs grows with the stage."""
    rng = np.random.default_rng(11)
    images = images or dataset()
    configurations = [settings(*recipe, **changes) for recipe in recipes]
    repeats, number = configurations[0].repeats, configurations[0].folds
    parts = [folds.split(images.labels, images.groups, number, seed) for seed in range(repeats)]
    side = 2 * images.labels - 1
    evidence, records = rng.normal(0, 1.6, len(side)), {}
    for worse, one in enumerate(configurations):
        for stage in stages:
            for repeat, held_out in enumerate(parts):
                logits = side * (separation - 0.4 * worse - LOSSES[stage]) + evidence + rng.normal(0, 1.2, len(side))
                scores = 1 / (1 + np.exp(-logits))
                for fold, part in enumerate(held_out):
                    unit = f"{one.configuration}/repeat{repeat}/fold{fold}/{stage}"
                    records[unit] = record(stage, images.labels, part, scores[part])
    measured = side + rng.normal(0.2, 1.3, len(side))
    probable = 1 / (1 + np.exp(-1.2 * side - rng.normal(0, 1.3, len(side))))
    names = {frozen_features.name(one) for one in configurations} - {None}
    return {
        "configurations": configurations,
        "stages": stages,
        "images": images,
        "parts": parts,
        "records": records,
        "failures": [],
        "threshold": [((measured >= 0).astype(int), measured)] * repeats,
        "frozen_features": {name: [((probable >= 0.5).astype(int), probable)] * repeats for name in sorted(names)},
        "environment": {"python": "3.11.7", "keras": "3.15.1", "machine": "x86_64, 2 cores"},
        "command": "python experiments/prune_kfold.py --flagfile=experiments/flagfiles/demo.cfg",
        "required_recall": 0.99,
        "cost_ratio": 10.0,
    }


def sample(**changes) -> dict:
    """A results document; arguments as for `inputs`."""
    return protocol.assemble(**inputs(**changes))
