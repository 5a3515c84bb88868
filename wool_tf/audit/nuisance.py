"""What must tell nothing of the class of a crop: brightness, noise, place, file.

Features are of two kinds. Those of the pixels are what a network can learn from. Those of the files (size, date, name,
place in the scan) are not seen by a network; they only show that the classes were recorded or stored apart, which is
a reason to look closer. Features are medians where they can be, so that a defect somewhere in a crop does not move
them; those of `MOVED` it does move, by a little.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from wool_board.image import decoding
from wool_tf.data import csv_tables
from wool_tf.data.dataset import Dataset
from wool_tf.data.listing import MANIFEST, has_manifest
from wool_tf.data.spelling import Folder

BORDER = 1 / 16
"""Width of the borders, as a share of the side."""

BLOCK = 16
"""Side in pixels of the blocks that noise is measured on; the median over blocks is not moved by a defect in a few."""

WHITE = 250
"""Grey from which on a pixel shows air. Black is not looked at: there a dense defect is."""

MOVED = ("mean grey", "share without noise", "file size")
"""What a large or dense defect changes a little by itself. Beside the median or the noise these measure the defect, so
they are judged alone and not together with others."""

POSITION = ("x", "y")
MOST = 5000
"""Crops that are looked at; more would take longer and find what differs too little to matter."""


def features(dataset: Dataset, crops: np.ndarray) -> tuple[list[str], list[str], np.ndarray]:
    """Measures what should tell nothing of the class of a crop.

    Arguments:
        dataset: as `dataset.load` gave it; its files are read again for their headers and dates.
        crops: indices of the crops to look at.

    Returns:
        The names; the kind of each, "pixels" or "files"; (crops, features) float. The position in the scan is there if
        the manifest gives numbers for all.
    """
    paths = [dataset.paths[crop] for crop in crops]
    pixels = _columns([_of_pixels(dataset.images[crop]) for crop in crops])
    files = _columns([_of_file(Path(dataset.folder) / path) for path in paths]) | _of_names(paths)
    if has_manifest(Path(dataset.folder)):
        files |= _of_manifest(Path(dataset.folder) / MANIFEST, paths)
    kinds = ["pixels"] * len(pixels) + ["files"] * len(files)
    return [*pixels, *files], kinds, np.column_stack([*pixels.values(), *files.values()])


def _columns(found: list[dict[str, float]]) -> dict[str, np.ndarray]:
    return {name: np.array([values[name] for values in found], float) for name in found[0]}


def _of_pixels(image: np.ndarray) -> dict[str, float]:
    """Features of an image that a defect somewhere in it does not change, or hardly."""
    grey = image.astype(np.float32)
    border = max(1, round(BORDER * len(image)))
    ends = (slice(border), slice(-border, None))
    counts = np.bincount(image.ravel(), minlength=256)
    low, high = np.percentile(image, (5, 95)).astype(int)
    right, below = np.diff(grey, axis=1), np.diff(grey, axis=0)
    return {
        "mean grey": grey.mean(),
        "median grey": np.median(grey),
        "grey at the left": np.median(grey[:, :border]),
        "grey at the right": np.median(grey[:, -border:]),
        "grey at the top": np.median(grey[:border]),
        "grey at the bottom": np.median(grey[-border:]),
        "grey in the corners": np.mean([np.median(grey[rows, columns]) for rows in ends for columns in ends]),
        "noise": _typical(np.diff(right, axis=0)) / 2,
        "steps along rows": _typical(right),
        "steps along columns": _typical(below),
        "share of white": counts[WHITE:].sum() / image.size,
        "share without noise": np.mean((right[:-1] == 0) & (below[:, :-1] == 0)),
        # Between quantiles, for a dense defect adds levels at the dark end.
        "grey levels left out": np.mean(counts[low : high + 1] == 0),
    }


def _typical(steps: np.ndarray) -> float:
    """Root mean square of a typical block: the median over blocks."""
    rows, columns = (max(1, length // BLOCK) for length in steps.shape)
    squares = steps[: rows * BLOCK, : columns * BLOCK] ** 2
    blocks = squares.reshape(rows, -1, columns, squares.shape[1] // columns)
    return float(np.sqrt(np.median(blocks.mean(axis=(1, 3)))))


def _of_file(file: Path) -> dict[str, float]:
    about = file.stat()
    with decoding.opened(file, decoding.FORMATS) as (image, variant, _):
        return {
            "file size": about.st_size,
            "date of change": about.st_mtime_ns,
            "width": image.width,
            "height": image.height,
            "channels": len(image.getbands()),
            "16 bits": image.mode.startswith("I;16"),
            "PNG": variant.format == "PNG",
            "notes in the header": len(image.info),
        }


def _of_names(paths: Sequence[str]) -> dict[str, np.ndarray]:
    # Without the folder, which may be named after the class.
    names = [PurePosixPath(path).name for path in paths]
    place = {name: number for number, name in enumerate(sorted(set(names)))}
    return {
        "order of names": np.array([place[name] for name in names], float),
        "length of name": np.array([len(name) for name in names], float),
    }


def _of_manifest(manifest: Path, paths: Sequence[str]) -> dict[str, np.ndarray]:
    """Row of each crop, and its position in the scan where there are numbers for all."""
    table, find = csv_tables.read(manifest), Folder(manifest.parent)
    of_path = {}
    for number, (_, row) in enumerate(table.rows):
        (path,) = table.chosen(row, ["path"])
        of_path[find.path(path)] = number, dict(zip(table.header, map(table.number, row), strict=False))
    found = [of_path[path] for path in paths]
    columns = {"row in the manifest": np.array([number for number, _ in found], float)}
    for name in POSITION:
        with contextlib.suppress(ValueError):
            columns[f"{name} in the scan"] = np.array([float(cells.get(name, "")) for _, cells in found])
    return {name: values for name, values in columns.items() if np.isfinite(values).all()}
