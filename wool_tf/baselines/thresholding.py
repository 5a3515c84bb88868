"""What factories do today: thresholds on the X-ray image of the weight gauge, found by trial.

The gauge measures area weight (mass per area of the product), and a thresholding system on top of it calls a product
defective (Rafiei et al., section II) where a small window of the image is

- heavier than an absolute limit, or
- heavier than its surroundings by more than a limit. The surroundings are a strip as wide as the window on each of its
  four sides, and the heaviest of them counts: at the edge of a product and on a slope of its weight there is always a
  side that is not lighter, so neither triggers, as neither may on a line where every product has edges.

Both are running means and comparisons per pixel, which a line system can do. The limits and the size of the window are
found on the production line by trial and error; here, by trying them on training images and keeping those with the most
correct calls. Nothing else is learned, and nothing is known of shapes or textures.

Images are 8-bit grey, linear in -log of the transmitted X-rays, denser being darker, so 255 - grey stands for the area
weight, up to beam hardening and to the factor that nobody needs for a limit found by trial.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

WINDOWS = (0.0125, 0.025, 0.05, 0.1)
"""Sides of the window that are tried, as shares of the side of the image: 2.4 to 20 mm on crops of 195 mm."""

SURROUNDINGS = 2.0
"""How many times longer than the window the strips beside it are."""

TRIALS = 100
"""Values of either limit that are tried at most. More would fit the training images, not the product."""

WHITE = 255


class ThresholdClassifier(ClassifierMixin, BaseEstimator):
    """Calls an image defective where a window exceeds the limit of area weight or of local contrast.

    Arguments:
        windows: sequence of float. Sides of the square window to try, as shares in (0, 1] of the side of the image.
        surroundings: float above 0. Length of the strip on each side that a window is compared to, in windows.
        trials: int, at least 1. Values of either limit to try at most, spread evenly over the training images.

    Attributes:
        classes_: (2,) the two labels, sorted; the second is that of defective images.
        window_: float. The window kept, as a share of the side.
        limits_: (2,) area weight and local contrast above which an image is called defective, in grey levels. A limit
            that gains nothing on the training images is above all of them.
        scales_: (2,) standard deviation of both over the training images, which makes the two comparable in a score.

    >>> images = np.full((4, 80, 80), 200, np.uint8)
    >>> images[2:, 30:40, 30:40] = 150
    >>> ThresholdClassifier().fit(images, [0, 0, 1, 1]).predict(images)
    array([0, 0, 1, 1])
    """

    def __init__(self, windows: Sequence[float] = WINDOWS, surroundings: float = SURROUNDINGS, trials: int = TRIALS):
        self.windows = windows
        self.surroundings = surroundings
        self.trials = trials

    def fit(self, X: np.ndarray, y: np.ndarray) -> "ThresholdClassifier":
        """Finds the window and the limits with the most correct calls.

        Arguments:
            X: (n, side, side) uint8, also a memory map: images are read one by one.
            y: (n,) labels of two classes, the larger one being that of defective images.

        Raises:
            ValueError: a shape, the type or a label is not of this kind.
        """
        check_consistent_length(X, y)
        return self._fit_measured(self._measure(X), y)

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """(n,) by how many standard deviations the further exceeded limit is exceeded; negative where neither is."""
        check_is_fitted(self)
        return self._score(self._measure(X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,) the label of each image."""
        exceeded = self.decision_function(X) >= 0
        return self.classes_[exceeded.astype(int)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.classifier_tags.multi_class = False
        return tags

    def _measure(self, images: np.ndarray) -> np.ndarray:
        """(n, windows, 2) area weight of the heaviest window and highest local contrast, in grey levels."""
        # scikit-learn hands lists to estimators; a memory map must stay one.
        images = images if isinstance(images, np.ndarray) else np.asarray(images)
        if images.ndim != 3 or images.shape[1] != images.shape[2] or images.dtype != np.uint8:
            raise ValueError(f"X must be (n, side, side) uint8, got {images.shape} {images.dtype}")
        if len(self.windows) == 0 or not all(0 < window <= 1 for window in self.windows):
            raise ValueError(f"windows must be shares of the side above 0 and at most 1, got {self.windows!r}")
        if not self.surroundings > 0:
            raise ValueError(f"surroundings must be above 0, got {self.surroundings!r}")
        return np.array(
            [[_highest(sums, window, self.surroundings) for window in self.windows] for sums in map(_sums, images)]
        ).reshape(-1, len(self.windows), 2)

    def _fit_measured(self, measured: np.ndarray, y: np.ndarray) -> "ThresholdClassifier":
        if self.trials < 1:
            raise ValueError(f"trials must be at least 1, got {self.trials!r}")
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) != 2:
            raise ValueError(f"y must hold labels of two classes, got {len(self.classes_)} class(es)")
        best = -1
        # Strictly more: of equals the smallest window and the highest limits are kept.
        for number in np.argsort(self.windows):
            correct, limits = _try(measured[:, number], y == self.classes_[1], self.trials)
            if correct > best:
                best, self.limits_, self._number = correct, limits, number
        self.window_ = float(self.windows[self._number])
        deviations = measured[:, self._number].std(axis=0)
        self.scales_ = np.where(deviations > 0, deviations, 1.0)
        return self

    def _score(self, measured: np.ndarray) -> np.ndarray:
        return ((measured[:, self._number] - self.limits_) / self.scales_).max(axis=1)


