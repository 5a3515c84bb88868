"""Scores of images by a network in Keras, on any of its backends."""

import numpy as np

from wool_board.model.network import probability
from wool_tf.data.batches import centre_crop
from wool_tf.data.pixels import normalise
from wool_tf.networks import forward_pass
from wool_tf.networks.resnet import ResNet

BATCH = 32


def logits(model: ResNet, images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Logits of the centre crops of images.

    Arguments:
        model: ResNet.
        images: (n, height, width) of uint8, at least as large as the network's input.
        chosen: indices of the images to look at, at least one.

    Returns:
        (chosen, classes) of float32.
    """
    side = model.spec.input_shape[0]
    batches = (chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH))
    crops = (normalise(centre_crop(images[batch], side)) for batch in batches)
    return np.concatenate([forward_pass.outputs(model, batch, BATCH) for batch in crops])


def probabilities(two_logits: np.ndarray) -> np.ndarray:
    """(n,) probability of "defective", class 1, from (n, 2) logits."""
    return probability(two_logits[:, 1].astype(np.float64) - two_logits[:, 0])
