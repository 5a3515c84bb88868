"""Where defects are, and where networks saw them: against boxes and maps written by hand."""

import numpy as np
import pytest

import study_sample
from wool_tf.data.imaging import Imaging
from wool_tf.study import board_model, localisation
from wool_tf.training.config import TrainingConfig


def test_a_network_sees_the_middle():
    first, last = localisation.seen(TrainingConfig(image_size=224))
    assert (first, last) == (10 / 244, 234 / 244)


@pytest.mark.parametrize(
    ("cell", "inside"),
    [
        # In a map of four cells over the whole image the middles are at a quarter and three quarters.
        ((0, 0), True),
        ((0, 1), False),
        ((1, 1), True),
    ],
)
def test_the_highest_cell_is_looked_for_in_the_boxes(cell, inside):
    boxes = (((0.2, 0.2, 0.4, 0.4), (0.7, 0.7, 0.8, 0.8)),)
    images = study_sample.dataset(1, 1, labels=np.array([1]), boxes=boxes)
    heatmap = np.zeros((2, 2))
    heatmap[cell] = 1
    found = localisation.pointing(images, {0: heatmap}, (0.0, 1.0))
    assert (found.images, found.inside, found.by_chance) == (1, int(inside), 0.5)


def test_only_defective_images_with_boxes_count():
    marked = ((0, 0, 0.5, 0.5),)
    images = study_sample.dataset(3, 1, labels=np.array([1, 0, 1]), boxes=(marked, marked, ()))
    found = localisation.pointing(images, dict.fromkeys(range(3), np.eye(2)), (0.0, 1.0))
    assert found.images == 1
    none = study_sample.dataset(1, 1, labels=np.array([1]), boxes=((),))
    assert localisation.pointing(none, {}, (0.0, 1.0)) is None


def test_chance_is_the_share_of_the_cells():
    images = study_sample.dataset(1, 1, labels=np.array([1]), boxes=(((0, 0, 0.5, 1),),))
    found = localisation.pointing(images, {0: np.zeros((7, 8))}, (0.0, 1.0))
    assert found.by_chance == pytest.approx(0.5)


def test_tiles_on_a_square_metre_by_hand():
    # The network sees 224 of 244 pixels of 0.8 mm, 179.2 mm; from tile to tile it is half of that, 89.6 mm.
    found = board_model._tiles(Imaging(244, None, 0.8), (10 / 244, 234 / 244))
    assert found == pytest.approx((1000 / 89.6) ** 2)
    assert board_model._tiles(Imaging(244), (0.0, 1.0)) is None