def evaluate_folds(
    images: np.ndarray, labels: np.ndarray, folds: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """`evaluate_repeats` of one cross-validation."""
    return evaluate_repeats(images, labels, [folds])[0]


def evaluate_repeats(
    images: np.ndarray, labels: np.ndarray, repeats: Sequence[Sequence[np.ndarray]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Calls and scores of the images of each fold, by limits that were found on the other folds.

    Arguments:
        images: (n, side, side) uint8, also a memory map: images are read one by one, and once.
        labels: (n,) int, 1 for defective images and 0 for others.
        repeats: for each cross-validation and each of its folds the indices of the held-out images; all folds of one
            together every image once.

    Returns:
        For each cross-validation (n,) int, the label that each image was given, and (n,) float, its score, at least 0
        where it was called defective. Limits differ from fold to fold and the scores with them, as those of a network
        do: a rank over several folds compares several classifiers.
    """
    # What is measured on an image depends on that image alone, so it need not be repeated for each fold.
    measured, labels = ThresholdClassifier()._measure(images), np.asarray(labels)
    return [_judged(measured, labels, folds) for folds in repeats]


def _judged(measured: np.ndarray, labels: np.ndarray, folds: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    classifier, calls, scores = ThresholdClassifier(), np.empty(len(labels), np.int64), np.empty(len(labels))
    for held_out in folds:
        training = np.setdiff1d(np.arange(len(labels)), held_out)
        classifier._fit_measured(measured[training], labels[training])
        scores[held_out] = classifier._score(measured[held_out])
        calls[held_out] = classifier.classes_[(scores[held_out] >= 0).astype(int)]
    return calls, scores


def _sums(image: np.ndarray) -> np.ndarray:
    """(side + 1, side + 1) float, area weight summed over all pixels above and left of each corner; exact integers."""
    sums = np.zeros((len(image) + 1, len(image) + 1))
    np.cumsum(np.cumsum(WHITE - image, axis=0, dtype=float), axis=1, out=sums[1:, 1:])
    return sums


def _highest(sums: np.ndarray, window: float, surroundings: float) -> tuple[float, float]:
    """The largest mean of a window, and the largest excess over the heaviest of its sides that are in the image."""
    width = max(1, round(window * (len(sums) - 1)))
    length = max(1, round(surroundings * width))
    inner, across = _window_and_sides(sums, width, length)
    along = _window_and_sides(sums.T, width, length)[1].T
    contrast = inner - np.fmax(across, along)
    # A window as large as the image has no sides, and no contrast.
    return inner.max(), 0.0 if np.isnan(contrast).any() else contrast.max()


def _window_and_sides(sums: np.ndarray, width: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of all windows, and of the heavier strip to the left or right of each; NaN where there is neither."""
    strips = (sums[width:] - sums[:-width]) / width
    start, side = np.arange(len(strips)), len(sums) - 1
    low, high = np.maximum(start - length, 0), np.minimum(start + width + length, side)
    with np.errstate(invalid="ignore"):
        left = (strips[:, : len(start)] - strips[:, low]) / (start - low)
        right = (strips[:, high] - strips[:, width:]) / (high - start - width)
    return (strips[:, width:] - strips[:, :-width]) / width, np.fmax(left, right)


def _try(values: np.ndarray, defective: np.ndarray, trials: int) -> tuple[int, np.ndarray]:
    """The most correct calls of any pair of limits on (n, 2) values, and the highest such pair."""
    limits = [_candidates(column, trials) for column in values.T]
    # How many candidates a value is above: a pair of limits (i, j) passes the images in cells up to (i, j).
    cells = [np.searchsorted(tried, column) for tried, column in zip(limits, values.T, strict=True)]
    passed = [np.zeros((len(limits[0]), len(limits[1])), np.int64) for _ in range(2)]
    for kind, counts in enumerate(passed):
        np.add.at(counts, tuple(cell[defective == kind] for cell in cells), 1)
        counts[:] = counts.cumsum(axis=0).cumsum(axis=1)
    correct = passed[0] + (defective.sum() - passed[1])
    best = correct.max()
    i, j = max(np.argwhere(correct == best), key=sum)
    return int(best), np.array([limits[0][i], limits[1][j]])


def _candidates(values: np.ndarray, trials: int) -> np.ndarray:
    """Limits halfway between neighbouring values, at most `trials` of them, and one a grey level above all."""
    distinct = np.unique(values)
    between = (distinct[1:] + distinct[:-1]) / 2
    if len(between) > trials:
        between = between[np.linspace(0, len(between) - 1, trials).round().astype(int)]
    return np.append(between, distinct[-1] + 1)
