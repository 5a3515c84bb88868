"""experiments/stream_scans.py as a user runs it, with a recognizer that can be foreseen in the place of the network."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rig
from checkout import EXPERIMENTS, TESTS, environment
from scripts import refusal

WIDTH, LINES = 100, 300

MODEL = f"--model={__file__}"
"""No model, but a file that is there."""


def write_scans(folder: Path, texture: float = 0.0, lines: int = LINES) -> Path:
    """Three scans of a product each, with a defect in two of them, one of them marked as another type.

    The attenuation of the product varies along each element, every 20 lines, with the standard deviation `texture`.
    """
    detector, rng = rig.Detector(WIDTH), np.random.default_rng(5)
    detector.references(folder)
    images, annotations = [], []
    for number, defect in enumerate(("D1", "D2", None), start=1):
        attenuation = np.zeros((lines, WIDTH))
        attenuation[50:-50, 10:90] = np.repeat(rng.normal(rig.WOOL, texture, (lines // 20 - 5, 80)), 20, axis=0)
        if defect:
            attenuation[150:160, 40:50] = rig.DEFECT
            category = int(defect[1])
            annotations.append({"id": number, "image_id": number, "bbox": [40, 150, 10, 10], "category_id": category})
        Image.fromarray(detector.expose(attenuation, number)).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "sample": f"S{number}"})
    for image in images:
        image |= {"dark": "dark.png", "bright": "bright.png"}
    categories = [{"id": 1, "name": "D1"}, {"id": 2, "name": "D2"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    return write_scans(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """The program of the board with that recognizer."""
    path = tmp_path_factory.mktemp("program") / "fake_inspection.py"
    path.write_text("import sys, rig\nsys.exit(rig.main(sys.argv[1:]))\n")
    return path


def run(program: Path, *flags) -> subprocess.CompletedProcess:
    code = (
        "import stream_scans, pathlib\nfrom wool_tf.command_line import console\n"
        f"stream_scans.PROGRAM = pathlib.Path({str(program)!r})\nconsole.run(stream_scans.main)"
    )
    command, env = [sys.executable, "-c", code, *map(str, flags)], environment(EXPERIMENTS, TESTS)
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def table(output: str) -> dict[str, list[str]]:
    """The rows of the table by their first cell."""
    rows = [re.split("  +", line) for line in output.splitlines() if not line.startswith(("[", " "))]
    return {name: cells for name, *cells in rows}


def test_defects_are_found_and_figures_written(scans, program, tmp_path):
    out = tmp_path / "out.json"
    ran = run(program, f"--scans={scans}", MODEL, "--speed=0,2", f"--json={out}", "--gap_lines=100")
    assert (ran.returncode, ran.stderr) == (0, "")
    document = json.loads(out.read_text())
    assert list(document["runs"]) == ["0", "2"] and document["model"] == __file__
    for speed, figures in document["runs"].items():
        assert figures["defects"] == {
            name: {"boxes": n, "looked_at": n, "found": n} for name, n in (("D1", 1), ("D2", 1), ("all", 2))
        }
        assert (figures["rejects"], figures["false_rejects"], figures["false_mm"]) == (2, 0, 0)
        # Blocks of 16 lines do not change what a scan shows of its product: three times 200 lines of 0.5 mm.
        assert figures["product_m"] == pytest.approx(0.3, abs=0.01)
        assert (figures["unseen_mm"], figures["forgotten_mm"], figures["lost_lines"]) == (0, 0, 0)
        assert figures["lines"] == 3 * LINES + 4 * 100
        assert (figures["stated_latency"] is None) == (speed == "0")
    assert document["runs"]["2"]["lines_per_second"] <= 2500
    assert document["runs"]["2"]["late"] == 0
    cells = table(ran.stdout)
    assert cells["found of all"] == ["2 of 2", "2 of 2"]
    assert cells["forgotten, mm"] == ["0", "0"] and cells["stated reject latency, mm"] == ["–", "1200"]


def test_defects_that_nobody_looked_at_are_said_to_be(scans, program, monkeypatch):
    blind = program.with_name("blind.py")
    blind.write_text(
        "import sys, rig\nrig.WOOL\nfrom wool_board.belt import strip\nstrip.AIR = 99\n" + program.read_text()
    )
    ran = run(blind, f"--scans={scans}", MODEL, "--speed=0")
    assert ran.returncode == 0, ran.stderr
    assert table(ran.stdout)["found of all"] == ["0 of 2, 2 not looked at"]


def test_types_that_are_not_visible_are_not_missed(scans, program, tmp_path):
    flags = f"--scans={scans}", MODEL, "--speed=0", "--defects=D1", "--invisible=D2", "--samples=S1,S2"
    ran = run(program, *flags)
    assert ran.returncode == 0, ran.stderr
    cells = table(ran.stdout)
    assert cells["found of D1"] == ["1 of 1"] and "found of D2" not in cells
    assert float(cells["false rejects per m of product"][0]) == pytest.approx(1 / 0.2, rel=0.05)


def as_table(scans: Path, folder: Path) -> list[str]:
    """The same scans with a table of their boxes, without references, in a folder of their own."""
    document = json.loads((scans / "annotations.json").read_text())
    marked = {mark["image_id"]: mark for mark in document["annotations"]}
    rows = ["scan,sample,x,y,width,height,defect"]
    for image in document["images"]:
        cells = [*map(str, marked[image["id"]]["bbox"]), f"D{image['id']}"] if image["id"] in marked else [""] * 5
        rows.append(",".join([image["file_name"], image["sample"], *cells]))
        shutil.copy(scans / image["file_name"], folder)
    (folder / "annotations.csv").write_text("\n".join(rows))
    return rows


def test_a_table_of_raw_lines_with_references_by_flag(scans, program, tmp_path):
    rows = as_table(scans, tmp_path)
    (tmp_path / "annotations.csv").write_text("\n".join(rows).replace(".png", ".raw"))
    for file in [*tmp_path.glob("*.png"), scans / "dark.png", scans / "bright.png"]:
        (tmp_path / f"{file.stem}.raw").write_bytes(np.asarray(Image.open(file)).astype(">u2").tobytes())
    references = [f"--{name}={tmp_path / name}.raw" for name in ("dark", "bright")]
    layout = f"--raw_width={WIDTH}", "--raw_type=uint16be"
    ran = run(program, f"--scans={tmp_path}", MODEL, "--speed=0", *references, *layout)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert table(ran.stdout)["found of all"] == ["2 of 2"]
    assert table(ran.stdout)["false rejects per m of product"] == ["0.000"]


@pytest.mark.parametrize(("kind", "top"), [(np.uint16, 65535), (np.uint16, 30000), (np.uint8, 255)])
def test_scans_that_are_corrected_already(scans, program, tmp_path, kind, top):
    as_table(scans, tmp_path)
    dark, bright = (np.asarray(Image.open(scans / f"{name}.png")).mean(axis=0) for name in ("dark", "bright"))
    for file in tmp_path.glob("*.png"):
        transmission = (np.asarray(Image.open(file)) - dark) / np.maximum(bright - dark, 1)
        Image.fromarray(np.rint(transmission.clip(0, 1) * top).astype(kind)).save(file)
    flags = [f"--open_beam={top}"] if top == 30000 else []
    ran = run(program, f"--scans={tmp_path}", MODEL, "--speed=0", *flags)
    assert (ran.returncode, ran.stderr) == (0, "")
    cells = table(ran.stdout)
    assert cells["found of all"] == ["2 of 2"]
    # One element of the detector is dead: where no reference shows that, its noise does. Of 8 bits, the air that was
    # clipped at white is a plateau at the top, as of a detector that saturates.
    assert cells["alarms"] == ["noisy_elements, saturated" if kind == np.uint8 else "noisy_elements"], cells
    assert "no dark and bright references: taken as corrected already" in ran.stdout


def test_hours_of_lines_pass_over_and_over(scans, program, tmp_path):
    out = tmp_path / "out.json"
    flags = f"--scans={scans}", MODEL, "--hours=0.01", f"--json={out}", "--lines_per_second=500"
    ran = run(program, *flags)
    assert (ran.returncode, ran.stderr) == (0, "")
    figures = json.loads(out.read_text())["runs"]["0"]
    assert figures["lines"] == 0.01 * 3600 * 500 and "defects" not in figures
    assert (figures["forgotten_mm"], figures["lost_lines"], figures["alarms"]) == (0, 0, [])
    assert figures["memory_samples"]
    assert "found of" not in ran.stdout and "peak memory, MB" in ran.stdout


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--scans=no", MODEL), "--scans=no: no such folder"),
        ((MODEL,), "--scans: is required"),
        (("--scans=SCANS",), "--model: is required"),
        (("--scans=SCANS", MODEL, "--speed=1,x"), "--speed=1,x: must be numbers with commas between them"),
        (("--scans=SCANS", MODEL, "--speed=-1"), "--speed=-1: each must be at least 0 and finite"),
        (("--scans=SCANS", MODEL, "--hours=0"), "--hours=0: must be above 0"),
        (("--scans=SCANS", MODEL, "--samples=S9"), "--samples=S9: is the sample of no scan"),
        (("--scans=SCANS", MODEL, "--defects=D1"), "defect 'D2' is none of"),
        (("--scans=SCANS", "--model=no.tflite"), "--model=no.tflite: no such file"),
    ],
)
def test_wrong_flags_get_one_line(scans, flags, said):
    assert said in refusal("stream_scans.py", *(flag.replace("SCANS", str(scans)) for flag in flags))
