"""Where to put the threshold for a required recall, and what a rule for the threshold is worth on other images.

An image whose score is at least the threshold is called defective. A threshold chosen on the images that it is then
measured on looks better than it is, so `cross_fitted` chooses it on others.
"""

from collections.abc import Callable

import numpy as np

Choose = Callable[[np.ndarray, np.ndarray], float]
"""A threshold from labels and scores."""


def for_recall(labels: np.ndarray, scores: np.ndarray, recall: float) -> float:
    """The highest threshold that finds at least a share of the defective images; so it raises the fewest false alarms.

    Arguments:
        labels: (n,) of 0 and 1; some 1.
        scores: (n,) float.
        recall: float in (0, 1].

    >>> for_recall(np.array([1, 1, 1, 0]), np.array([0.9, 0.8, 0.3, 0.5]), 0.6)
    0.8
    """
    found = np.sort(np.asarray(scores, float)[np.asarray(labels) == 1])[::-1]
    if not len(found):
        raise ValueError("no defective image to choose a threshold on")
    shares = np.arange(1, len(found) + 1) / len(found)
    return float(found[np.searchsorted(shares, recall)])


def cross_fitted(
    labels: np.ndarray, scores: np.ndarray, fold_of: np.ndarray, choose: Choose
) -> tuple[np.ndarray, np.ndarray]:
    """Judges every fold with a threshold that was chosen on the others.

    The threshold of a fold comes from the out-of-fold scores of the images of all *other* folds. Neither a label nor a
    score of the fold itself enters directly, so that a threshold cannot be fitted to the images it is measured on.
    What does leak: the other folds' scores were given by networks that had this fold among their training images, so
    its labels reach the threshold through those weights. And the networks differ: a fold's threshold is chosen on the
    scores of other networks than the one it is used with, as a threshold found in cross-validation is later used
    with a network trained on everything. Avoiding both needs a cross-validation inside every fold, at that many times
    the cost.

    Arguments:
        labels: (n,) of 0 and 1.
        scores: (n,) float, out-of-fold.
        fold_of: (n,) int, the fold that held each image out: 0 to folds − 1.
        choose: gives a threshold for labels and scores.

    Returns:
        (folds,) float thresholds; (n,) bool, whether each image is called defective.
    """
    labels, scores, fold_of = np.asarray(labels), np.asarray(scores), np.asarray(fold_of)
    thresholds = np.array(
        [choose(labels[fold_of != fold], scores[fold_of != fold]) for fold in range(fold_of.max() + 1)]
    )
    return thresholds, scores >= thresholds[fold_of]
