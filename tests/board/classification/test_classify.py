"""tflite/classify.py on files and folders: its records, and a line for what it cannot read."""

import csv
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from board_crops import SIDE
from classify_runs import SEEN, bad_files, clean, command, expected, records, run, save
from PIL import Image

from wool_board.model.recognizer import Recognizer


def test_json_has_the_scores_of_the_library(board_model, folder):
    finished = run(board_model, folder, "--json")
    assert (finished.returncode, finished.stderr) == (0, "")
    scores, threshold = expected(board_model), Recognizer(board_model).threshold
    files = [str(folder / f"{number // 6}" / f"{number:02}.png") for number in range(12)]
    assert records(finished) == [
        {
            "file": file,
            "score": score,
            "defective": score >= threshold,
            "label": "defective" if score >= threshold else "non_defective",
            "resized": False,
        }
        for file, score in zip(files, scores, strict=True)
    ]
    assert len({record["defective"] for record in records(finished)}) == 2


def test_csv_and_text_say_the_same(board_model, folder):
    known = records(run(board_model, folder, "--json"))
    rows = list(csv.DictReader(io.StringIO(run(board_model, folder, "--csv").stdout)))
    assert [(row["file"], float(row["score"]), row["defective"] == "1", row["label"]) for row in rows] == [
        (record["file"], record["score"], record["defective"], record["label"]) for record in known
    ]
    assert {row["resized"] for row in rows} == {"0"}
    lines = run(board_model, folder).stdout.splitlines()
    assert [line.split() for line in lines] == [
        [record["label"], f"{record['score']:.4f}", record["file"]] for record in known
    ]


def test_files_are_taken_in_the_order_given(board_model, folder):
    given = [folder / "1" / "07.png", folder / "0", folder / "1" / "06.png"]
    found = [Path(record["file"]).stem for record in records(run(board_model, *given, "--json"))]
    assert found == ["07", "00", "01", "02", "03", "04", "05", "06"]


def test_images_of_formats_that_are_not_read_are_told(board_model, folder):
    for name in ("a.bmp", "0/b.webp"):
        Image.fromarray(SEEN[0]).save(folder / name)
    finished = run(board_model, folder, "--json")
    assert len(records(finished)) == 12 and finished.returncode == 1
    told = "2 images of formats that are not read (.bmp, .webp), 0/b.webp first; save them as PNG"
    assert finished.stderr == f"classify.py: {folder}: {told}\n"


def test_a_bad_file_is_a_line_and_the_others_go_on(board_model, tmp_path):
    reasons = bad_files(tmp_path / "in")
    (tmp_path / "in" / "notes.txt").write_text("left out of a folder")
    save(tmp_path / "in" / ".hidden.png", SEEN[0])
    (tmp_path / "bare").mkdir()
    finished = run(board_model, tmp_path / "in", tmp_path / "missing.png", tmp_path / "bare", "n" * 300, "--json")
    assert finished.returncode == 1
    assert [Path(record["file"]).name for record in records(finished)] == ["good.png"]
    lines = finished.stderr.splitlines()
    assert lines[0].startswith(f"classify.py: {tmp_path}/in: 1 left out as hidden") and lines[0].endswith(
        ": .hidden.png"
    )
    assert lines[1] == f"classify.py: {tmp_path}/bare: holds no PNG, TIFF, JPEG or DICOM image"
    for line, (name, reason) in zip(lines[2:-2], reasons.items(), strict=True):
        assert line.startswith(f"classify.py: {tmp_path / 'in' / name}: {reason}")
    assert lines[-2] == f"classify.py: {tmp_path}/missing.png: cannot be read (No such file or directory)"
    assert lines[-1] == f"classify.py: {'n' * 300}: cannot be read (File name too long)"


def test_what_network_storage_keeps_beside_images_is_no_image(board_model, tmp_path):
    for name in (
        "a.png",
        "@eaDir/a.png/SYNOPHOTO_THUMB_XL.png",
        "#recycle/b.png",
        "a (conflicted copy 2024-05-01).png",
    ):
        save(tmp_path / "in" / name, SEEN[0])
    finished = run(board_model, tmp_path / "in", "--json")
    assert finished.returncode == 0
    assert [record["file"] for record in records(finished)] == [f"{tmp_path}/in/a.png"]
    (line,) = finished.stderr.splitlines()
    assert line.startswith(f"classify.py: {tmp_path}/in: 3 left out as hidden, of the system")
    assert line.endswith(": #recycle, @eaDir, a (conflicted copy 2024-05-01).png")


