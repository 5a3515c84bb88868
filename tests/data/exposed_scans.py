"""Scans of known attenuation."""

import json

import numpy as np
from PIL import Image

from wool_tf.data import crops

WIDTH, SIDE, LINES = 100, 40, 60
SETTINGS = crops.CropConfig(side=SIDE, frame_lines=LINES)
DARK, GAIN = 200, 40_000
DEAD = (17, 60, 61)
WOOL, SLOPE, DROP = 0.5, 0.001, 1.0
"""Attenuation of the product, how it grows from line to line, and that of a drop beside."""


def product(lines, drop):
    """Attenuation of a scan: wool with air around, and a drop in it."""
    attenuation = np.zeros((lines, WIDTH))
    # Scans differ in their number of lines, and so in every pixel: no two crops are alike.
    attenuation[5 : lines - 5, 10:90] = WOOL + SLOPE * (np.arange(lines)[5 : lines - 5, None] + lines / 100)
    if drop:
        x, y = drop
        attenuation[y : y + 6, x : x + 4] += DROP
    return attenuation


def exposed(attenuation, gain):
    counts = np.rint(DARK + gain * np.exp(-attenuation))
    counts[:, DEAD] = DARK
    return Image.fromarray(counts.astype(np.uint16))


def write_scans(folder, count=6):
    """Scans of known attenuation without noise, every other one with a drop; returns the attenuation by path."""
    rng = np.random.default_rng(0)
    gain = GAIN * rng.uniform(0.8, 1.2, WIDTH)
    (folder / "scans").mkdir(parents=True)
    exposed(np.full((20, WIDTH), 99), gain).save(folder / "dark.png")
    exposed(np.zeros((20, WIDTH)), gain).save(folder / "bright.png")
    images, marked, truth = [], [], {}
    for number in range(count):
        lines = 130 + 20 * number
        drop = (int(rng.integers(12, 84)), int(rng.integers(7, 110))) if number % 2 else None
        path = f"scans/S{number}.png"
        truth[path] = product(lines, drop)
        exposed(truth[path], gain).save(folder / path)
        images.append(
            {"id": number, "file_name": path, "width": WIDTH, "height": lines, "sample": f"S{number // 2}",
             "dark": "dark.png", "bright": "bright.png"}
        )  # fmt: skip
        if drop:
            marked.append({"id": number, "image_id": number, "category_id": 1, "bbox": [*drop, 4, 6]})
    categories = [{"id": 1, "name": "D1"}, {"id": 5, "name": "D5"}]
    document = {"images": images, "annotations": marked, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document))
    return truth
