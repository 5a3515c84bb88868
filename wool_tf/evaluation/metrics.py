"""Figures of merit of one set of scores, and their mean and spread over several sets."""

from collections.abc import Sequence

import numpy as np

METRICS = ("accuracy", "recall", "precision", "f1", "auc", "average_precision")
THRESHOLD = 0.5


def evaluate(labels: np.ndarray, scores: np.ndarray, threshold: float | np.ndarray = THRESHOLD) -> dict:
    """The metrics of a set of images, "defective" being the positive class.

    Arguments:
        labels: (images,) of 0 and 1; both must occur.
        scores: (images,) probability of "defective".
        threshold: images that score at least this are called defective; one, or (images,) one for each.

    Returns:
        Each of `METRICS`, in [0, 1], and `confusion` as [[tn, fp], [fn, tp]]. Precision is 0 where nothing was called
        defective.
    """
    from sklearn import metrics

    called = scores >= threshold
    return {
        "accuracy": float(metrics.accuracy_score(labels, called)),
        "recall": float(metrics.recall_score(labels, called, zero_division=0)),
        "precision": float(metrics.precision_score(labels, called, zero_division=0)),
        "f1": float(metrics.f1_score(labels, called, zero_division=0)),
        "auc": float(metrics.roc_auc_score(labels, scores)),
        "average_precision": float(metrics.average_precision_score(labels, scores)),
        "confusion": metrics.confusion_matrix(labels, called, labels=[0, 1]).tolist(),
    }


def summarise(measured: Sequence[dict]) -> dict:
    """Mean and sample standard deviation (n − 1) of each metric.

    Arguments:
        measured: what `evaluate` says of each set of scores, one for each fold or repeat; at least one.

    Returns:
        `mean` and `std` of each of `METRICS`; the standard deviation of a single set is None.
    """
    values = {name: np.array([metrics[name] for metrics in measured]) for name in METRICS}
    return {
        "mean": {name: float(array.mean()) for name, array in values.items()},
        "std": {name: float(array.std(ddof=1)) if len(measured) > 1 else None for name, array in values.items()},
    }
