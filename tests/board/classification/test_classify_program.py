"""tflite/classify.py as a program: wrong use, signals, outputs that nobody takes, and what it needs beside itself."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from classify_runs import SEEN, clean, command, expected, records, run, save

import classify
from checkout import PROGRAMS


@pytest.fixture
def handlers():
    """Restores those of signals."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["MODEL"], 64, "give an IMAGE, a DIR or --watch=DIR"),
        ([], 64, "the following arguments are required: "),
        (["MODEL", "IN", "--csv", "--json"], 64, "--csv and --json: give one of them"),
        (["MODEL", "IN", "--jso"], 64, "unrecognized arguments: --jso"),
        (["MODEL", "IN", "--done=a"], 64, "--done=a: goes with --watch"),
        (["MODEL", "IN", "--threads=0"], 64, "--threads=0: must be 1 to "),
        (["MODEL", "IN", "--threads=4096"], 64, "--threads=4096: must be 1 to "),
        (["MODEL", "--watch=IN/none"], 1, "/none: must be a folder that exists"),
        (["MODEL", "--watch=IN/0/00.png"], 1, "00.png: must be a folder that exists"),
        (["MODEL", "--watch=IN", "--done=IN/done"], 1, "/done: must not lie in "),
        (["MODEL", "--watch=IN", "--done=IN"], 1, ": must not lie in "),
        (["MODEL", "--watch=IN", "--done=/proc/nowhere"], 1, "--done=/proc/nowhere: cannot be made ("),
        (["MODEL", "IN", "--heatmap=IN/maps"], 1, "--heatmap=IN/maps: must not lie in IN"),
        (["MODEL", "IN", "--heatmap"], 1, "--heatmap: MODEL has none; convert it with --heatmap"),
        (["HEATMAP", "IN", "--heatmap=IN/0/00.png/maps"], 1, "must not lie in "),
        (["HEATMAP", "IN/0/00.png", "--heatmap=IN/0/00.png"], 1, "00.png: cannot be made ("),
        (["HEATMAP", "IN/0/00.png", "IN/same/00.png", "--heatmap=OUT"], 1, "would have the same picture"),
        (["IN/0/00.png", "IN"], 1, "00.png: not a TFLite file"),
        (["nothing.tflite", "IN"], 1, "nothing.tflite: cannot be read (No such file or directory)"),
    ],
)
def test_wrong_use_gets_one_line(
    arguments, status, message, board_model, heatmap_model, folder, tmp_path, capsys, handlers
):
    save(folder / "same" / "00.png", SEEN[0])
    names = {"MODEL": board_model, "HEATMAP": heatmap_model, "IN": folder, "OUT": tmp_path / "out"}

    def put(text):
        for name, path in names.items():
            text = text.replace(name, str(path))
        return text

    try:
        found = classify.PROGRAM.main([*map(put, arguments)])
    except SystemExit as end:
        found = end.code
    printed = capsys.readouterr()
    assert (found, printed.out) == (status, "")
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("classify.py: ") and put(message) in printed.err


def test_a_tampered_model_is_refused(board_model, folder, tmp_path):
    changed = bytearray(board_model.read_bytes())
    changed[100_000] ^= 1
    (tmp_path / "a.tflite").write_bytes(changed)
    finished = run(tmp_path / "a.tflite", folder)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "is not the model that its card describes" in finished.stderr


def test_imports_nothing_of_the_library(board_model, folder):
    program = (
        "import classify, sys\n"
        f"assert classify.PROGRAM.main([{str(board_model)!r}, {str(folder)!r}]) == 0\n"
        "print(sorted({'wool_tf', 'tensorflow', 'keras', 'absl', 'scipy'} & set(sys.modules)))\n"
    )
    alone = os.environ | {"PYTHONPATH": str(PROGRAMS)}
    lines = subprocess.check_output([sys.executable, "-P", "-c", program], text=True, cwd="/", env=alone).splitlines()
    assert (lines[-1], len(lines)) == ("[]", 13)


def test_runs_from_a_copy_of_its_folder(board_model, folder, tmp_path):
    shutil.copytree(PROGRAMS, tmp_path / "copied", ignore=shutil.ignore_patterns("__pycache__"))
    settings = [sys.executable, str(tmp_path / "copied" / "classify.py"), str(board_model), str(folder), "--json"]
    finished = subprocess.run(settings, capture_output=True, text=True, env=clean(), cwd="/", check=True)
    assert [record["score"] for record in records(finished)] == expected(board_model)


def test_output_that_nobody_takes(board_model, folder):
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/full", "w") as full, open(writing, "w") as pipe:
        for output, reason in ((full, "No space left on device"), (pipe, "Broken pipe")):
            pipes = {"stdout": output, "stderr": subprocess.PIPE}
            finished = subprocess.run(command([board_model, folder]), **pipes, text=True, env=clean(), check=False)
            assert finished.returncode == 1
            assert finished.stderr == f"classify.py: standard output: cannot be written ({reason})\n"


def test_is_ended_between_two_images_of_a_list(board_model, tmp_path):
    image = save(tmp_path / "a.png", SEEN[0])
    arguments = command([board_model, *[image] * 20_000, "--json"])
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=clean()) as process:
        lines = [process.stdout.readline()]
        process.send_signal(signal.SIGTERM)
        lines += process.stdout.read().splitlines()
    assert process.returncode == 130
    assert len(lines) < 20_000
    assert {json.loads(line)["file"] for line in lines} == {str(image)}


@pytest.mark.parametrize("arguments", [("",), (".", "--heatmap="), ("--watch=",)])
def test_an_empty_path_is_not_the_current_folder(arguments, board_model, tmp_path):
    finished = run(board_model, *arguments, cwd=tmp_path)
    (line,) = finished.stderr.splitlines()
    assert (finished.returncode, finished.stdout) == (64, "") and "is empty; give a path" in line
