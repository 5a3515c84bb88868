"""An image file is classified, and what was found is printed and drawn."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wool_board.classification.output import RecordWriter
from wool_board.image import decoding
from wool_board.model import heatmap
from wool_board.model.recognizer import Recognizer

PICTURE = "-heatmap.png"


class Classification(NamedTuple):
    """What was found in an image.

    Attributes:
        record: for the output.
        pixels: of the crop, (side, side) of uint8.
        cells: of its heatmap, or None.
    """

    record: dict
    pixels: np.ndarray
    cells: np.ndarray | None


UNSURE = (
    "has 16 bits, and the model's card does not say how many are used: all are taken to be; images of a detector "
    "that uses fewer would look too dark, so save such with 8 bits (told once)"
)


class Classifier:
    """Classifies image files and tells what it finds.

    Arguments:
        recognizer: the model.
        output: where records go.
        maps: whether they tell where a defect is.
        pictures: folder of pictures of that, or None.
    """

    def __init__(self, recognizer: Recognizer, output: RecordWriter, maps: bool, pictures: Path | None):
        self._recognizer, self.output = recognizer, output
        self._maps, self._pictures = maps, pictures
        self._told_of_range = False

    def classify(self, path: Path) -> Classification:
        """Looks at the image of a file.

        Raises:
            BadFile, MissingFile: as `decoding.read`.
        """
        model = self._recognizer
        crop = decoding.read(path, model.side, model.white)
        if crop.unsure and not self._told_of_range:
            self._told_of_range = True
            self.output.remark(path, UNSURE)
        score, defective, cells = model.recognize(crop.pixels)
        record = {
            "file": os.fspath(path),
            "score": round(score, 6),
            "defective": defective,
            "label": model.card.labels[defective],
            "resized": crop.resized,
        }
        if self._maps:
            assert cells is not None, "maps are refused where the model has no heatmap"
            peak = heatmap.peak(cells, model.margin, model.side, crop.size)
            record["peak"] = peak._replace(margin=round(peak.margin, 4))._asdict()
            record["cells"] = [[round(value, 4) for value in row] for row in cells.tolist()]
        return Classification(record, crop.pixels, cells)

    def tell(self, found: Classification, name: Path) -> None:
        """Prints the record of an image; draws its picture first, if that is wanted.

        Arguments:
            found: from `classify`.
            name: of the image, from which that of the picture is made.
        """
        if self._pictures:
            assert found.cells is not None, "pictures are refused where the model has no heatmap"
            path = self._pictures / picture_name(name)
            try:
                heatmap.save(heatmap.picture(found.pixels, found.cells, self._recognizer.margin), path)
            except OSError as error:
                self.output.complain(path, f"cannot be written ({error.strerror or error})")
        self.output.record(found.record)


def picture_name(image: Path) -> Path:
    """What the picture of an image is called; `a.png` and `a.jpg` have one each."""
    return image.with_name(f"{image.name}{PICTURE}")
