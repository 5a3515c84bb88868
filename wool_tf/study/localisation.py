"""Where defects are in images, and where networks saw them."""

from collections.abc import Mapping, Sequence

import numpy as np

from wool_tf.data.crop_entries import BoxShares
from wool_tf.data.dataset import Dataset
from wool_tf.data.pixels import middle
from wool_tf.errors import WoolError
from wool_tf.networks.unit_records import UnitRecord
from wool_tf.study.board_results import PointingGame
from wool_tf.study.grid import fold_name
from wool_tf.study.results import INT8
from wool_tf.training.config import TrainingConfig


def seen(config: TrainingConfig) -> tuple[float, float]:
    """First and last share of the side of an image that a network reads."""
    place = middle(config.load_size, config.image_size)
    return place.start / config.load_size, place.stop / config.load_size


def heatmaps(
    config: TrainingConfig, folds: Sequence[np.ndarray], found: Mapping[str, UnitRecord]
) -> dict[int, np.ndarray]:
    """Of each image of the first repeat the heatmap by the network that held it out, (rows, columns) in logits.

    Images of folds that are not trained have none.

    Arguments:
        config: TrainingConfig.
        folds: held-out indices of each fold of the first repeat.
        found: the records, by unit.

    Raises:
        WoolError: a record has not one heatmap per image.
    """
    maps: dict[int, np.ndarray] = {}
    for number, part in enumerate(folds):
        unit = f"{fold_name(config.configuration, 0, number)}/{config.final}{INT8}"
        if len(found[unit].heatmaps) != len(part):
            raise WoolError(f"{unit}: has not one heatmap per image; remove its record")
        maps |= {int(index): np.array(one) for index, one in zip(part, found[unit].heatmaps, strict=True)}
    return maps


def pointing(images: Dataset, maps: Mapping[int, np.ndarray], covered: tuple[float, float]) -> PointingGame | None:
    """How often heatmaps are highest inside a box: the pointing game (Zhang et al. 2016, arXiv:1608.00507).

    Arguments:
        images: Dataset.
        maps: heatmaps by image, as `heatmaps` gives them.
        covered: as `seen` gives it.
    """
    count = inside = 0
    by_chance = 0.0
    for index, found in enumerate(images.boxes):
        if not found or images.labels[index] != 1 or index not in maps:
            continue
        count += 1
        across, along = highest(maps[index], covered)
        inside += any(left <= across < right and top <= along < bottom for left, top, right, bottom in found)
        by_chance += _covered_share(found, maps[index].shape, covered)
    return PointingGame(count, inside, by_chance) if count else None


def highest(heatmap: np.ndarray, covered: tuple[float, float]) -> tuple[float, float]:
    """The middle of the highest cell, across and along, as shares of the side.

    >>> highest(np.array([[0.0, 1.0], [0.0, 0.0]]), (0.1, 0.9))
    (0.7, 0.3)
    """
    row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)
    first, last = covered
    width = (last - first) / heatmap.shape[1], (last - first) / heatmap.shape[0]
    across, along = first + (column + 0.5) * width[0], first + (row + 0.5) * width[1]
    return round(float(across), 6), round(float(along), 6)


def _covered_share(found: Sequence[BoxShares], shape: tuple[int, ...], covered: tuple[float, float]) -> float:
    """The share of the cells whose middle is in a box: how often a cell drawn at random would be."""
    centres = [(np.arange(count) + 0.5) / count * (covered[1] - covered[0]) + covered[0] for count in shape[::-1]]
    across, along = np.meshgrid(*centres)
    hit = np.zeros(shape, bool)
    for left, top, right, bottom in found:
        hit |= (left <= across) & (across < right) & (top <= along) & (along < bottom)
    return float(hit.mean())
