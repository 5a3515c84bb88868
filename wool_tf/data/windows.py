"""How dense what scans show is, and the window of attenuation that shows all of it.

Pixels without signal tell nothing of the product, and would make the window as wide as the detector's range: columns of
dead elements in scans that count as corrected already, black borders, the shadow of a collimator's edge.
"""

import numpy as np

from wool_board.image.flat_field import AIR
from wool_board.image.neighbours import local_median
from wool_board.image.references import GAIN, NEIGHBOURS

BIN, BINS = 0.001, 12_000
"""Width and number of the bins of attenuation; e^-12 is below one count of 16 bits."""

TOP = 0.999
"""Share of the pixels that show something whose attenuation the default window covers."""

NO_SIGNAL = -np.log(0.01)
"""Attenuation of a pixel that the beam does not reach. No useful tube voltage lets less than this 1 % through the
product; a drop of metal may, but is shown black by any window."""


def without_signal(attenuation: np.ndarray, most: float = np.inf) -> np.ndarray:
    """Which pixels the beam does not reach, (lines, width) of bool.

    They are those above NO_SIGNAL or at the noise floor, and columns in whose median line less than GAIN[0] of what
    gets through their neighbours' does, which is the rule for bad elements in references.

    Arguments:
        attenuation: (lines, width) of a part of a scan.
        most: the largest attenuation that can be measured.
    """
    column = np.median(attenuation, axis=0)
    shaded = column - local_median(column, NEIGHBOURS) > -np.log(GAIN[0])
    return (attenuation >= min(most, NO_SIGNAL)) | shaded


def histogram(attenuation: np.ndarray) -> np.ndarray:
    """How many pixels that show something lie in each of BINS bins of attenuation, (BINS,) int64.

    Arguments:
        attenuation: of pixels with signal, of any shape.
    """
    shown = attenuation[attenuation > AIR]
    return np.bincount(np.minimum(shown / BIN, BINS - 1).astype(np.int64), minlength=BINS)


def default_window(counts: np.ndarray) -> tuple[float, float]:
    """The window of attenuation that shows air as white and the densest 0.1 % of what is not air as black.

    Arguments:
        counts: (BINS,), the sum of the histograms of all scans.
    """
    covered = np.searchsorted(np.cumsum(counts), TOP * counts.sum())
    return 0.0, round(float((covered + 1) * BIN), 3)
