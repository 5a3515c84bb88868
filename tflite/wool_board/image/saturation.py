"""The level at which a detector saturates, found from its counts: a plateau, wherever it lies.

A detector of 12 bits in 16-bit files ends at 4095, and some clip lower, at 4000 for one: neither the file nor its
sample type tells. But all counts that would have been higher stand at that level, so it is the highest count and far
more frequent than those just below it, while the counts of a detector that does not saturate become rarer upwards.
"""

import numpy as np

LEAST = 8
"""Samples that a plateau has at least: half of the lines of the shortest reference, for one element."""

BELOW = 8
"""Counts just below the highest one that it is compared with. Only counts that occur are looked at: some detectors
count in steps."""

SPIKE = 4.0
"""How many times as frequent as these are in the mean the highest count is in a plateau; in the upper tail of noise it
is the rarest."""


def histogram(samples: np.ndarray) -> np.ndarray:
    """How often each count occurs, (65536,) int64.

    Arguments:
        samples: of uint8 or uint16, of any shape.
    """
    return np.bincount(samples.ravel(), minlength=1 << 16)


def level(counts: np.ndarray) -> int | None:
    """The count at which samples saturate, or None where the highest count is no plateau.

    Samples that are all the same are a plateau: without any noise, no signal is seen.

    Arguments:
        counts: (65536,), a histogram.
    """
    occurring = np.flatnonzero(counts)
    if not len(occurring) or counts[occurring[-1]] < LEAST:
        return None
    *below, highest = (int(count) for count in occurring[-BELOW - 1 :])
    return highest if not below or counts[highest] >= SPIKE * np.mean(counts[below]) else None
