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
weight, up to beam hardening and a factor, which makes no difference to a limit found by trial.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

WINDOWS = (0.0125, 0.025, 0.05, 0.1)
"""Sides of the window that are tried, as shares of the side of the image: 2.4 to 20 mm on crops of 195 mm."""

SURROUNDINGS = 2.0
"""How many times longer than the window the strips beside it are."""

TRIALS = 100
"""Values of either limit that are tried at most. More would fit the training images, not the product."""

WHITE = 255


@dataclasses.dataclass(frozen=True, eq=False)
class Limits:
    """The limits above which an image is called defective.

    Attributes:
        number: of the window kept, among those that were measured.
        limits: (2,) area weight and local contrast in grey levels. A limit that gains nothing on the training images is
            above all of them.
        scales: (2,) standard deviation of both over the training images, which makes the two comparable in a score.
    """

    number: int
    limits: np.ndarray
    scales: np.ndarray

    def scores(self, measured: np.ndarray) -> np.ndarray:
        """(n,) by how many standard deviations the further exceeded limit is exceeded; negative where neither is."""
        return ((measured[:, self.number] - self.limits) / self.scales).max(axis=1)


def measure(images: np.ndarray, windows: Sequence[float] = WINDOWS, surroundings: float = SURROUNDINGS) -> np.ndarray:
    """(n, windows, 2) float, area weight of the heaviest window and highest local contrast, in grey levels.

    Arguments:
        images: (n, side, side) uint8, also a memory map: images are read one by one.
        windows: sides of the square window, as shares in (0, 1] of the side of the image.
        surroundings: length of the strip on each side that a window is compared to, in windows; above 0.

    Raises:
        ValueError: the images are of another shape or type.
    """
    if images.ndim != 3 or images.shape[1] != images.shape[2] or images.dtype != np.uint8:
        raise ValueError(f"images must be (n, side, side) uint8, got {images.shape} {images.dtype}")
    return np.array([[_highest(sums, window, surroundings) for window in windows] for sums in map(_sums, images)])


def fit(measured: np.ndarray, labels: np.ndarray) -> Limits:
    """The window and the limits with the most correct calls.

    Arguments:
        measured: (n, windows, 2) as `measure` gives it, with ascending windows.
        labels: (n,) int, 1 for defective images and 0 for others; both must occur.

    Raises:
        ValueError: a class is missing.

    >>> images = np.full((4, 80, 80), 200, np.uint8)
    >>> images[2:, 30:40, 30:40] = 150
    >>> measured = measure(images)
    >>> fit(measured, np.array([0, 0, 1, 1])).scores(measured) >= 0
    array([False, False,  True,  True])
    """
    if len(np.unique(labels)) != 2:
        raise ValueError(f"labels must be of two classes, got {len(np.unique(labels))}")
    tried = [_try(measured[:, number], labels == 1, TRIALS) for number in range(measured.shape[1])]
    # The first of equals: the smallest window is kept.
    number = max(range(len(tried)), key=lambda number: tried[number][0])
    deviations = measured[:, number].std(axis=0)
    return Limits(number, tried[number][1], np.where(deviations > 0, deviations, 1.0))


def evaluate_repeats(
    images: np.ndarray, labels: np.ndarray, repeats: Sequence[Sequence[np.ndarray]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Calls and scores of the images of each fold, by limits that were found on the other folds.

    Arguments:
        images: (n, side, side) uint8, also a memory map: images are read one by one, and once.
        labels: (n,) int, 1 for defective images and 0 for others.
        repeats: for each cross-validation and each of its folds the indices of the held-out images, none twice; what
            no fold holds out has no score (NaN).

    Returns:
        For each cross-validation (n,) int, the label that each image was given, and (n,) float, its score, at least 0
        where it was called defective. Limits differ from fold to fold and the scores with them, as those of a network
        do: a rank over several folds compares several classifiers.
    """
    # What is measured on an image depends on that image alone, so it need not be repeated for each fold.
    measured, labels = measure(images), np.asarray(labels)
    return [_judged(measured, labels, folds) for folds in repeats]


def _judged(measured: np.ndarray, labels: np.ndarray, folds: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.full(len(labels), np.nan)
    for held_out in folds:
        training = np.setdiff1d(np.arange(len(labels)), held_out)
        scores[held_out] = fit(measured[training], labels[training]).scores(measured[held_out])
    return (scores >= 0).astype(np.int64), scores


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
