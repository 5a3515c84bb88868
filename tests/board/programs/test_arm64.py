"""The programs as the Raspberry Pi 3, 4 and 5 would run them, in an emulator: the same scores, whatever the time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from board_crops import SIDE, crops
from PIL import Image

import rig
from checkout import PROGRAMS, ROOT

EMULATOR = ROOT.parent / "shared" / "tools" / "arm64_python"
CORES = ("cortex-a53", "cortex-a72", "cortex-a76")
IMAGES = 200
TIMED = {"time", "latency_ms", "latency_mm", "latency_lines"}
"""Fields of an event that say when it was told."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not EMULATOR.exists(), reason="needs ../shared/tools/arm64_python"),
]


def run(python: list[str], program: str, *arguments) -> str:
    command = [*python, str(PROGRAMS / program), *map(str, arguments)]
    settings = os.environ | {"PYTHONPATH": ""}
    finished = subprocess.run(command, capture_output=True, text=True, env=settings, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def here(program: str, *arguments) -> str:
    return run([sys.executable], program, *arguments)


def on(core: str):
    """What runs a program on a core of a board."""
    return lambda program, *arguments: run([str(EMULATOR), "--cpu", core], program, *arguments)


@pytest.fixture(params=CORES)
def board(request):
    """Each core in turn."""
    return on(request.param)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Images of the model's size and of others, in several formats and depths."""
    folder = tmp_path_factory.mktemp("images")
    for number, pixels in enumerate(crops(IMAGES, seed=21)):
        image = Image.fromarray(pixels)
        if number % 10 == 7:
            Image.fromarray(pixels.astype(np.uint16) * 256 + number).save(folder / f"{number:03}.tif")
        elif number % 10 == 8:
            image.resize((SIDE + 31, SIDE + 32)).convert("RGB").save(folder / f"{number:03}.jpg")
        elif number % 10 == 9:
            image.resize((SIDE - 20, SIDE - 20)).save(folder / f"{number:03}.png")
        else:
            image.save(folder / f"{number:03}.png")
    return folder


def test_classify_prints_the_very_same(board, board_models, images, tmp_path):
    arguments = (board_models["int8-heatmap"], images, "--json")
    lines = here("classify.py", *arguments, f"--heatmap={tmp_path / 'here'}").splitlines()
    assert len(lines) == IMAGES
    assert {json.loads(line)["defective"] for line in lines} == {True, False}
    assert board("classify.py", *arguments, f"--heatmap={tmp_path / 'there'}").splitlines() == lines
    pictures = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert pictures == sorted(path.name for path in (tmp_path / "there").iterdir())
    for name in pictures[::10]:
        mine, theirs = (np.asarray(Image.open(tmp_path / place / name)) for place in ("here", "there"))
        np.testing.assert_array_equal(mine, theirs)


def test_floats_differ_by_rounding_alone(board_models, images):
    arguments = (board_models["fp32-heatmap"], images, "--json")
    outputs = here("classify.py", *arguments), on("cortex-a72")("classify.py", *arguments)
    scores = [[json.loads(line)["score"] for line in output.splitlines()] for output in outputs]
    np.testing.assert_allclose(*scores, atol=1e-4)


def test_benchmark_tells_of_the_core(board, board_models):
    models = [board_models["int8"], board_models["fp32-heatmap"]]
    document = json.loads(board("benchmark.py", *models, "--runs=3", "--json"))
    assert document["machine"]["architecture"] == "aarch64"
    assert {model["file"] for model in document["models"]} >= set(map(str, models))


@pytest.fixture(scope="module")
def belt(tmp_path_factory) -> tuple[Path, list[str]]:
    """Raw lines of two pieces of patchy wool, one with dense spots, and the flags that go with them."""
    folder = tmp_path_factory.mktemp("belt")
    detector = rig.Detector(width=300)
    rng = np.random.default_rng(5)
    attenuation = np.zeros((900, detector.width))
    for start in (100, 500):
        patches = np.kron(rng.uniform(0.2, 0.7, (30, 24)), np.ones((10, 10)))
        attenuation[start : start + 300, 30:270] = patches
    for line, element in ((180, 80), (600, 200), (700, 60)):
        attenuation[line : line + 12, element : element + 12] += 0.5
    (folder / "belt.raw").write_bytes(detector.expose(attenuation).tobytes())
    return folder / "belt.raw", detector.references(folder)


def untimed(output: str) -> list[dict]:
    """What the events say of the belt."""
    events = [json.loads(line) for line in output.splitlines()]
    kept = [event for event in events if event["event"] in ("tile", "air", "unseen", "reject")]
    return [{name: value for name, value in event.items() if name not in TIMED} for event in kept]


def test_inspect_line_tells_the_very_same(board, board_models, belt):
    path, flags = belt
    arguments = (board_models["int8-heatmap"], path, *flags)
    events = untimed(here("inspect_line.py", *arguments))
    assert {"tile", "air", "reject"} <= {event["event"] for event in events}
    assert untimed(board("inspect_line.py", *arguments)) == events


def test_watch_sees_what_arrives(board_models, tmp_path):
    """Waiting, renaming and signals go through the emulator's system calls."""
    (tmp_path / "in").mkdir()
    program = str(PROGRAMS / "classify.py")
    flags = [f"--watch={tmp_path / 'in'}", f"--done={tmp_path / 'done'}", "--json"]
    command = [str(EMULATOR), "--cpu", "cortex-a53", program, str(board_models["int8"]), *flags]
    Image.fromarray(crops(1, seed=0)[0]).save(tmp_path / "in" / "a.png")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first = json.loads(process.stdout.readline())
        while not (tmp_path / "done" / "a.png").exists():
            time.sleep(0.05)
        shutil.copy(tmp_path / "done" / "a.png", tmp_path / "b.png")
        os.rename(tmp_path / "b.png", tmp_path / "in" / "b.png")
        second = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert (process.returncode, rest) == (130, "")
    assert [Path(record["file"]).name for record in (first, second)] == ["a.png", "b.png"]
    assert first["score"] == second["score"]