def test_names_that_are_no_text(board_model, tmp_path):
    names = [b"line\nfeed.png", b"return\r.png", "umlaut-ä.png".encode(), b"latin-\xe4.png", b"esc-\x1b[31m.png"]
    names.append(b'quote",.png')
    folder = os.fsencode(tmp_path)
    image = save(tmp_path / "in" / "a.png", SEEN[0])
    for name in names:
        shutil.copy(image, os.path.join(folder, b"in", name))
    for locale in ("C", "C.UTF-8"):
        environment = clean() | {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        if locale != "C":
            environment.pop("PYTHONUTF8")
        forms = ("--json", "--csv", "--threads=1")
        outputs = [
            subprocess.check_output(command([board_model, tmp_path / "in", form]), env=environment) for form in forms
        ]
        found = [os.fsencode(json.loads(line)["file"]) for line in outputs[0].splitlines()]
        assert {os.path.basename(file) for file in found} == {b"a.png", *names}
        assert all(os.path.exists(file) for file in found)
        text = outputs[1].decode("utf-8", "surrogateescape")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert {os.fsencode(Path(row["file"]).name) for row in rows} == {b"a.png", *names}
        assert len(outputs[2].splitlines()) == len(names) + 1
        assert b"\x1b" not in outputs[2] and b"line\\x0afeed.png" in outputs[2]


def test_folders_that_link_to_each_other(board_model, folder, tmp_path):
    (folder / "0" / "up").symlink_to(folder)
    (folder / "round").symlink_to(folder / "round")
    other = save(tmp_path / "elsewhere" / "x.png", SEEN[0]).parent
    (folder / "linked").symlink_to(other)
    found = [record["file"] for record in records(run(board_model, folder, "--json"))]
    assert len(found) == len(set(found)) == 13
    assert found[-1] == str(folder / "linked" / "x.png")


def test_heatmap_tells_where(heatmap_model, folder, tmp_path):
    save(folder / "large.png", np.kron(SEEN[1], np.ones((2, 2), np.uint8)))
    finished = run(heatmap_model, folder, "--json", f"--heatmap={tmp_path / 'maps'}")
    assert (finished.returncode, finished.stderr) == (0, "")
    recognizer = Recognizer(heatmap_model)
    # The network sees 96 of the 105 pixels to which 110 are resized, in 3 by 3 cells.
    seen = 110 * 96 / 105
    edges = [(110 - seen) / 2 + seen * number / 3 for number in range(4)]
    found = records(finished)
    for record, pixels in zip(found, SEEN, strict=False):
        cells = recognizer.recognize(pixels).heatmap
        np.testing.assert_allclose(record["cells"], cells, atol=1e-4)
        peak = record["peak"]
        assert peak["margin"] == pytest.approx(cells.max(), abs=1e-4)
        # A box of a cell's size around the centre of mass of the strongest cell and its neighbours.
        row, column = np.argwhere(cells == cells.max())[0]
        mass = [
            (max(cells[y, x], 0), (edges[x] + edges[x + 1]) / 2, (edges[y] + edges[y + 1]) / 2)
            for y in range(3)
            for x in range(3)
            if max(abs(y - row), abs(x - column)) <= 1
        ]
        total = sum(weight for weight, _, _ in mass)
        if total > 0:
            x, y = (sum(weight * at[axis] for weight, *at in mass) / total for axis in (0, 1))
            box = (x - seen / 6, y - seen / 6, x + seen / 6, y + seen / 6)
            assert [peak[edge] for edge in ("left", "top", "right", "bottom")] == [round(edge) for edge in box]
        number = Path(record["file"]).relative_to(folder)
        picture = np.asarray(Image.open(tmp_path / "maps" / f"{number}-heatmap.png").convert("RGB")).astype(int)
        assert picture.shape == (3 * SIDE, 3 * SIDE, 3)
        middles = [round(3 * (edges[index] + edges[index + 1]) / 2) for index in range(3)]
        reddish = np.array([[picture[y, x, 0] - picture[y, x, 2] for x in middles] for y in middles])
        assert (reddish[cells < 0] <= 0).all() and reddish[cells > 0.5 * cells.max()].max(initial=1) > 0
    large = next(record for record in found if record["resized"])
    peak = records(run(heatmap_model, folder / "0" / "01.png", "--heatmap", "--json"))[0]["peak"]
    for edge in ("left", "top", "right", "bottom"):
        assert large["peak"][edge] == pytest.approx(2 * peak[edge], abs=8)
    assert len(list((tmp_path / "maps").rglob("*"))) == 13 + 2


def test_heatmap_in_the_other_forms(heatmap_model, folder, tmp_path):
    image = folder / "0" / "00.png"
    peak = records(run(heatmap_model, image, "--heatmap", "--json"))[0]["peak"]
    row = next(csv.DictReader(io.StringIO(run(heatmap_model, image, "--heatmap", "--csv").stdout)))
    assert {name: float(row[f"peak_{name}"]) for name in peak} == peak
    text = run(heatmap_model, "--heatmap", image).stdout
    assert text.endswith("  most at x {left}-{right}, y {top}-{bottom}\n".format(**peak))
    # Without the flag, a model with a heatmap is like any other.
    assert set(records(run(heatmap_model, image, "--json"))[0]) == {"file", "score", "defective", "label", "resized"}
