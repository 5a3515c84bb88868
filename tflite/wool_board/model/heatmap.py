"""Where in a crop the network sees a defect, for people: a box in the image, and a picture."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

ZOOM = 3
"""How many times larger than the crop the picture is, so that small defects can be seen on a screen."""
TINT = (255, 40, 0)
STRONGEST = 0.45
"""Share of the tint in the strongest cell: the crop must still be seen through it."""
SURE = 2.0
"""Margin that a cell must have for the full tint: of even odds and less than that, a picture is to stay pale."""
EDGE = (0, 90, 255)


class Peak(NamedTuple):
    """Where a heatmap speaks most for a defect.

    Attributes:
        left, top, right, bottom: of a box of a cell's size in the image, in pixels, the last two outside of it.
        margin: what the strongest cell adds to the margin between both classes; above 0 it speaks for a defect.
    """

    left: int
    top: int
    right: int
    bottom: int
    margin: float


def centre(cells: np.ndarray, border: float, side: int) -> tuple[float, float]:
    """Where in a crop a heatmap speaks most for a defect.

    It is the centre of mass of what is above 0 in the strongest cell and its neighbours: a cell sees far more than what
    lies below it, so those around a defect see it too, and the strongest of them need not be the nearest.

    Arguments:
        cells: (rows, columns) of float.
        border: width in pixels of what the network does not see of a crop, on each side.
        side: of the crop in pixels.

    Returns:
        x and y in pixels.
    """
    row, column = np.unravel_index(np.argmax(cells), cells.shape)
    weights = np.zeros(cells.shape)
    around = slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2)
    weights[around] = np.maximum(cells[around], 0)
    if not weights.any():
        weights[row, column] = 1
    middles = [(np.arange(count) + 0.5) / count * (side - 2 * border) + border for count in cells.shape]
    across, down = weights.sum(axis=0), weights.sum(axis=1)
    return float(across @ middles[1] / across.sum()), float(down @ middles[0] / down.sum())


def peak(cells: np.ndarray, border: float, side: int, size: tuple[int, int]) -> Peak:
    """Where in an image its heatmap speaks most for a defect.

    Arguments:
        cells, border, side: as in `centre`.
        size: width and height of the image that the crop was resized from.
    """
    x, y = centre(cells, border, side)
    half_height, half_width = ((side - 2 * border) / count / 2 for count in cells.shape)
    across, down = size[0] / side, size[1] / side
    left, right = round((x - half_width) * across), round((x + half_width) * across)
    top, bottom = round((y - half_height) * down), round((y + half_height) * down)
    return Peak(left, top, right, bottom, float(cells.max()))


def picture(pixels: np.ndarray, cells: np.ndarray, border: float) -> Image.Image:
    """The crop, enlarged, with the cells tinted that speak for a defect, and a frame where they do so most.

    Arguments:
        pixels: (side, side) of uint8.
        cells, border: as in `centre`.
    """
    side, strongest = ZOOM * len(pixels), float(cells.max())
    image = Image.fromarray(pixels).convert("RGB").resize((side, side), Image.Resampling.NEAREST)
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    rows, columns = (np.linspace(ZOOM * border, side - ZOOM * border, count + 1).round() for count in cells.shape)
    strength = STRONGEST * np.maximum(cells, 0) / max(strongest, SURE)
    for row, column in np.argwhere(strength > 0):
        # The last pixel is drawn too.
        box = (columns[column], rows[row], columns[column + 1] - 1, rows[row + 1] - 1)
        draw.rectangle(box, fill=round(255 * float(strength[row, column])))
    image.paste(TINT, mask=mask)
    if strongest > 0:
        left, top, right, bottom, _ = peak(cells, ZOOM * border, side, image.size)
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=EDGE, width=ZOOM)
    return image


def save(image: Image.Image, path: Path) -> None:
    """Writes a PNG whole or not at all; makes its folder if needed.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        image.save(temporary, "PNG")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
