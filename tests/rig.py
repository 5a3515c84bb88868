"""A detector, a recognizer that can be foreseen, and ways to run the inspection of a belt with them."""

import dataclasses
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

import card_sample
import checkout
from wool_board.belt import inspection, lines, program
from wool_board.belt.config import InspectionConfig
from wool_board.belt.events import Events
from wool_board.belt.motion import with_counts
from wool_board.belt.tiles import tiling
from wool_board.image.references import correction
from wool_board.image.scan_files import LineFormat
from wool_board.model.card import CardInput
from wool_board.model.recognizer import Recognition

SIDE, MARGIN, WINDOW = 48, 4, (0.0, 1.0)
SEEN = SIDE - 2 * MARGIN
SPACING = 40000
"""Lines without air, or with nothing but air, that are none too many."""

DEFECT, WOOL = 0.9, 0.3
"""Attenuations: what `FakeRecognizer` calls a defect, and product that it does not."""

CARD = card_sample.card(
    input=CardInput(side=SIDE, margin=float(MARGIN), pixels="", window=tuple(WINDOW), pixel_mm=0.5), metrics=None
)


class FakeRecognizer:
    """Calls a tile defective if the part of it that a network would see has a dark pixel."""

    delay = 0.0

    def __init__(self, path=None, threads=1):
        self.card, self.side, self.margin, self.threshold, self.heatmap_shape = CARD, SIDE, float(MARGIN), 0.5, (5, 5)
        self.tiles = []

    def recognize(self, pixels: np.ndarray):
        assert pixels.shape == (SIDE, SIDE) and pixels.dtype == np.uint8
        time.sleep(self.delay)
        seen = pixels[MARGIN:-MARGIN, MARGIN:-MARGIN]
        # Of each of 5 by 5 cells how dark its darkest pixel is.
        cells = 255 - seen.reshape(5, SEEN // 5, 5, SEEN // 5).min(axis=(1, 3)).astype(np.float32)
        score = float(cells.max() / 255)
        return Recognition(score, score > 0.6, cells)


@dataclasses.dataclass(frozen=True)
class Detector:
    """A line detector whose elements differ by some per cent, and one of which is dead."""

    width: int = 100
    seed: int = 0
    noise: float = 20.0

    @property
    def gain(self) -> np.ndarray:
        gain = 20000 * np.random.default_rng(self.seed).normal(1, 0.02, self.width)
        gain[self.width // 3] = 0
        return gain

    def expose(self, attenuation: np.ndarray, seed: int = 1) -> np.ndarray:
        """Counts, (lines, width) uint16, of what attenuates so."""
        rng = np.random.default_rng(seed)
        counts = 1000 + self.gain * np.exp(-attenuation) + rng.normal(0, self.noise, attenuation.shape)
        return np.clip(np.rint(counts), 0, 65535).astype("<u2")

    def references(self, folder: Path) -> list[str]:
        """Writes them; returns the flags that name them and the width."""
        for name, attenuation in (("dark", 50.0), ("bright", 0.0)):
            Image.fromarray(self.expose(np.full((64, self.width), attenuation), 2)).save(folder / f"{name}.png")
        return [f"--dark={folder / 'dark.png'}", f"--bright={folder / 'bright.png'}", f"--width={self.width}"]


def main(arguments: list[str], delay: float = 0.0) -> int:
    """The program with `FakeRecognizer` in the place of the network, each tile of which takes `delay` seconds."""
    import inspect_line

    FakeRecognizer.delay, program.Recognizer = delay, FakeRecognizer
    return inspect_line.PROGRAM.main(arguments)


def command(*arguments, delay: float = 0.0) -> list[str]:
    """Runs `main` in a process of its own, with some name for the model."""
    code = f"import sys, rig; sys.exit(rig.main(['model', *sys.argv[1:]], {delay}))"
    return [sys.executable, "-c", code, *map(str, arguments)]


def start(*arguments, delay: float = 0.0) -> subprocess.Popen:
    """Starts that program, its input and output pipes."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    settings = checkout.environment(checkout.TESTS) | {"OMP_NUM_THREADS": "1"}
    # Without a buffer, so that what is read line by line is not missing from what is read after it.
    return subprocess.Popen(command(*arguments, delay=delay), bufsize=0, **pipes, env=settings)


def run(*arguments, lines: bytes = b"", delay: float = 0.0) -> tuple[int, list[dict], str]:
    """Runs that program on lines; returns its status, its events and its standard error."""
    process = start(*arguments, delay=delay)
    output, errors = process.communicate(lines, timeout=60)
    return process.returncode, events(output.decode()), errors.decode()


def is_busy(process: subprocess.Popen) -> bool:
    """Whether any thread of a process wants a core, or waits for a disk."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/stat")
    return any(task.read_text().rpartition(")")[2].split()[0] != "S" for task in tasks)


def follow(process: subprocess.Popen, seconds: float = 60) -> None:
    """Waits until a process has done what it can with the lines that it was given, however busy the machine is."""
    end, idle = time.monotonic() + seconds, 0
    while idle < 5 and process.poll() is None:
        assert time.monotonic() < end, "the process is still at work"
        time.sleep(0.002)
        idle = 0 if is_busy(process) else idle + 1


def events(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def kinds(found: list[dict], kind: str) -> list[dict]:
    return [event for event in found if event["event"] == kind]


def accounted(found: list[dict]) -> list[float]:
    """Where along the belt what events account for begins and ends; they must come without a gap."""
    spans = [event["along_mm"] for event in found if event["event"] in ("tile", "air", "unseen")]
    end = spans[0][0]
    for start_mm, stop_mm in spans:
        assert start_mm <= end + 0.11, f"nothing accounts for {end} to {start_mm} mm"
        end = max(end, stop_mm)
    return [spans[0][0], end]


def inspect(path: Path, folder: Path, detector: Detector, recognizer=None, **options) -> list[dict]:
    """Inspects a file of raw lines in this process; returns the events.

    Of the options, `stream` takes the events and `writer` the states; others change how it is inspected.
    """
    layout = LineFormat(detector.width, "uint16le")
    corrected = correction(folder / "dark.png", folder / "bright.png", layout, layout)
    cut = tiling(SIDE, MARGIN, detector.width, options.pop("overlap", 0.5))
    position = options.pop("position", "encoder")
    part, spacing = options.pop("part", 2 * SEEN), options.pop("spacing", SPACING)
    config = InspectionConfig(layout, WINDOW, 0.5, part, None, spacing, None, 60.0, 0, position, 0.5)
    ring, stream = lines.Ring(with_counts(layout, position), 200), options.pop("stream", None) or io.StringIO()
    reader = lines.LineReader(str(path), False, False)
    started = inspection.Inspection(recognizer or FakeRecognizer(), corrected, cut, ring, config, Events(stream))
    with reader.reading(ring):
        started.run(lambda: False, lambda: None, options.pop("writer", None))
    return events(stream.getvalue())
