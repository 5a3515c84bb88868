"""Pictures of tiles: which are kept, and as what."""

import io
import random
import time

import numpy as np
from PIL import Image

HOUR = 3600.0
BURST = 10
"""What may be kept at once is what is allowed within so many minutes."""


def png(pixels: bytes, height: int, width: int) -> bytes:
    """A PNG of grey values.

    Arguments:
        pixels: height × width of uint8.
    """
    stream = io.BytesIO()
    Image.fromarray(np.frombuffer(pixels, np.uint8, height * width).reshape(height, width)).save(stream, "PNG")
    return stream.getvalue()


class PictureSampling:
    """Chooses whose picture is kept: of every defective tile, and of a sample of the others.

    What wears a card out is what is written to it. Where all is called defective, because the window is wrong or the
    product is, pictures are withheld from a number of bytes on, and counted.

    Arguments:
        sample: of so many tiles that pass, about one is kept; 0: none.
        hourly_bytes: of pictures at most.

    Attributes:
        withheld: pictures of defective tiles that were not kept, since the start.
    """

    def __init__(self, sample: int, hourly_bytes: float):
        self.withheld = 0
        self._sample, self._rate = sample, hourly_bytes / HOUR
        self._left, self._refilled = self._most, time.monotonic()
        # Every so many-th would be of the same place across the belt again and again.
        self._random = random.Random()

    @property
    def _most(self) -> float:
        return self._rate * 60 * BURST

    @property
    def is_exhausted(self) -> bool:
        """Whether pictures are withheld at present."""
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._refilled) * self._rate)
        self._refilled = now
        return self._left <= 0

    def wants(self, defective: bool) -> bool:
        """Whether the picture of a tile is kept."""
        wanted = defective or (self._sample > 0 and self._random.random() * self._sample < 1)
        if wanted and self.is_exhausted:
            self.withheld += defective
            return False
        return wanted

    def kept(self, count: int) -> None:
        """So many bytes were kept."""
        self._left -= count
