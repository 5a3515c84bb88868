"""A study that never ran: made-up images and scores, and the records that its units would have left."""

import dataclasses
from pathlib import Path
from unittest import mock

import numpy as np

from wool_tf.audit import near_duplicates
from wool_tf.baselines import frozen_features
from wool_tf.data import folds
from wool_tf.data.dataset import Dataset
from wool_tf.evaluation.agreement import ScoreDifference
from wool_tf.evaluation.metrics import Metrics, evaluate
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.networks.spec import ResNetSpec, groups
from wool_tf.networks.unit_records import History, UnitRecord
from wool_tf.study import assemble, board_model, board_results, image_results, results, score_results
from wool_tf.study.evidence import Evidence
from wool_tf.study.results import Study
from wool_tf.study.score_results import FROZEN, THRESHOLDING
from wool_tf.training.config import TrainingConfig

PARAMS = {"baseline": 11170114, "1": 5502211, "2": 2701987, "3": 1330126, "10": 9051222, "20": 7160318, "30": 5502211}
LOSSES = {"baseline": 0.0, "hard1": 0.1, "hard2": 0.2, "hard3": 0.5, "asfp10": 0.5, "asfp20": 0.9, "asfp30": 1.4,
          "random1": 0.4, "random2": 0.9, "random3": 1.5, "scratch3": 1.1, "hard3-int8": 0.55}  # fmt: skip
RECIPES = (("adam", "none"), ("adam", "imagenet"), ("sgd", "none"), ("sgd", "imagenet"))
RULES = (ThresholdRule(recall=0.99), ThresholdRule(cost_ratio=10.0))
DELIVERED = ThresholdRule(cost_ratio=3.0)
GROUPS = groups(18)
SPEC = ResNetSpec.full(18, 2, (64, 64, 1)).get_config()


