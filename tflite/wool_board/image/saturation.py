"""Where a detector's range ends, which need not be where that of the sample type does: 4095 of 12 bits in 16, say.

At the end of the range samples pile up: many have exactly the highest value that there is, and hardly any a slightly
lower one. Without an end, noise thins them out towards the highest.
"""

import numpy as np

PILE = 2
"""How many times as many samples have the highest value as come close to it, at least, where it ends the range."""

CLOSE = 256
"""Samples come close to the highest value if they are within this part of it (1/256), or one count."""

ELEMENTS = 3
"""Elements that reach the end of the range, at least: one alone that hardly has noise may pile up where it stands."""


def reach(top: int) -> int:
    """Counts below the highest value within which samples come close to it."""
    return max(1, top // CLOSE)


def is_end(top: int, dtype: np.dtype, at_top: int, close: int, elements: int, varies: bool) -> bool:
    """Whether the highest of many samples is the end of the range.

    Arguments:
        top: the highest value.
        dtype: of the samples.
        at_top: samples that have it.
        close: samples below it within `reach`.
        elements: how many elements have samples at the top.
        varies: whether any other element has samples that differ; without noise, all may be equal below any end.
    """
    if top == np.iinfo(dtype).max:
        return True
    return elements >= ELEMENTS and at_top > PILE * close and (varies or _is_all_ones(top))


def _is_all_ones(top: int) -> bool:
    """Whether a converter of some number of bits can give no more."""
    return top & (top + 1) == 0


def end_of_range(lines: np.ndarray) -> int | None:
    """The value at which the range of a detector ends, of (n, width) counts that reach it; None if they do not."""
    top = int(lines.max())
    at_top = lines == top
    count = int(np.count_nonzero(at_top))
    close = int(np.count_nonzero(lines >= top - min(reach(top), top))) - count
    topped, varies = at_top.any(axis=0), (lines != lines[0]).any(axis=0)
    others = bool((varies & ~topped).any())
    return top if is_end(top, lines.dtype, count, close, int(np.count_nonzero(topped)), others) else None
