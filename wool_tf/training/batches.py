"""Training batches: random crops and flips of 8-bit images, the same for the same seed."""

import keras
import numpy as np

from wool_tf.networks.pixels import normalise


def centre_crop(images: np.ndarray, side: int) -> np.ndarray:
    """The middle side × side pixels of images of shape (..., height, width)."""
    top, left = (images.shape[-2] - side) // 2, (images.shape[-1] - side) // 2
    return images[..., top : top + side, left : left + side]


class AugmentedBatches(keras.utils.PyDataset):
    """Batches of random crops, each flipped left-right and upside-down with probability one half.

    Every epoch visits the images in a new order. All batches have the same size, so that a network is compiled once:
    the last one of an epoch is filled up from the start of its order.

    Arguments:
        images: (n, height, width) of uint8, may be a memory map; height and width at least `side`.
        labels: (n,) of int.
        chosen: indices of the images to train on.
        side: int. Side of the crops in pixels.
        batch_size: int.
        seed: int. Order, crops and flips follow from the seed, the epoch and the number of the batch alone.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, chosen: np.ndarray, side: int, batch_size: int, seed: int
    ):
        super().__init__()
        self.images, self.labels, self.chosen, self.side = images, labels, chosen, side
        self.batch_size, self.seed = batch_size, seed
        self._lay_out(epoch=0)

    def on_epoch_end(self) -> None:
        self._lay_out(self.epoch + 1)

    def __len__(self) -> int:
        return -(-len(self.chosen) // self.batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, number])
        crops = np.stack([self._augment(self.images[index], rng) for index in batch])
        return normalise(crops), self.labels[batch]

    def _lay_out(self, epoch: int) -> None:
        self.epoch = epoch
        order = np.random.default_rng([self.seed, epoch]).permutation(self.chosen)
        self.order = np.resize(order, len(self) * self.batch_size)

    def _augment(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        top = rng.integers(image.shape[0] - self.side + 1)
        left = rng.integers(image.shape[1] - self.side + 1)
        crop = image[top : top + self.side, left : left + self.side]
        vertical, horizontal = rng.choice((1, -1), size=2)
        return crop[::vertical, ::horizontal]
