"""What a TFLite file says of images."""

import numpy as np

from wool_board.errors import BadFile
from wool_board.model.network import TfliteNetwork
from wool_tf.errors import WoolError


def predict(tflite: bytes, images: np.ndarray, threads: int = 1, chosen: np.ndarray | None = None) -> np.ndarray:
    """Probability that each image is defective, as a TFLite file sees it on a board.

    Arguments:
        tflite: bytes of a file by `tflite_file.convert`; its network has two classes, a card and heatmap do no harm.
        images: (n, height, width) of uint8, may be a memory map.
        threads: int. CPU threads, at least 1.
        chosen: indices of the images to look at; None: all.

    Returns:
        (chosen,) of float64: the softmax of the second class, by the code of the programs on a board.

    Raises:
        WoolError: the bytes are no TFLite file, it has not two classes, or the images have another size.
    """
    try:
        network = TfliteNetwork(tflite, threads)
    except BadFile as bad:
        raise WoolError(f"model: {bad}") from None
    if network.logits_shape != (1, 2):
        raise WoolError(f"model: must have 2 classes, its output has the shape {network.logits_shape}")
    ((_, height, width, _),) = network.input_shapes
    if images.shape[1:] != (height, width):
        raise WoolError(f"images: the model reads {height}×{width} pixels, got images of shape {images.shape[1:]}")
    indices = range(len(images)) if chosen is None else chosen
    return np.array([network.run(images[index]) for index in indices], np.float64)
