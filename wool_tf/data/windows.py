"""How dense what scans show is, and the window of attenuation that shows all of it."""

import numpy as np

from wool_board.image.flat_field import AIR

BIN, BINS = 0.001, 12_000
"""Width and number of the bins of attenuation; e^-12 is below one count of 16 bits."""

TOP = 0.999
"""Share of the pixels that show something whose attenuation the default window covers."""


def histogram(attenuation: np.ndarray) -> np.ndarray:
    """How many pixels that show something lie in each of BINS bins of attenuation, (BINS,) int64."""
    shown = attenuation[attenuation > AIR]
    return np.bincount(np.minimum(shown / BIN, BINS - 1).astype(np.int64), minlength=BINS)


def default_window(counts: np.ndarray) -> tuple[float, float]:
    """The window of attenuation that shows air as white and the densest 0.1 % of what is not air as black.

    Arguments:
        counts: (BINS,), the sum of the histograms of all scans.
    """
    covered = np.searchsorted(np.cumsum(counts), TOP * counts.sum())
    return 0.0, round(float((covered + 1) * BIN), 3)
