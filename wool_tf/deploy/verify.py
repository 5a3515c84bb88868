"""What a TFLite file says of images, and how far that is from what the network says."""

import numpy as np

from wool_tf.deploy import runtime
from wool_tf.errors import WoolError


def predict(tflite: bytes, images: np.ndarray, threads: int = 1) -> np.ndarray:
    """Probability that each image is defective, as a TFLite file sees it on a board.

    Arguments:
        tflite: bytes of a file that `convert` made of a network with two classes.
        images: (n, height, width) of uint8.
        threads: int. CPU threads, at least 1.

    Returns:
        (n,) of float32: the softmax of the second class.

    Raises:
        WoolError: the bytes are no TFLite file, it has not two classes, or the images have another size.
    """
    opened = runtime.interpreter(tflite, threads)
    image, logits = opened.get_input_details()[0], opened.get_output_details()[0]
    if tuple(logits["shape"]) != (1, 2):
        raise WoolError(f"model: must have 2 classes, its output has the shape {tuple(logits['shape'].tolist())}")
    if images.shape[1:] != tuple(image["shape"][1:3]):
        height, width = image["shape"][1:3]
        raise WoolError(f"images: the model reads {height}×{width} pixels, got images of shape {images.shape[1:]}")
    outputs = np.empty((len(images), 2), logits["dtype"])
    for row, pixels in zip(outputs, images, strict=True):
        opened.set_tensor(image["index"], pixels[np.newaxis, ..., np.newaxis].astype(image["dtype"]))
        opened.invoke()
        row[:] = opened.get_tensor(logits["index"])[0]
    return _probability(outputs, *logits["quantization"])


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


def _probability(outputs: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    # The zero point is the same for both logits, so it leaves their difference alone.
    difference = outputs[:, 1].astype(np.float64) - outputs[:, 0]
    margin = difference * scale if scale else difference
    return (0.5 * (1 + np.tanh(margin / 2))).astype(np.float32)


def _share(true: np.ndarray) -> float | None:
    return float(true.mean()) if len(true) else None
