"""Training batches: random crops and flips of 8-bit images, the same for the same seed."""

from collections.abc import Iterator

import numpy as np

from wool_tf.data.pixels import middle, normalise


def centre_crop(images: np.ndarray, side: int) -> np.ndarray:
    """The middle side × side pixels of images of shape (..., height, width)."""
    height, width = images.shape[-2:]
    return images[..., middle(height, side), middle(width, side)]


def per_epoch(images: int, batch_size: int) -> int:
    """Batches in which every image comes up at least once."""
    return -(-images // batch_size)


def augmented(
    images: np.ndarray, labels: np.ndarray, chosen: np.ndarray, side: int, batch_size: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches of random crops, each flipped left-right and upside-down with probability one half.

    Every epoch visits the images in a new order. All batches have the same size, so that a network is compiled once:
    the last one of an epoch is filled up from the start of its order.

    Arguments:
        images: (n, height, width) of uint8, may be a memory map; height and width at least `side`.
        labels: (n,) of int.
        chosen: indices of the images to train on.
        side: int. Side of the crops in pixels.
        batch_size: int.
        seed: int.

    Yields:
        (batch_size, side, side, 1) of float32, normalised, and (batch_size,) of int32, for JAX warns of 64 bits.
    """
    rng = np.random.default_rng(seed)
    steps = per_epoch(len(chosen), batch_size)
    while True:
        order = np.resize(rng.permutation(chosen), (steps, batch_size))
        for batch in order:
            crops = np.stack([_augment(images[index], side, rng) for index in batch])
            yield normalise(crops), labels[batch].astype(np.int32)


def _augment(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    top = rng.integers(image.shape[0] - side + 1)
    left = rng.integers(image.shape[1] - side + 1)
    vertical, horizontal = rng.choice((1, -1), size=2)
    return image[top : top + side, left : left + side][::vertical, ::horizontal]
