"""What a TFLite file says of images, and how far that is from what the network says."""

import numpy as np

from wool_tf.deploy import runtime
from wool_tf.errors import WoolError


def predict(tflite: bytes, images: np.ndarray, threads: int = 1, chosen: np.ndarray | None = None) -> np.ndarray:
    """Probability that each image is defective, as a TFLite file sees it on a board.

    Arguments:
        tflite: bytes of a file that `convert` made of a network with two classes, with or without a card and a heatmap.
        images: (n, height, width) of uint8, may be a memory map.
        threads: int. CPU threads, at least 1.
        chosen: indices of the images to look at; None: all.

    Returns:
        (chosen,) of float64: the softmax of the second class, computed as the programs on a board do.

    Raises:
        WoolError: the bytes are no TFLite file, it has not two classes, or the images have another size.
    """
    opened = runtime.interpreter(tflite, threads)
    image, logits = opened.get_input_details()[0], runtime.outputs(opened)[0]
    if tuple(logits["shape"]) != (1, 2):
        raise WoolError(f"model: must have 2 classes, its output has the shape {tuple(logits['shape'].tolist())}")
    if images.shape[1:] != tuple(image["shape"][1:3]):
        height, width = image["shape"][1:3]
        raise WoolError(f"images: the model reads {height}×{width} pixels, got images of shape {images.shape[1:]}")
    chosen = np.arange(len(images)) if chosen is None else chosen
    outputs = np.empty((len(chosen), 2), logits["dtype"])
    for row, index in zip(outputs, chosen, strict=True):
        opened.set_tensor(image["index"], images[index][np.newaxis, ..., np.newaxis].astype(image["dtype"]))
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
    logits = outputs.astype(np.float64)
    if scale:
        logits = (logits - zero_point) * scale
    return 0.5 * (1 + np.tanh((logits[:, 1] - logits[:, 0]) / 2))


def _share(true: np.ndarray) -> float | None:
    return float(true.mean()) if len(true) else None
