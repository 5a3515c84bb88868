"""Contact sheets: some crops of each kind side by side, as they are before anything judges them."""

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from wool_tf.data import defect_types
from wool_tf.data.dataset import Dataset
from wool_tf.study.image_results import Sheet

if TYPE_CHECKING:
    from PIL import Image

CROPS = 8
SIDE = 110
"""Pixels of a crop on a sheet."""
GAP = 4
THUMBNAIL = 64
"""Pixels of the side of a thumbnail."""


def build(images: Dataset) -> list[Sheet]:
    """One sheet per type of defect, on which crops with several types may be too, and such of non-defective crops.

    Crops are taken evenly from all of a kind, in the order of their paths; nothing about a network plays a part.
    """
    kinds: dict[tuple[int, str], list[int]] = {}
    for index, (label, defect) in enumerate(zip(images.labels, images.defects, strict=True)):
        for name in defect_types.parted(defect) or [""]:
            kinds.setdefault((1 - int(label), name), []).append(index)
    found = []
    for (sound, defect), indices in sorted(kinds.items()):
        chosen = [indices[n * len(indices) // CROPS] for n in range(CROPS)] if len(indices) > CROPS else indices
        name = "non-defective" if sound else "defective"
        kind = f"{name}, {defect}" if defect else name
        sheet = _sheet([images.images[index] for index in chosen])
        found.append(Sheet(kind, len(indices), len(chosen), png(sheet)))
    return found


def png(pixels: np.ndarray) -> str:
    """An 8-bit grey image as PNG, in base64."""
    from PIL import Image

    return _encoded(Image.fromarray(np.asarray(pixels)), "PNG", optimize=True)


def thumbnail(pixels: np.ndarray) -> str:
    """An 8-bit grey image, of `THUMBNAIL` pixels at most, as JPEG in base64: one to two kilobytes."""
    from PIL import Image

    image = Image.fromarray(np.asarray(pixels))
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return _encoded(image, "JPEG", quality=70)


def _encoded(image: "Image.Image", kind: str, **options: Any) -> str:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return base64.b64encode(stream.getvalue()).decode()


def _sheet(crops: list[np.ndarray]) -> np.ndarray:
    from PIL import Image

    sheet = np.full((SIDE, CROPS * (SIDE + GAP) - GAP), 255, np.uint8)
    for number, crop in enumerate(crops):
        left = number * (SIDE + GAP)
        resized = Image.fromarray(np.asarray(crop)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        sheet[:, left : left + SIDE] = np.asarray(resized)
    return sheet
