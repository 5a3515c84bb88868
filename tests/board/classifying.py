"""tflite/classify.py, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from board_crops import crops
from PIL import Image

from checkout import PROGRAMS

PROGRAM = PROGRAMS / "classify.py"
SEEN = crops(12, seed=9)
IMAGE_VARIANTS = (
    "grey-be-16-lzw-2-tiles.tif", "MONOCHROME1-12-explicit.dcn", "kind-0-16-laced.png", "stored-as-RGB.jpg",
    "white-is-zero-le-8-none-strip.tif", "turned-le-16-6-None.tif", "planes-be-8-None-strips.tif",
    "turned-8-8-le-late.png", "slope.dcm",
)  # fmt: skip
"""Of the matrix of `image_formats`: five that are read, and four that are refused."""


def run(*arguments, **more) -> subprocess.CompletedProcess:
    return subprocess.run(command(arguments), capture_output=True, text=True, env=clean(), check=False, **more)


def command(arguments) -> list[str]:
    return [sys.executable, str(PROGRAM), *map(str, arguments)]


def clean() -> dict:
    # As on a board: nothing of the repository can be imported by chance.
    return os.environ | {"PYTHONPATH": ""}


def records(finished: subprocess.CompletedProcess) -> list[dict]:
    return [json.loads(line) for line in finished.stdout.splitlines()]


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def expected(model: Path, seen: np.ndarray = SEEN) -> list[float]:
    from wool_tf.deploy import agreement

    return [round(float(score), 6) for score in agreement.predict(model.read_bytes(), seen)]