def dataset(samples: int = 60, per_sample: int = 4, **changes) -> Dataset:
    """Half of the samples are defective; one crop of each of those is sound all the same."""
    labels = np.array([[sample % 2 and crop > 0 for crop in range(per_sample)] for sample in range(samples)], np.int64)
    kinds = ("D1", "D2", "D1+D3", "")
    defects = [[kinds[sample // 2 % 4] if label else "" for label in row] for sample, row in enumerate(labels)]
    number = labels.size
    names = np.repeat([f"S{sample:02d}" for sample in range(samples)], per_sample)
    fields = {
        "images": np.random.default_rng(0).integers(0, 256, (number, 8, 8), np.uint8),
        "labels": labels.ravel(),
        "groups": names,
        "defects": np.array(defects).ravel(),
        "scans": names,
        "paths": tuple(f"{index:04d}.png" for index in range(number)),
        "folder": "data/campaign",
        "fingerprint": "0123456789abcdef" * 4,
        "grouped": True,
        "boxes": tuple(((0.125, 0.25, 0.375, 0.5),) if label else () for label in labels.ravel()),
    }
    return Dataset(**fields | changes)


def config(optimizer: str = "adam", weights: str = "none", **changes) -> TrainingConfig:
    shared = {"repeats": 2, "folds": 5, "asfp_rates": (0.1, 0.2, 0.3), "controls": ("random", "scratch")}
    return TrainingConfig(optimizer=optimizer, weights=weights, **shared | changes)


def record(stage: str, labels: np.ndarray, held_out: np.ndarray, scores: np.ndarray) -> UnitRecord:
    """What a unit leaves; widths and figures are made up."""
    name = stage.removesuffix("-int8")
    params = PARAMS[name if name == "baseline" else name.lstrip("abcdefghijklmnopqrstuvwxyz")]
    network = {
        "spec": SPEC,
        "params": params,
        "macs": 13 * params,
        "history": History((0.4, 0.1), (0.9, 1.0), (0.001, 0.0005)),
        "mask_difference": None if stage == "baseline" else 1.2e-6,
        "removed": dict.fromkeys(GROUPS, 0.0 if stage == "baseline" else 0.3),
        "before_finetuning": None if stage == "baseline" else Metrics(0.9, 0.9, 0.9, 0.9, 0.95, 0.95, ((9, 1), (1, 9))),
    }
    return UnitRecord(
        stage=stage,
        seed=0,
        images="0123456789abcdef" * 4,
        environment={"commit": "abc123", "processor": "one (avx2)"},
        held_out=tuple(held_out.tolist()),
        scores=tuple(scores.tolist()),
        metrics=evaluate(labels[held_out], scores),
        started=0.0,
        seconds=10.0,
        attempts=(),
        kept=True,
        **({} if stage.endswith("-int8") else network),
    )


@dataclasses.dataclass
class Made:
    """What a study is assembled from; tests change it first."""

    configs: list[TrainingConfig]
    evidence: Evidence
    compared: dict
    failures: dict
    int8: bool = False

    def study(self, **changes) -> Study:
        command = "python experiments/prune_kfold.py --flagfile=experiments/flagfiles/demo.cfg"
        with mock.patch.object(near_duplicates, "find", _alike):
            found = assemble.study(
                self.configs, self.evidence, self.compared, self.failures, command, Path("runs/x"), self.int8
            )
        environment = {"python": "3.11.7", "keras": "3.15.1", "machine": "x86_64, 2 cores"}
        return dataclasses.replace(found, environment=environment, **changes)


_search, _found = near_duplicates.find, {}


def _alike(images: np.ndarray, groups: np.ndarray, seed: int = 0) -> list[near_duplicates.Pair]:
    """`near_duplicates.find`, once for the images that most studies share: it is most of the time of an assembly."""
    key = images.tobytes(), tuple(groups), seed
    if key not in _found:
        _found[key] = _search(images, groups, seed)
    return _found[key]


def made(recipes=RECIPES, images=None, separation=4.0, rules=RULES, int8=False, **changes) -> Made:
    """Scores whose errors grow with the stage and from recipe to recipe."""
    rng = np.random.default_rng(11)
    images = images or dataset()
    configs = [config(*recipe, **changes) for recipe in recipes]
    repeats, number = configs[0].repeats, configs[0].folds
    parts = [folds.split(images.labels, images.groups, number, seed) for seed in range(repeats)]
    parts = [part[: configs[0].first_folds or None] for part in parts]
    side = 2 * images.labels - 1
    evidence, records = rng.normal(0, 1.6, len(side)), {}
    for worse, one in enumerate(configs):
        for stage in (*one.stages, *(["hard3-int8"] if int8 else [])):
            for repeat, held_out in enumerate(parts):
                logits = side * (separation - 0.4 * worse - LOSSES[stage]) + evidence + rng.normal(0, 1.2, len(side))
                scores = 1 / (1 + np.exp(-logits))
                for fold, part in enumerate(held_out):
                    unit = f"{one.configuration}/repeat{repeat}/fold{fold}/{stage}"
                    records[unit] = record(stage, images.labels, part, scores[part])
    measured = side + rng.normal(0.2, 1.3, len(side))
    probable = 1 / (1 + np.exp(-1.2 * side - rng.normal(0, 1.3, len(side))))
    names = {frozen_features.name(one) for one in configs} - {None}
    compared = {(THRESHOLDING, ""): [((measured >= 0).astype(int), measured)] * repeats}
    compared |= {(FROZEN, name): [((probable >= 0.5).astype(int), probable)] * repeats for name in sorted(names)}
    return Made(configs, Evidence(images, parts, records, rules), compared, {}, int8)


def sample(**changes) -> Study:
    """A study of four configurations that delivers nothing; arguments as for `made`."""
    return made(**changes).study()


def delivered(rule: ThresholdRule = DELIVERED, frozen: bool = True, **changes) -> Study:
    """A study that delivers the third round of one network."""
    recipe = ("adam", "imagenet" if frozen else "none")
    settings = {"repeats": 1, "controls": (), "asfp_rates": (0.3,)} | changes
    given = made(recipes=(recipe,), rules=(rule,), int8=True, **settings)
    return given.study(delivery=delivery(given))


def delivery(given: Made) -> board_results.Delivery:
    """What would be said of the files; no file is written."""
    (one,), evidence, rule = given.configs, given.evidence, given.evidence.rules[0]
    pools = board_model._pools(evidence, one)
    labels, (scores, _) = evidence.labels, pools["hard3-int8"]
    judged = board_model._judged(evidence, pools, "hard3-int8")
    threshold, told = rule.made(labels, lambda: scores, "held-out images of all folds")
    files = [
        board_results.File(f"model/{name}.tflite", name.split("-")[1], size, "9f86d081" * 8)
        for name, size in (("baseline-float32", 44712345), ("compact-float32", 5331234), ("compact-int8", 1402112))
    ]
    latency = [
        board_results.Latency(name, size, 1, median, 1.2 * median, 1.5 * median, 1.05 * median, 1000 / median, stage)
        for name, size, median, stage in (
            ("baseline float32", 44712345, 5.1, "baseline"),
            ("hard1 float32", 18312345, 2.9, "hard1"),
            ("compact float32", 5331234, 1.02, "hard3"),
            ("compact int8", 1402112, 0.51, "hard3-int8"),
        )
    ]
    check = ScoreDifference(len(labels), 0.994, 0.004, 0.05)
    maps = {int(index): np.eye(7)[:, ::-1] * (index % 3 - 0.5) for index in evidence.judged}
    return board_results.Delivery(
        configuration=one.configuration,
        stage="hard3",
        spec=SPEC,
        rule=rule,
        told=told,
        threshold=threshold,
        files=tuple(files),
        held_out=check,
        delivered=check,
        operators=("CONV_2D", "ADD", "MAX_POOL_2D", "MEAN", "FULLY_CONNECTED"),
        latency=tuple(latency),
        latency_machine="x86_64, 2 cores, Intel Xeon",
        latency_warnings=(),
        advantages=board_model._advantages(
            evidence, given.compared, np.array([one.called("hard3-int8") for one in judged])
        ),
        judged=judged,
        pictures=board_model._pictures(evidence, judged, "hard3-int8", maps, (0.05, 0.95)),
        thumbnails=board_model._thumbnails(evidence, judged, "hard3-int8"),
        pointing=board_results.PointingGame(90, 63, 9.0),
        tiles_per_square_metre=100.0,
    )


TITLES = {
    "baseline": "Baseline",
    **{f"hard{number}": f"Hard pruning, round {number}" for number in (1, 2, 3)},
    **{f"asfp{rate:g}": f"ASFP, {rate:g} %" for rate in (5, 10, 12.5, 20, 30)},
    **{f"random{number}": f"Random filters, round {number}" for number in (1, 2, 3)},
    "scratch3": "Round 3 from scratch",
}


def figures(accuracy: float | None, spread: float = 0.0, **changes) -> score_results.Figures:
    """Of two repeats with this mean and standard deviation of the accuracy, which is recall and AUC too."""
    if accuracy is None:
        return score_results.Figures((None, None))
    shares = accuracy - spread / np.sqrt(2), accuracy + spread / np.sqrt(2)
    repeats = tuple(Metrics(share, share, 0.9, 0.9, share, 0.9, ((97, 3), (2, 98))) for share in shares)
    return score_results.Figures(repeats, **changes)


def stage(name: str, accuracy: float | None, spread: float = 0.0, by_defect=None, **changes) -> results.Stage:
    """A stage written by hand."""
    known = accuracy is not None
    interval = {"accuracy": (accuracy - 0.012, accuracy + 0.008)} if known else {}
    given = {"params": 1000, "macs": 2000, "operations": 3000, "interval": interval} | changes
    measured = figures(accuracy, spread, by_defect=by_defect or {}) if known else figures(None)
    return results.Stage(name=name, title=TITLES[name], figures=measured, **given)


def configuration(*stages, depth=18, optimizer="adam", weights="none", **changes) -> results.Configuration:
    """A configuration written by hand."""
    pretrained = {"none": False, "imagenet": True}.get(weights)
    given = {"name": f"resnet{depth}-{optimizer}-{weights}", "pretrained": pretrained, "frozen": None} | changes
    return results.Configuration(depth=depth, optimizer=optimizer, weights=weights, stages=stages, **given)


def written(*configurations, **changes) -> Study:
    """A study written by hand."""
    data = image_results.Data(400, 200, 50, "data/crops", True, "sample", 0, (), 36, "0123456789abcdef" * 4)
    given = {"title": "Study on crops", "command": "python x.py", "out": "runs/x", "settings": TrainingConfig(),
             "environment": {}, "commits": (), "processors": (), "seconds": 1.0, "data": data,
             "folds": ((image_results.ImageCounts(200, 100, 25),) * 2,) * 5, "baselines": ()}  # fmt: skip
    return Study(configurations=configurations, **given | changes)
