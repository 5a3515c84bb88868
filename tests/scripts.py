"""Running the scripts as a user does, and crops for them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import checkout
import forked_scripts

FOLDER = checkout.EXPERIMENTS


def run(script: str, *flags, **options) -> subprocess.CompletedProcess:
    """A script of `experiments/` in a process of its own."""
    command = [sys.executable, str(FOLDER / script), *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def check(script: str, *flags, **options) -> subprocess.CompletedProcess:
    """The same of a script that ends before it trains anything, in a tenth of the time."""
    return forked_scripts.run(FOLDER / script, *flags, **options)


def refusal(script: str, *flags, **options) -> str:
    """The one line that a wrong use gets."""
    finished = check(script, *flags, **options)
    assert finished.returncode == 1, finished.stderr
    assert "Traceback" not in finished.stderr
    lines = finished.stderr.splitlines()
    assert len(lines) == 1, finished.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def write_crops(folder: Path) -> Path:
    """Sixteen crops in class folders, a bright square on the defective ones."""
    rng = np.random.default_rng(0)
    for name, square in (("defective", 100), ("non_defective", 0)):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 100, (40, 40), np.uint8)
            pixels[10:25, 10:25] += square
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder
