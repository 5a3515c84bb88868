"""Scores that nothing but rounding tells apart, and that no threshold may come between.

An 8-bit network knows few logits, and many images share one. Where floating point tells these apart, another processor
would do it in another way.
"""

import numpy as np

SAME = 1e-5
"""Margins (log odds of a score) that are no further apart may be equal on another processor."""
ROUNDING = 2**-51
"""The same of scores: near 0 and 1 a few units of the last place are a wide step of the margin."""


def margins(scores: np.ndarray) -> np.ndarray:
    """(n,) float, the log odds of (n,) scores from 0 to 1; infinite of 0 and 1."""
    scores = np.asarray(scores, float)
    with np.errstate(divide="ignore"):
        return np.log(scores) - np.log1p(-scores)


def merged(scores: np.ndarray) -> np.ndarray:
    """The scores, each made equal to the lowest of those that it cannot be told from.

    No two that become equal are more than `SAME` or `ROUNDING` apart, however many lie between others. The closest are
    joined first, so that equal ones stay together.

    Arguments:
        scores: (n,) float, 0 to 1.

    >>> merged(np.array([0.5, 0.2, 0.5 + 1e-9]))
    array([0.5, 0.2, 0.5])
    """
    distinct, place = np.unique(np.asarray(scores, float), return_inverse=True)
    first = _first(distinct)
    return distinct[first][np.cumsum(first) - 1][place]


def _first(distinct: np.ndarray) -> np.ndarray:
    """(n,) bool, which of (n,) ascending scores is the lowest of its cluster."""
    margin = margins(distinct)

    def apart(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """How far, in units of what may be equal."""
        return np.minimum((margin[high] - margin[low]) / SAME, (distinct[high] - distinct[low]) / ROUNDING)

    number = np.arange(len(distinct))
    gaps = apart(number[:-1], number[1:])
    order = np.argsort(gaps, kind="stable")
    # Of the cluster that ends at a place its first one, and of the one that starts at a place its last.
    start, end, first = number.copy(), number.copy(), np.ones(len(number), bool)
    for gap in order[: np.count_nonzero(gaps <= 1)]:
        low, high = start[gap], end[gap + 1]
        if apart(low, high) <= 1:
            start[high], end[low], first[gap + 1] = low, high, False
    return first
