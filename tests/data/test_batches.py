from itertools import islice

import numpy as np
import pytest

from wool_tf.data.batches import augmented, centre_crop, per_epoch
from wool_tf.data.pixels import MEAN, STD

SIDE, CROP, BATCH = 9, 7, 4


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, SIDE, SIDE), np.uint8)


def batches(images, seed=1, chosen=None):
    chosen = np.arange(len(images)) if chosen is None else chosen
    return augmented(images, np.arange(len(images)), chosen, CROP, BATCH, seed)


def pixels(batch: np.ndarray) -> np.ndarray:
    return np.rint((batch[..., 0] * STD + MEAN) * 255).astype(int)


def variants(image: np.ndarray):
    """Every crop of an image in every flip."""
    for top in range(SIDE - CROP + 1):
        for left in range(SIDE - CROP + 1):
            crop = image[top : top + CROP, left : left + CROP]
            yield from (crop, crop[::-1], crop[:, ::-1], crop[::-1, ::-1])


def test_a_sample_is_a_flipped_crop_of_its_own_image(images):
    for crops, labels in islice(batches(images), 3):
        for crop, label in zip(pixels(crops), labels, strict=True):
            assert any((crop == variant).all() for variant in variants(images[label]))


def test_all_variants_occur(images):
    seen = {crop.tobytes() for crops, _ in islice(batches(images[:1]), 200) for crop in pixels(crops)}
    assert seen == {variant.astype(int).tobytes() for variant in variants(images[0])}


def test_every_epoch_visits_every_chosen_image_in_an_order_of_its_own(images):
    chosen = np.array([0, 2, 3, 5, 7, 9])
    labels = [labels.tolist() for _, labels in islice(batches(images, chosen=chosen), 10)]
    assert per_epoch(len(chosen), BATCH) == 2
    epochs = [labels[step] + labels[step + 1] for step in range(0, 10, 2)]
    assert all(set(epoch) == set(chosen) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_fewer_images_than_a_batch(images):
    assert per_epoch(1, BATCH) == 1
    assert next(batches(images, chosen=np.array([4])))[1].tolist() == [4] * BATCH


def test_the_seed_decides(images):
    one, same, other = (next(batches(images, seed)) for seed in (1, 1, 2))
    assert (one[0] == same[0]).all()
    assert (one[1] == same[1]).all()
    assert (one[0] != other[0]).any()


def test_centre_crop():
    image = np.arange(36).reshape(6, 6)
    assert centre_crop(image, 2).tolist() == [[14, 15], [20, 21]]
    assert centre_crop(image[None], 6).shape == (1, 6, 6)
