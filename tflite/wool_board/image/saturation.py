"""The level at which a detector saturates, found from its counts: a plateau, wherever it lies.

A detector of 12 bits in 16-bit files ends at 4095, and some clip lower, at 4000 for one: neither the file nor its
sample type tells. But all counts that would have been higher stand at that level, so it is the highest count and far
more frequent than those just below it, while the counts of a detector that does not saturate become rarer upwards.

Detectors that take off each element's offset themselves end at another count in each: then every element has a plateau
of its own (`own_plateaus`).

Of files the whole histogram is known (`level`); of a running belt no more is kept than how many samples have the
highest value, and how many come close to it (`is_end`).
"""

import numpy as np

from wool_board.image.sample_range import SHARE

LEAST = 8
"""Samples that a plateau has at least: half of the lines of the shortest reference, for one element."""

BELOW = 8
"""Counts just below the highest one that it is compared with. Only counts that occur are looked at: some detectors
count in steps."""

SPIKE = 4.0
"""How many times as frequent as these are in the mean the highest count is in a plateau; in the upper tail of noise it
is the rarest."""

PILE = 2
"""How many times as many samples have the highest value as come close to it, at least, where it ends the range."""

CLOSE = 256
"""Samples come close to the highest value if they are within this part of it (1/256), or one count."""

LEAST_NOISE = 2.0
"""Counts of noise, at least, with which one count alone is not the rule."""

ELEMENTS = 3
"""Elements that reach the end of the range, at least: one alone that hardly has noise may pile up where it stands."""


def histogram(samples: np.ndarray) -> np.ndarray:
    """How often each count occurs, (65536,) int64.

    Arguments:
        samples: of uint8 or uint16, of any shape.
    """
    return np.bincount(samples.ravel(), minlength=1 << 16)


def level(counts: np.ndarray) -> int | None:
    """The count at which samples saturate, or None where neither the highest count nor one below specks is a plateau.

    Samples that are all the same are a plateau: without any noise, no signal is seen.

    Arguments:
        counts: (65536,), a histogram.
    """
    occurring = np.flatnonzero(counts)[::-1]
    often = counts[occurring]
    above = np.cumsum(often) - often
    # Hot elements and marks are far above; a plateau has more samples than all of them.
    few = (above <= SHARE * often.sum()) & (PILE * above < often) & (often >= LEAST)
    far = np.diff(occurring, prepend=1 << 17) < -np.maximum(1, occurring // CLOSE)
    for place in np.flatnonzero(few & far):
        below = often[place + 1 : place + 1 + BELOW]
        if not len(below) or often[place] >= SPIKE * below.mean():
            return int(occurring[place])
    return None


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


def own_plateaus(samples: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """How many samples of each element stand at a plateau of its own, (width,); 0 where its highest count is none.

    Arguments:
        samples: (lines, width) uint8 or uint16.
        noise: (width,) standard deviation in counts that the samples have at least, as far as nothing cuts them.
    """
    highest, near = samples.max(axis=0), np.maximum(np.rint(noise), 1).astype(np.int64)
    topped = samples == highest
    at_top = np.count_nonzero(topped, axis=0)
    # An element that holds a count for some lines does so once.
    held = (np.count_nonzero(topped[1:] & ~topped[:-1], axis=0) + topped[0] == 1) & (at_top < len(samples))
    close = np.count_nonzero(samples >= np.maximum(highest - near, 0).astype(samples.dtype), axis=0) - at_top
    found = (at_top >= LEAST) & (at_top * near >= SPIKE * close) & (noise >= LEAST_NOISE) & ~held
    return np.where(found, at_top, 0)


def _is_all_ones(top: int) -> bool:
    """Whether a converter of some number of bits can give no more."""
    return top & (top + 1) == 0
