"""Which images an int8 file is calibrated on."""

import numpy as np

IMAGES = 100


def choose(labels: np.ndarray, indices: np.ndarray, seed: int, count: int = IMAGES) -> np.ndarray:
    """A random choice with as many images of each class, or all of a class that has too few.

    Arguments:
        labels: (n,) of int, of all images.
        indices: images to choose from: training images, so that the held-out ones stay unseen.
        seed: int.
        count: int. Images wanted, at least 2.

    Returns:
        Ascending indices, at most `count`.
    """
    rng = np.random.default_rng(seed)
    share = count // 2
    chosen = [rng.permutation(indices[labels[indices] == label])[:share] for label in (0, 1)]
    return np.sort(np.concatenate(chosen))
