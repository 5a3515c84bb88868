"""What the networks of a study are compared with, on the same folds: thresholding and frozen features."""

from collections.abc import Mapping, Sequence

import numpy as np

from wool_tf.baselines import frozen_features, thresholding
from wool_tf.evaluation import operating_points
from wool_tf.evaluation.metrics import THRESHOLD, evaluate
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.study import score_results
from wool_tf.study.evidence import Evidence, Pool
from wool_tf.study.score_results import FROZEN, THRESHOLDING
from wool_tf.training.config import TrainingConfig

Name = tuple[str, str]
"""Kind and name of a baseline."""
Repeats = Sequence[tuple[np.ndarray, np.ndarray]]
"""Of each repeat the calls and the scores of all images."""
AT = {THRESHOLDING: 0.0, FROZEN: THRESHOLD}
"""Where each kind of baseline calls an image defective; scores of thresholding are counted from its limits."""


def judged(configs: Sequence[TrainingConfig], evidence: Evidence) -> dict[Name, Repeats]:
    """Calls and scores of every image in every repeat, by the baselines' kind and name.

    They are thresholding, and frozen features of each pretrained network that a configuration starts from, on the folds
    of the networks.
    """
    given = evidence.images.images, evidence.images.labels, evidence.folds
    frozen = frozen_features.evaluate_grid(configs, *given)
    return {(THRESHOLDING, ""): thresholding.evaluate_repeats(*given)} | {
        (FROZEN, name): repeats for name, repeats in frozen.items()
    }


def figures(evidence: Evidence, found: Mapping[Name, Repeats]) -> tuple[score_results.Baseline, ...]:
    """The figures of the baselines.

    Arguments:
        evidence: Evidence.
        found: what `judged` gives.
    """
    return tuple(
        score_results.Baseline(kind, name, *_figures(evidence, repeats, AT[kind]), _by_rules(kind, evidence, repeats))
        for (kind, name), repeats in found.items()
    )


def _by_rules(kind: str, evidence: Evidence, repeats: Repeats) -> tuple[score_results.OperatingPoint, ...]:
    # Thresholding finds its limits itself, on the training images: no threshold is left for a rule to choose.
    return evidence.operating(_pools(evidence, repeats)) if kind == FROZEN else ()


def called_by(kind: str, evidence: Evidence, repeats: Repeats, rule: ThresholdRule) -> np.ndarray:
    """(n,) bool, which judged images a baseline calls defective in the first repeat, by a rule where it has scores."""
    if kind == THRESHOLDING:
        return repeats[0][0][evidence.judged] == 1
    (scores, fold_of), *_ = _pools(evidence, repeats)
    return operating_points.cross_fitted(evidence.labels, scores, fold_of, rule.chosen)[1]


def _figures(evidence: Evidence, repeats: Repeats, at: float) -> tuple[score_results.Figures, score_results.Intervals]:
    labels = evidence.images.labels
    folds = [
        evaluate(labels[part], scores[part], at)
        for parts, (_, scores) in zip(evidence.folds, repeats, strict=True)
        for part in parts
    ]
    pools = _pools(evidence, repeats)
    found, interval = evidence.figures(pools, [at] * len(repeats), folds)
    return found, interval | evidence.auc_interval(pools)


def _pools(evidence: Evidence, repeats: Repeats) -> list[Pool]:
    found = []
    for parts, (_, scores) in zip(evidence.folds, repeats, strict=True):
        fold_of = np.empty(len(scores), np.int64)
        for number, part in enumerate(parts):
            fold_of[part] = number
        found.append((scores[evidence.judged], fold_of[evidence.judged]))
    return found
