"""What a TFLite file says of images, and how far that is from what the network says."""

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


def compare(labels: np.ndarray, float_scores: np.ndarray, quantised_scores: np.ndarray, threshold: float = 0.5) -> dict:
    """How far a quantised network is from the one that it was made of, on the same images.

    Arguments:
        labels: (n,) of 0 or 1, 1 for defective.
        float_scores, quantised_scores: (n,) of float. Probabilities that the images are defective.
        threshold: float. Images with this score or more are called defective.

    Returns:
        `images`, their number; `agreement`, the share on which both decide the same; `mean_difference` and
        `max_difference` of the scores; `accuracy_float` and `accuracy_int8`; `recall_float` and `recall_int8`, the
        share of the defective images that is found, None where there is none. Shares are 0 to 1.
    """
    labels = np.asarray(labels) == 1
    difference = np.abs(np.asarray(float_scores, np.float64) - quantised_scores)
    by_float, by_int8 = np.asarray(float_scores) >= threshold, np.asarray(quantised_scores) >= threshold
    return {
        "images": len(labels),
        "agreement": _share(by_float == by_int8),
        "mean_difference": float(difference.mean()),
        "max_difference": float(difference.max()),
        "accuracy_float": _share(by_float == labels),
        "accuracy_int8": _share(by_int8 == labels),
        "recall_float": _share(by_float[labels]),
        "recall_int8": _share(by_int8[labels]),
    }


def _share(true: np.ndarray) -> float | None:
    return float(true.mean()) if len(true) else None
