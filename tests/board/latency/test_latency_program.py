"""The program that measures convolutions, as it runs on a board; it times, and no time is judged here."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from checkout import PROGRAMS
from wool_board.latency import convolution_archive
from wool_board.latency.convolution_archive import ArchiveContents, Grid
from wool_tf.deploy import convolution_models
from wool_tf.pruning import latency_table

ORDERED = ArchiveContents(
    (Grid(7, 2, 8, (1,), (1, 8)), Grid(3, 1, 4, (1, 8), (1, 8))), (Grid(3, 1, 4, (8,), (1, 2, 3)),)
)


def run(*arguments) -> subprocess.CompletedProcess:
    # Isolated from the repository, as on a board.
    command = [sys.executable, str(PROGRAMS / "latency_table.py"), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": ""}, cwd="/", check=False
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "c.zip"
    convolution_models.write(path, ORDERED)
    return path


def test_writes_a_table_that_pruning_reads(archive, tmp_path):
    finished = run(archive, f"--out={tmp_path / 't.json'}")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == str(tmp_path / "t.json")
    found = latency_table.read(tmp_path / "t.json")
    measured, ordered = (
        [(grid.kernel, grid.stride, grid.side, grid.reads, grid.writes) for grid in (*held.grids, *held.sweeps)]
        for held in (found.document, ORDERED)
    )
    assert measured == ordered
    assert found.document.runtime.startswith("LiteRT ") and found.document.threads == 1
    assert found.document.machine.architecture == os.uname().machine and found.document.machine.pages_from_disk >= 0
    assert found.ms(latency_table.Shape(3, 1, 4), 8, 8) > 0


def test_every_mistake_is_one_line(archive, tmp_path):
    (tmp_path / "text.zip").write_text("no archive")
    lacking = tmp_path / "lacking.zip"
    for name, contents in (
        ("empty.zip", None),
        ("old.zip", {"version": 0}),
        ("damaged.zip", {"version": 1, "grids": [{"kernel": 3}], "sweeps": []}),
        ("descending.zip", {"version": 1, "sweeps": [], "grids": [
            {"kernel": 3, "stride": 1, "side": 4, "reads": [8, 1], "writes": [1]}]}),
    ):  # fmt: skip
        with zipfile.ZipFile(tmp_path / name, "w") as made:
            if contents is not None:
                made.writestr(convolution_archive.CONTENTS, json.dumps(contents))
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(lacking, "w") as made:
        made.writestr(convolution_archive.CONTENTS, whole.read(convolution_archive.CONTENTS))
    out = f"--out={tmp_path / 't.json'}"
    for arguments, status, message in (
        (("missing.zip", out), 1, "missing.zip: cannot be read (No such file or directory)"),
        ((tmp_path / "text.zip", out), 1, "is no archive of convolutions; make it anew with experiments/"),
        ((tmp_path / "empty.zip", out), 1, "is no archive of convolutions; make it anew"),
        ((tmp_path / "old.zip", out), 1, "is of version 0, not 1; make it anew"),
        ((tmp_path / "damaged.zip", out), 1, "contents.json in it is damaged; make it anew"),
        ((tmp_path / "descending.zip", out), 1, "contents.json in it is damaged; make it anew"),
        ((lacking, out), 1, "lacks the model 7x7-2-8/1-1.tflite; make it anew"),
        ((archive,), 64, "required: --out"),
        ((archive, "--out="), 64, "is empty; give a path"),
        ((archive, "--out=/nowhere/t.json"), 1, "--out=/nowhere/t.json: must be a file in a folder that exists"),
        ((archive, f"--out={tmp_path}"), 1, "must be a file in a folder that exists"),
        ((archive, out, "--threads=0"), 64, "--threads=0: must be 1 to "),
        ((archive, out, "--threads=4096"), 64, "--threads=4096: must be 1 to "),
    ):
        finished = run(*arguments)
        assert (finished.returncode, len(finished.stderr.splitlines())) == (status, 1), (arguments, finished.stderr)
        assert finished.stderr.startswith("latency_table.py: ") and message in finished.stderr
    assert not (tmp_path / "t.json").exists()
