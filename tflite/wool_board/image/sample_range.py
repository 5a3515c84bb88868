"""Values above the highest one that a detector gives: specks, which are clipped, and all others, which are refused.

Files of 16 bits hold what programs put there besides counts: hot or dead elements marked with 65535, sums and
differences that ran over. Such faults are single pixels, or lines of single elements. One of them must neither decide
how much of its range a detector uses nor cost an image; a picture whose own grey values are beyond is another matter.
"""

import numpy as np

from wool_board.errors import BadFile

SPECK = 3
"""Pixels side by side, across or down, that count as a speck at most; so many bad elements are repaired, too."""

SHARE = 0.02
"""Share of an image's pixels that specks may be: four lines of 200."""


def fits(samples: np.ndarray, top: int) -> bool:
    """Whether all samples but specks are at most the highest value.

    Specks are those beyond it, if they are `SHARE` of all at most and fill no square wider than `SPECK`.

    Arguments:
        samples: (height, width) of unsigned integers.
        top: the highest value that there can be.
    """
    beyond = samples > top
    count = int(np.count_nonzero(beyond))
    if count <= SPECK:
        return True
    return count <= SHARE * samples.size and not _fill_square(beyond)


def within(samples: np.ndarray, top: int) -> np.ndarray:
    """Samples that are at most the highest value: specks beyond it are clipped to it.

    Arguments are as for `fits`.

    Raises:
        BadFile: more than specks are beyond.
    """
    largest = int(samples.max())
    if largest <= top:
        return samples
    if not fits(samples, top):
        rule = "the highest value by `bits`, `white`, imaging.json, a card or the other files"
        raise BadFile(f"has values up to {largest}, beyond {top}, {rule}; correct that, or leave the file out")
    return np.minimum(samples, samples.dtype.type(top))


def _fill_square(marked: np.ndarray) -> bool:
    """Whether marked pixels fill any square that is one wider than a speck."""
    for axis in (0, 1):
        length = marked.shape[axis] - SPECK
        if length <= 0:
            return False
        parts = [marked.take(range(start, start + length), axis) for start in range(SPECK + 1)]
        marked = np.logical_and.reduce(parts)
    return bool(marked.any())
