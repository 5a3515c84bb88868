"""Out-of-fold scores of a whole repeat, and how sure one can be of what is measured on them.

In one repeat of the cross-validation every image is held out once, so the folds together score the whole data set. The
metrics of a repeat are taken of all these scores at once, not averaged over folds: a fold of fifty images has too few
defective ones for a recall of its own.

Two numbers say how far a result can be trusted. The standard deviation over repeats is the chance in splitting and
training, on the same samples. The interval is what other samples would have given: it comes from drawing the physical
samples again, with replacement (Efron's bootstrap, percentile interval). Crops of one sample resemble each other, so
samples are drawn and not images; drawing images would make the intervals too narrow.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from wool_tf import seeds
from wool_tf.data import defect_types
from wool_tf.errors import WoolError

DRAWS = 1000
CONFIDENCE = 0.95
"""Share of the draws that an interval holds."""
_BATCH_ELEMENTS = 1 << 20
"""Weights that are looked at together; 1000 draws of 100,000 images would not fit into memory in float64."""


def pool(images: int, folds: Sequence[tuple[Sequence[int], Sequence[float]]]) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the folds of one repeat, in the order of the data set.

    Arguments:
        images: int. Number of images of the data set.
        folds: for each fold the indices of its held-out images and their scores, in the same order.

    Returns:
        (images,) float scores; (images,) int, the fold that held each image out.

    Raises:
        WoolError: an image is held out never or twice, an index or a score is no number that can be used.
    """
    for number, (held_out, found) in enumerate(folds):
        if len(held_out) != len(found):
            raise WoolError(f"fold {number}: {len(held_out)} held-out images but {len(found)} scores; run it again")
    indices = np.concatenate([np.asarray(held_out, np.int64) for held_out, _ in folds])
    values = np.concatenate([np.asarray(found, float) for _, found in folds])
    if not np.array_equal(np.sort(indices), np.arange(images)):
        raise WoolError(f"folds: each of {images} images must be held out exactly once; the records are of other data")
    if not np.isfinite(values).all():
        raise WoolError("folds: a score is not finite; run its fold again")
    scores, fold_of = np.empty(images), np.empty(images, np.int64)
    scores[indices] = values
    fold_of[indices] = np.repeat(np.arange(len(folds)), [len(held_out) for held_out, _ in folds])
    return scores, fold_of


@dataclasses.dataclass(frozen=True)
class DefectRecall:
    """How many defective images have a type of defect, and the share of them that was found."""

    images: int
    recall: float


def recall_by_defect(labels: np.ndarray, called: np.ndarray, defects: np.ndarray) -> dict[str, DefectRecall]:
    """Which kinds of defects are found.

    Arguments:
        labels: (n,) of 0 and 1.
        called: (repeats, n) bool, whether an image was called defective.
        defects: (n,) str, the types of each image, joined by "+"; an image counts for each of its types.

    Returns:
        By type, sorted; recall is averaged over repeats. Defective images of unknown type are in none.

    >>> recall_by_defect([1, 1, 0], np.array([[True, False, False]]), ["D1+D3", "D1", ""])
    {'D1': DefectRecall(images=2, recall=0.5), 'D3': DefectRecall(images=1, recall=1.0)}
    """
    found = np.mean(called, axis=0)
    images: dict[str, list[int]] = {}
    for index in np.flatnonzero(np.asarray(labels) == 1).tolist():
        for kind in defect_types.parted(defects[index]):
            images.setdefault(kind, []).append(index)
    return {kind: DefectRecall(len(indices), float(found[indices].mean())) for kind, indices in sorted(images.items())}


