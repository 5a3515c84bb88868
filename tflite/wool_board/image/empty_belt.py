"""Whether a belt was empty while its bright reference was taken."""

import numpy as np

from wool_board.image.flat_field import AIR

BLOCK = 16
"""Side of the blocks that are compared."""

CERTAIN = 8.0
"""How many times its noise a block must differ from the same elements at other times."""


def first_product(bright: np.ndarray, dark: np.ndarray) -> int | None:
    """Line of the first block that shows product, which some other block does not; None if there is none.

    What never changes is no product that moves, or cannot be told from the detector itself.

    Arguments:
        bright: (lines, width) counts.
        dark: (width,) counts without beam.
    """
    blocks, width = len(bright) // BLOCK, bright.shape[1] // BLOCK * BLOCK
    if blocks < 2:
        return None
    signal = np.maximum(bright[: blocks * BLOCK, :width].astype(np.float32) - dark[:width], 1)
    noise = np.diff(np.log(signal), axis=0).std(axis=0) / np.sqrt(2) / BLOCK
    means = np.log(signal.reshape(blocks, BLOCK, width).mean(axis=1))
    # No single element weighs, however noisy it is.
    levels = np.median(means.reshape(blocks, -1, BLOCK), axis=2)
    limit = np.maximum(2 * AIR, CERTAIN * np.median(noise.reshape(-1, BLOCK), axis=1))
    shows = (levels.max(axis=0) - levels > limit).any(axis=1)
    return int(np.flatnonzero(shows)[0]) * BLOCK if shows.any() else None
