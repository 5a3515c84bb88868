"""Raw detector lines become attenuation, and attenuation the grey that networks are trained on.

High counts mean that much X-ray came through. With the means of two references, dark (beam off) and bright (beam on,
belt empty), the transmission is T = (line - dark) / (bright - dark) and the attenuation -log T, which by Beer-Lambert
is proportional to the mass per area. The tube's drift since the references were taken is not corrected here: on a
belt, `wool_board/belt/beam.py` follows it by the air that passes.
"""

import dataclasses
import functools
import hashlib

import numpy as np

AIR = 0.02
"""Mean attenuation, over a line or a block of 16 pixels, below which nothing lies on the belt: more than drift and
noise leave, less than 1 kg/m² of wool."""

BRIGHTER, BRIGHTER_SHARE = -0.2, 0.01
"""Lines with more than this share of pixels below this attenuation were not taken with the references given."""


@dataclasses.dataclass(frozen=True)
class FlatField:
    """Turns the raw lines of one detector into attenuation.

    Attributes:
        dark: (width,) float32, counts without beam.
        gain: (width,) float32, counts of the open beam above dark; positive for all but bad elements.
        spread: (width,) float32, standard deviation over lines of the open beam in counts.
        bad: sorted indices of the elements to be repaired.
        floor: smallest transmission that can be measured; smaller ones are taken as this one.
        lines: number of lines of the bright reference; 0 without references.
    """

    dark: np.ndarray
    gain: np.ndarray
    spread: np.ndarray
    bad: tuple[int, ...]
    floor: float
    lines: int

    @property
    def good(self) -> np.ndarray:
        """Indices of the elements that are not bad."""
        return np.setdiff1d(np.arange(len(self.gain)), self.bad)

    @property
    def fingerprint(self) -> str:
        """Tells the correction of some references from that of others: what they give as dark and as gain."""
        return hashlib.sha256(self.dark.tobytes() + self.gain.tobytes()).hexdigest()[:16]

    @property
    def most(self) -> np.float32:
        """The largest attenuation that can be measured: that of the floor."""
        return -np.log(np.float32(self.floor))

    @functools.cached_property
    def _divisor(self) -> np.ndarray:
        """(width,) the gain, 1 for bad elements."""
        divisor = self.gain.copy()
        divisor[list(self.bad)] = 1
        return divisor

    @functools.cached_property
    def _repair(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of the bad elements the indices, their nearest good neighbours left and right, and the right one's share."""
        bad, good = np.array(self.bad, np.intp), self.good
        right = np.searchsorted(good, bad)
        left, right = good[np.maximum(right - 1, 0)], good[np.minimum(right, len(good) - 1)]
        return bad, left, right, ((bad - left) / np.maximum(right - left, 1)).astype(np.float32)

    def attenuation(self, lines: np.ndarray) -> np.ndarray:
        """The attenuation of raw lines.

        A bad element gets the transmission on the straight line between its nearest good neighbours, or of the nearest
        one at the ends of the detector.

        Arguments:
            lines: (n, width), counts.

        Returns:
            (n, width) float32, at most `most`; 0 is air, and below 0 is noise in the air.
        """
        transmission = lines.astype(np.float32)
        transmission -= self.dark
        transmission /= self._divisor
        bad, left, right, share = self._repair
        if len(bad):
            transmission[:, bad] = transmission[:, left] * (1 - share) + transmission[:, right] * share
        np.maximum(transmission, np.float32(self.floor), out=transmission)
        np.log(transmission, out=transmission)
        return np.negative(transmission, out=transmission)


def grey(attenuation: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Attenuation as uint8: 255 at the low end of the window and below it, 0 at the high end and above it."""
    low, high = window
    shade = high - attenuation
    shade *= 255 / (high - low)
    np.clip(shade, 0, 255, out=shade)
    return np.rint(shade, out=shade).astype(np.uint8)


def corrected_already(width: int, open_beam: float) -> FlatField:
    """For scans without references: all elements are alike, and the open beam has so many counts above none."""
    none = np.zeros(width, np.float32)
    return FlatField(none, np.full(width, open_beam, np.float32), none, (), 1 / open_beam, 0)
