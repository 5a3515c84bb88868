"""Images of different samples that show the same thing: copies in another file format, brightness, position or turn.

Equal files are found when a folder is read. What was saved anew, cut a little differently, turned or mirrored is not
equal, and leaks between folds all the same: a network is then tested on what it was trained on.

Each image is compared with all of other groups, in all eight turns and reflections, by how alike they are on a coarse
grid after brightness and contrast have been evened out locally, so that the edge of the product does not count. The
most alike one is then compared pixel by pixel, over small shifts. Copies saved as JPEG of quality 60, brightened, or
shifted by 3 % of the side score 0.7 and more; different pieces of wool stay below 0.2. Objects that were placed alike,
such as cast parts, reach 0.8: there a person has to look.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from wool_tf.data.folds import whole_groups

ALIKE = 0.6
"""Likeness from which on two images are told of."""
COARSE, FINE = 32, 112
"""Sides in pixels at which all are compared, and the most alike."""
CANDIDATE = 0.3
"""Likeness on the coarse grid below which no closer look is taken: a shift of 3 % costs as much."""
SHIFT = 8
"""Pixels, of `FINE`, by which one image may lie beside the other."""
MOST = 10_000
"""Images that are compared, whole groups at random; the time grows as the square."""
NAMED = 5
"""Pairs that a line names."""
BLOCK = 1000
"""Images of which the likeness to all others is held in memory."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two images of different groups.

    Attributes:
        first, second: their indices.
        likeness: correlation of their pixels after brightness and contrast were evened out, at most 1.
    """

    first: int
    second: int
    likeness: float


def find(images: np.ndarray, groups: np.ndarray, seed: int = 0) -> list[Pair]:
    """Pairs of images of different groups that are alike, the most alike first.

    Of each image only the most alike one of other groups is looked at, so of many copies not every pair is listed.

    Arguments:
        images: (n, side, side) of uint8.
        groups: (n,) the physical sample of each.
        seed: int, at least 0. Which are compared where there are more than `MOST`.
    """
    chosen = whole_groups(groups, MOST, seed)
    of = np.unique(groups[chosen], return_inverse=True)[1]
    coarse = np.stack([_evened(_small(images[index], COARSE)) for index in chosen])
    found: dict[tuple[int, int], Pair] = {}
    for one, other, turn in _most_alike(coarse, of):
        pair = (int(chosen[one]), int(chosen[other]))
        both = (min(pair), max(pair))
        if both not in found:
            first, second = (_small(images[index], FINE) for index in pair)
            found[both] = Pair(*both, _likeness(_evened(first), _evened(turned(second, turn))))
    alike = (pair for pair in found.values() if pair.likeness >= ALIKE)
    return sorted(alike, key=lambda pair: (-pair.likeness, pair.first))


def to_text(pairs: Sequence[Pair], paths: Sequence[str], labels: np.ndarray) -> str:
    """The pairs in one line: their number, and the most alike.

    Arguments:
        pairs: as `find` gives them.
        paths, labels: of all images.
    """
    if not pairs:
        return "No two images of different samples are alike."
    named = ", ".join(
        f"{paths[pair.first]} and {paths[pair.second]} ({pair.likeness:.2f}"
        f"{', with different labels' if labels[pair.first] != labels[pair.second] else ''})"
        for pair in pairs[:NAMED]
    )
    more = f", and {len(pairs) - NAMED:,} more" if len(pairs) > NAMED else ""
    return f"Pairs of different samples that may show the same thing, give these one group: {named}{more}."


def turned(image: np.ndarray, turn: int) -> np.ndarray:
    """A square image in one of its eight turns and reflections, 0 being itself."""
    quarter = np.rot90(image, turn // 2, axes=(-2, -1))
    return quarter[..., ::-1] if turn % 2 else quarter


def _most_alike(coarse: np.ndarray, of: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Of each image, if there is a candidate: its number, that of the most alike one of other groups, and its turn."""
    flat = coarse.reshape(len(coarse), -1)
    views = [np.ascontiguousarray(turned(coarse, turn)).reshape(len(coarse), -1) for turn in range(8)]
    for start in range(0, len(flat), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(flat)))
        best, turn = np.full((len(rows), len(flat)), -1, np.float32), np.zeros((len(rows), len(flat)), np.int8)
        for number, view in enumerate(views):
            likeness = flat[rows] @ view.T
            better = likeness > best
            best[better], turn[better] = likeness[better], number
        best[of[rows, None] == of] = -1
        partners = best.argmax(axis=1)
        for row, (one, other) in enumerate(zip(rows, partners, strict=True)):
            if best[row, other] >= CANDIDATE:
                yield int(one), int(other), int(turn[row, other])


def _small(image: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX), np.float32)


def _evened(image: np.ndarray) -> np.ndarray:
    """An image less its surroundings, over the deviation there: of mean 0 and norm 1, or zeros if it is flat."""
    from scipy.ndimage import gaussian_filter

    radius = len(image) / 12 if len(image) <= COARSE else 2.0
    detail = image - gaussian_filter(image, radius)
    # One grey level more, for where there is nothing the last digits of the filter are no detail.
    detail /= np.sqrt(gaussian_filter(detail**2, 2 * radius)) + 1
    detail -= detail.mean()
    norm = np.linalg.norm(detail)
    return detail / norm if norm > 1e-3 else np.zeros_like(detail)


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Largest correlation over shifts of at most `SHIFT` pixels both ways."""
    shape = tuple(2 * side for side in one.shape)  # Twice the size: nothing comes in again at the other side.
    product = np.fft.rfft2(one, shape) * np.conj(np.fft.rfft2(other, shape))
    shifts = np.fft.irfft2(product, shape)
    near = np.arange(-SHIFT, SHIFT + 1)
    return float(shifts[np.ix_(near, near)].max())
