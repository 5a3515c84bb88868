"""What the tests of data share."""

import numpy as np
import pytest
from class_folders import SIDE
from PIL import Image

from wool_tf.data import dataset


@pytest.fixture
def folder(tmp_path):
    """Class folders with two noisy images each."""
    rng = np.random.default_rng(0)
    for name in dataset.CLASSES:
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            pixels = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"
