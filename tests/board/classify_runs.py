"""tflite/classify.py, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from board_crops import SIDE, crops
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
    from wool_tf.deploy import tflite_scores

    return [round(float(score), 6) for score in tflite_scores.predict(model.read_bytes(), seen)]


def bad_files(folder: Path) -> dict[str, str]:
    """Files that cannot be used, and why."""
    good = save(folder / "good.png", SEEN[0]).read_bytes()
    (folder / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "text.png").write_text("no image\n")
    (folder / "empty.jpg").write_bytes(b"")
    save(folder / "oblong.png", np.zeros((100, 97), np.uint8))
    Image.fromarray(np.zeros((SIDE, SIDE), np.float32)).save(folder / "float.tif")
    pages = [Image.fromarray(pixels) for pixels in SEEN[:2]]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    os.mkfifo(folder / "fifo.png")
    (folder / "nowhere.png").symlink_to(folder / "gone")
    (folder / "round.png").symlink_to(folder / "round.png")
    return {
        "cut.png": "cannot be decoded (",
        "empty.jpg": "is not a readable PNG, TIFF, JPEG or DICOM image",
        "fifo.png": "is not a file",
        "float.tif": "has 32-bit pixels; save it with 8 or 16 bits",
        "nowhere.png": "cannot be read (No such file or directory)",
        "oblong.png": "is 97x100 pixels; images must be square to within 2%: crop it",
        "pages.tif": "holds 2 images; give one per file",
        "round.png": "cannot be read (Too many levels of symbolic links)",
        "text.png": "is not a readable PNG, TIFF, JPEG or DICOM image",
    }
