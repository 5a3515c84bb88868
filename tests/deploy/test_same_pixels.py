"""Crops of any size, through the scoring of the training and through a file for a board."""

from pathlib import Path

import numpy as np
import pytest
from deploy_networks import network, scenes
from PIL import Image

from wool_board.image import decoding
from wool_tf.data import native_crops, pixels
from wool_tf.deploy import tflite_file, tflite_scores
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training import trainer

IMAGE_SIZE, LOAD_SIZE = 64, 70
SIZES = [IMAGE_SIZE, LOAD_SIZE, 50, 63, 65, 100, 244]
ROUNDING = {"mean": 0.001, "largest": 0.005}
"""Of margins between the logits, whose standard deviation is 1: a grey value in a thousand is rounded otherwise."""


@pytest.fixture(scope="module")
def model():
    """A network whose margins on scenes spread by 1 around 0, so that probabilities keep the digits of the logits."""
    spec = ResNetSpec.full(18, 2, (IMAGE_SIZE, IMAGE_SIZE, 1))
    made = network(spec.resized({group: max(2, width // 8) for group, width in spec.by_group().items()}))
    arrays = weights.read(made)
    margins = np.diff(np.asarray(made(pixels.normalise(scenes(20, IMAGE_SIZE, seed=6)), training=False)))
    arrays["fc.weight"] /= margins.std()
    arrays["fc.bias"] = (arrays["fc.bias"] - [0, margins.mean()]).astype(np.float32) / margins.std()
    weights.assign(made, arrays)
    return made


def written(folder: Path, sizes) -> Path:
    """Class folders with a scene of each size in either."""
    for seed, name in enumerate(("defective", "non_defective")):
        (folder / name).mkdir(parents=True)
        for number, size in enumerate(sizes):
            (scene,) = scenes(1, size, seed=100 * seed + number)
            Image.fromarray(scene).save(folder / name / f"{number}.png")
    return folder


def differences(model, crops: native_crops.Crops, read: np.ndarray) -> np.ndarray:
    """How far margins by the fp32 file, of what the board reads, are from those of the training's scoring."""
    loaded = crops.for_network(IMAGE_SIZE).images
    assert loaded.shape[1:] == (LOAD_SIZE, LOAD_SIZE)
    by_keras = np.diff(trainer.logits(model.spec, weights.read(model), loaded, np.arange(len(loaded))))[:, 0]
    scores = tflite_scores.predict(tflite_file.convert(model, "fp32", side=crops.imaging.side), read)
    assert by_keras.std() > 0.1
    return np.abs(np.log(scores / (1 - scores)) - by_keras)


@pytest.mark.parametrize("size", SIZES)
def test_training_and_board_judge_the_same_pixels(size, model, tmp_path):
    crops = native_crops.load(written(tmp_path / "in", [size] * 6), tmp_path / "cache")
    assert crops.imaging.side == size
    found = differences(model, crops, crops.native.images)
    assert found.mean() < ROUNDING["mean"] and found.max() < ROUNDING["largest"]


def test_also_of_images_that_are_not_of_the_commonest_size(model, tmp_path):
    folder = written(tmp_path / "in", [100, 100, *SIZES])
    crops = native_crops.load(folder, tmp_path / "cache")
    read = np.stack([decoding.read(folder / path, 100).pixels for path in crops.native.paths])
    np.testing.assert_array_equal(read, crops.native.images)
    found = differences(model, crops, read)
    assert found.mean() < ROUNDING["mean"] and found.max() < ROUNDING["largest"]
