"""Images of different samples that show the same thing."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from wool_tf.audit import near_duplicates


@pytest.fixture(scope="module")
def pieces():
    """Twelve pieces of something like wool, each of its own sample, half of each crop being air: (12, 244, 244)."""
    rng = np.random.default_rng(0)
    texture = sum(gaussian_filter(rng.normal(size=(12, 300, 300)), (0, s, s)) * s * 20 for s in (1, 3, 8))
    images = 120 + texture[:, :244, :244]
    images[:, :, 150:] = 250
    return images.clip(0, 255).astype(np.uint8)


def jpeg(image, quality=60):
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


CHANGES = {
    "the same": lambda image: image,
    "saved as JPEG": jpeg,
    "darker": lambda image: (image * 0.7 + 10).astype(np.uint8),
    "shifted": lambda image: np.roll(image, (5, -7), (0, 1)),
    "in another size": lambda image: np.asarray(Image.fromarray(image).resize((200, 200)).resize((244, 244))),
    "turned": np.rot90,
    "mirrored": np.fliplr,
    "turned, mirrored, and saved as JPEG": lambda image: jpeg(np.rot90(image, 3)[::-1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_in_another_group_is_found(pieces, change):
    images = np.concatenate([pieces, change(pieces[4])[None]])
    (pair,) = near_duplicates.find(images, np.arange(13))
    assert (pair.first, pair.second) == (4, 12) and pair.likeness > 0.7


def test_different_pieces_are_not_alike_although_their_edges_are(pieces):
    assert near_duplicates.find(pieces, np.arange(12)) == []


def test_copies_of_one_group_are_not_told_of(pieces):
    images = np.concatenate([pieces, pieces[:1]])
    assert near_duplicates.find(images, np.array([*range(12), 0])) == []


def test_flat_images_are_not_alike():
    assert near_duplicates.find(np.full((5, 64, 64), 200, np.uint8), np.arange(5)) == []


def test_turns_are_the_eight_of_a_square():
    image = np.arange(9).reshape(3, 3)
    assert len({near_duplicates.turned(image, turn).tobytes() for turn in range(8)}) == 8
    assert np.array_equal(near_duplicates.turned(image, 0), image)
