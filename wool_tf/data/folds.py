"""Stratified folds that never share a physical sample."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from wool_tf import seeds
from wool_tf.data.listing import CLASSES
from wool_tf.errors import BadSetting, WoolError

TRIES = 64
"""Shuffles that are compared. With few groups they differ widely, and many give a fold without one of the classes."""

GOOD_ENOUGH = 1e-3
"""An imbalance below this ends the search: shuffling many small groups gains nothing, and takes long."""


def split(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """Splits images into folds: classes spread evenly, every group in one fold only.

    scikit-learn's StratifiedGroupKFold may return empty or one-class folds, so several of its shuffles are checked and
    the most balanced one is kept. The same arguments give the same folds.

    Arguments:
        labels: (n,) int, index into `CLASSES`.
        groups: (n,) str or int, the physical sample of each image.
        folds: int. At least 2, at most the number of groups, and at most the number of groups that hold either class.
        seed: int, at least 0.

    Returns:
        For each fold the indices of its held-out images, sorted.

    Raises:
        WoolError: the folds cannot be made; the line names `folds` and, where there is one, the largest that can.
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    _check_possible(labels, groups, folds)
    best, least = None, np.inf
    for number in range(TRIES):
        derived = seeds.derive(seed, "split", number)
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=derived)
        held_out = [part for _, part in splitter.split(labels, labels, groups)]
        try:
            check(labels, groups, held_out)
        except WoolError:
            continue
        imbalance = _imbalance(labels, held_out)
        if imbalance < least:
            best, least = held_out, imbalance
        if least < GOOD_ENOUGH:
            break
    if best is None:
        raise BadSetting("folds", folds, "no split found with both classes in every fold; use fewer, or another seed")
    return best


def check(labels: np.ndarray, groups: np.ndarray, held_out: Sequence[np.ndarray]) -> None:
    """Checks that folds are what cross-validation needs.

    Arguments:
        labels: (n,) int, index into `CLASSES`.
        groups: (n,) the physical sample of each image.
        held_out: the indices that each fold holds out.

    Raises:
        WoolError: an image is held out never or twice, a group is in two folds, or the held-out or training images of a
            fold lack a class.
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    if not np.array_equal(np.sort(np.concatenate(held_out)), np.arange(len(labels))):
        raise WoolError("folds: every image must be held out exactly once")
    home: dict[object, int] = {}
    for number, part in enumerate(held_out):
        for group in np.unique(groups[part]):
            if home.setdefault(group, number) != number:
                raise WoolError(f"folds: group {group} is in fold {home[group]} and in fold {number}")
    counts = _counts(labels, held_out)
    for number, count in enumerate(counts):
        for side, present in (("held-out", count), ("training", counts.sum(axis=0) - count)):
            for name, images in zip(CLASSES, present, strict=True):
                if images == 0:
                    raise WoolError(f"folds: fold {number} has no {name} {side} images")


def _check_possible(labels: np.ndarray, groups: np.ndarray, folds: int) -> None:
    if folds < 2:
        raise BadSetting("folds", folds, "must be at least 2")
    limits = {"groups (physical samples)": len(np.unique(groups))}
    for label, name in enumerate(CLASSES):
        limits[f"groups hold {name} images"] = len(np.unique(groups[labels == label]))
    for what, limit in limits.items():
        if limit < folds:
            advice = f"use at most {limit}" if limit >= 2 else "add samples, at least 2 are needed"
            raise BadSetting("folds", folds, f"only {limit} {what}, {advice}")


def _counts(labels: np.ndarray, held_out: Sequence[np.ndarray]) -> np.ndarray:
    """(folds, classes) images."""
    return np.array([np.bincount(labels[part], minlength=len(CLASSES)) for part in held_out])


def _imbalance(labels: np.ndarray, held_out: Sequence[np.ndarray]) -> float:
    """Mean squared relative deviation over folds, of the class counts and of the share of defective images."""
    counts = _counts(labels, held_out)
    share = counts[:, 1] / counts.sum(axis=1)
    return float(np.mean((counts / counts.mean(axis=0) - 1) ** 2) + np.mean((share / labels.mean() - 1) ** 2))


def whole_groups(groups: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Sorted indices of some images: all, or whole groups at random that have at most so many together.

    Arguments:
        groups: (n,) the physical sample of each image.
        most: images; a single group may have more.
        seed: int, at least 0.
    """
    names, of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = seeds.generator(seed, "leaks: crops").permutation(len(names))
    kept = order[np.cumsum(sizes[order]) <= max(most, sizes[order[0]])]
    return np.flatnonzero(np.isin(of, kept))
