"""A trained network for the tests of scripts that use one, and what an independent program says of its files."""

import functools
import json
from pathlib import Path

import numpy as np
from PIL import Image

from wool_board.model.recognizer import Recognizer

IMAGE_SIZE, SIDE = 32, 40
"""What the network reads, and the crops of `scripts.write_crops`."""
HELD_OUT = [0, 1, 2, 3, 8, 9, 10, 11]
OTHERS = [4, 5, 6, 7, 12, 13, 14, 15]


def write_network(path: Path, crops: Path, seed: int = 0) -> Path:
    """A narrow network with random weights whose scores of the crops lie on both sides of one half."""
    from wool_tf.data import dataset
    from wool_tf.networks import weights
    from wool_tf.networks.spec import ResNetSpec
    from wool_tf.training import trainer

    full = ResNetSpec.full(18, 2, (IMAGE_SIZE, IMAGE_SIZE, 1))
    spec = full.resized({group: width // 16 for group, width in full.by_group().items()})
    arrays = weights.initial(spec, seed)
    images = dataset.load(crops, 35, path.parent / "cache").images
    logits = trainer.logits(spec, arrays, images, np.arange(len(images)))
    margins = logits[:, 1] - logits[:, 0]
    factor = np.float32(2 / margins.std())
    arrays["fc.bias"] = (arrays["fc.bias"] - np.array([0, np.median(margins)], np.float32)) * factor
    arrays["fc.weight"] *= factor
    weights.save(path, spec, arrays)
    return path


def write_folds(path: Path) -> Path:
    """One repeat of two folds with both classes in each."""
    path.write_text(json.dumps([[HELD_OUT, OTHERS]]))
    return path


@functools.cache
def labelled(crops: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels of the crops, in the order of their paths."""
    files = sorted(crops.glob("*/*.png"), key=lambda path: path.relative_to(crops).as_posix())
    labels = np.array([path.parent.name == "defective" for path in files], int)
    return np.stack([np.asarray(Image.open(path)) for path in files]), labels


def seen(model: Path, crops: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores and calls by the board's own program, and the labels."""
    images, labels = labelled(crops)
    board = Recognizer(model)
    found = [board.recognize(image) for image in images]
    return np.array([one.score for one in found]), np.array([one.defective for one in found]), labels
