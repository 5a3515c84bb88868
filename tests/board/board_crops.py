"""Crops to show to board models."""

import numpy as np

IMAGE_SIZE, SIDE = 96, 110
"""Of the network's input, 3 by 3 cells in its last feature map, and of the crops, which the models resize."""


def crops(count: int, seed: int, side: int = SIDE) -> np.ndarray:
    """Patchy grey images with noise, (count, side, side) of uint8."""
    rng = np.random.default_rng(seed)
    patches = np.kron(rng.normal(120, 45, (count, 11, 11)), np.ones((10, 10)))[:, :side, :side]
    return np.clip(patches + rng.normal(0, 12, patches.shape), 0, 255).astype(np.uint8)