def draw(labels: np.ndarray, groups: np.ndarray, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """How often each image occurs when the physical samples are resampled with replacement.

    Samples are drawn within strata: those with defective crops only, with sound crops only, and with both. How many
    samples of each kind there are was decided when they were collected and tells nothing about the production line,
    so it is no source of chance; and no draw can lack a class. The price: a stratum of one sample never varies.

    Arguments:
        labels: (n,) of 0 and 1.
        groups: (n,) the physical sample of each image.
        draws: int. How many times to draw.
        seed: int. The same arguments give the same draws, so that networks are compared on equal draws.

    Returns:
        (draws, n) uint16.
    """
    labels = np.asarray(labels)
    _, group_of = np.unique(groups, return_inverse=True)
    holds = [np.bincount(group_of, weights=labels == kind) > 0 for kind in (0, 1)]
    stratum_of = holds[0] + 2 * holds[1]
    rng = seeds.generator(seed, "bootstrap")
    times = np.empty((draws, len(stratum_of)), np.uint16)
    for stratum in np.unique(stratum_of):
        members = np.flatnonzero(stratum_of == stratum)
        times[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), draws)
    return times[:, group_of]


def intervals(labels: np.ndarray, called: Sequence[np.ndarray], weights: np.ndarray) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals of the means over repeats.

    They say how the networks at hand would do on other samples. What training on other samples would change is not in
    them. Where nothing was judged wrongly an interval has no width, which does not mean that nothing ever would be.

    Arguments:
        labels: (n,) of 0 and 1.
        called: for each repeat (n,) bool, whether an image is called defective; at least one repeat.
        weights: (draws, n) what `draw` gave.

    Returns:
        Lower and upper end of `accuracy`, `recall` and `false_alarm_rate`.
    """
    truth = np.asarray(labels) == 1
    share = np.mean(called, axis=0)
    return {
        "accuracy": interval(np.where(truth, share, 1 - share), weights),
        "recall": interval(share, weights, truth),
        "false_alarm_rate": interval(share, weights, ~truth),
    }


def auc_interval(labels: np.ndarray, scores: Sequence[np.ndarray], weights: np.ndarray) -> tuple[float, float]:
    """The same of the ROC AUC.

    Arguments:
        labels: (n,) of 0 and 1.
        scores: for each repeat (n,) probabilities of "defective"; at least one repeat.
        weights: (draws, n) what `draw` gave.
    """
    truth = np.asarray(labels) == 1
    areas = [np.mean([weighted_auc(truth, one, batch) for one in scores], axis=0) for batch in _batches(weights)]
    return _ends(np.concatenate(areas))


def interval(values: np.ndarray, weights: np.ndarray, among: np.ndarray | None = None) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of a value of each image.

    Of the difference of two classifiers on the same images it is a paired interval.

    Arguments:
        values: (n,) float.
        weights: (draws, n) what `draw` gave.
        among: (n,) bool, the images that the mean is over; all by default.
    """
    chosen = slice(None) if among is None else among
    values, means = np.asarray(values, float)[chosen], []
    for batch in _batches(weights):
        means.append(batch[:, chosen] @ values / batch[:, chosen].sum(axis=1))
    return _ends(np.concatenate(means))


def _ends(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(drawn, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)


def weighted_auc(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """ROC AUC under many weightings of the same images at once.

    The area is the share of pairs of a defective and a sound image in which the defective one has the higher score,
    equal scores counting half (Mann and Whitney's U): Σ w⁺ₖ (W⁻ₖ₋₁ + w⁻ₖ / 2) / (W⁺ W⁻), where w⁺ₖ and w⁻ₖ are the
    weights of the defective and sound images with the k-th lowest score and W⁻ₖ those of the sound ones up to it.

    Arguments:
        truth: (n,) bool, whether an image is defective.
        scores: (n,) float.
        weights: (draws, n) float, at least 0; in each draw both classes must have some.

    Returns:
        (draws,) float.
    """
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    defective = np.add.reduceat(weights[:, order] * truth[order], starts, axis=1)
    sound = np.add.reduceat(weights[:, order] * ~truth[order], starts, axis=1)
    below = np.cumsum(sound, axis=1)
    ordered = np.einsum("dk,dk->d", defective, below - sound / 2)
    return ordered / (defective.sum(axis=1) * below[:, -1])


def _batches(weights: np.ndarray) -> Iterator[np.ndarray]:
    size = max(1, _BATCH_ELEMENTS // weights.shape[1])
    for start in range(0, len(weights), size):
        yield weights[start : start + size].astype(float)
