"""The crops of a folder as a board reads them, and the same ones as a network is trained on and scored with them.

An image is decoded once, at the side of the folder's crops. What networks see is made of these pixels, never of the
file again: so training, scoring and every board model see the same, and index i is the same image everywhere.
"""

import dataclasses
from pathlib import Path

from wool_tf.data import dataset, imaging, pixels
from wool_tf.data.crop_reading import AS_THEY_ARE, CropReading
from wool_tf.data.dataset import Dataset
from wool_tf.data.imaging import Imaging
from wool_tf.progress import Count


@dataclasses.dataclass(frozen=True)
class Crops:
    """The crops of a folder.

    Attributes:
        native: Dataset of them, with the side of `imaging`: what a board model reads.
        imaging: Imaging.
        cache: folder for the pixels.
    """

    native: Dataset
    imaging: Imaging
    cache: Path

    def for_network(self, image_size: int, progress: Count | None = None) -> Dataset:
        """The same images with a side of `pixels.load_size(image_size)`, as `dataset.resized` makes them."""
        return dataset.resized(self.native, pixels.load_size(image_size), self.cache, progress)


def load(
    folder: Path,
    cache: Path,
    progress: Count | None = None,
    reading: CropReading = AS_THEY_ARE,
    side: int | None = None,
) -> Crops:
    """Reads the crops of a folder.

    Arguments:
        folder, cache, progress, reading: as for `dataset.load`.
        side: of the crops that the board is given, in pixels; None: as `imaging.read` finds it.

    Raises:
        WoolError: the folder, its images or its `imaging.json` are unusable, or the cache cannot be written.
    """
    how = imaging.read(folder, side, reading.naming)
    told = dataclasses.replace(reading, white=reading.white or how.white)
    found = dataset.load(folder, how.side, cache, progress, told)
    return Crops(found, dataclasses.replace(how, white=found.white), cache)
