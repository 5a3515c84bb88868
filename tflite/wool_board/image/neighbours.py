"""Elements beside each other."""

import numpy as np


def local_median(values: np.ndarray, size: int) -> np.ndarray:
    """Of each element, the median of itself and its neighbours; at the ends neighbours are mirrored.

    Arguments:
        values: (n,) one of each element, n at least half of `size`.
        size: elements of which the median is taken, itself in the middle; odd.
    """
    padded = np.pad(values, size // 2, mode="reflect")
    # Sorting copies is twice as fast as a median of windows.
    return np.sort(np.stack([padded[shift : shift + len(values)] for shift in range(size)], axis=1), axis=1)[
        :, size // 2
    ]
