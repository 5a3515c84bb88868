"""Contact sheets, read back pixel by pixel."""

import base64
import io

import numpy as np
from PIL import Image

from wool_tf.data.dataset import Dataset
from wool_tf.evaluation import bootstrap
from wool_tf.study.contact_sheets import CROPS, GAP, SIDE, build


def images(defects, labels) -> Dataset:
    """Crops of one grey each, their own number."""
    count = len(labels)
    pixels = np.repeat(np.arange(count, dtype=np.uint8), SIDE**2).reshape(count, SIDE, SIDE)
    names = np.array([str(number) for number in range(count)])
    return Dataset(pixels, np.array(labels), names, np.array(defects), names, tuple(names), "x", "f", True)


def shown(sheet) -> list[int]:
    """The numbers of the crops on a sheet; white is an empty place."""
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet.png))))
    assert pixels.shape == (SIDE, CROPS * (SIDE + GAP) - GAP)
    middles = pixels[SIDE // 2, SIDE // 2 :: SIDE + GAP]
    return [int(value) for value in middles if value != 255]


def test_every_kind_has_a_sheet_defective_ones_first():
    found = build(images(["D1", "", "D1+D3", "D4", "D1"], [1, 0, 1, 0, 1]))
    assert [(sheet.kind, sheet.images, sheet.shown, shown(sheet)) for sheet in found] == [
        ("defective, D1", 3, 3, [0, 2, 4]),
        ("defective, D3", 1, 1, [2]),
        ("non-defective", 1, 1, [1]),
        ("non-defective, D4", 1, 1, [3]),
    ]


def test_images_of_a_type_are_those_of_which_recall_is_told():
    """However its types are written, an image counts once for each; without a type is one that has none."""
    defects, labels = ["D1+D1", "D1", "D2+", " D2 + D1", "+", ""], [1, 1, 1, 1, 1, 0]
    found = {sheet.kind: (sheet.images, shown(sheet)) for sheet in build(images(defects, labels))}
    assert found == {
        "defective": (1, [4]),
        "defective, D1": (3, [0, 1, 3]),
        "defective, D2": (2, [2, 3]),
        "non-defective": (1, [5]),
    }
    recalled = bootstrap.recall_by_defect(np.array(labels), np.ones((1, 6), bool), np.array(defects))
    assert {f"defective, {kind}": one.images for kind, one in recalled.items()} == {
        kind: count for kind, (count, _) in found.items() if "," in kind
    }


def test_of_many_crops_some_are_taken_evenly():
    (sheet,) = build(images([""] * 80, [1] * 80))
    assert (sheet.kind, sheet.images, sheet.shown) == ("defective", 80, 8)
    assert shown(sheet) == list(range(0, 80, 10))
