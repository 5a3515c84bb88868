"""experiments/compare_boards.py as a user runs it."""

import importlib.util
import json
import subprocess
import sys

import pytest

import scripts
from benchmark_sample import model, written
from checkout import EXPERIMENTS, environment
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec

SCRIPT = "compare_boards.py"
PACKAGES = ("torch", "onnx", "onnxruntime")
ABSENT = [package for package in PACKAGES if importlib.util.find_spec(package) is None]


@pytest.fixture
def measured(tmp_path):
    """What a board's measurement looks like."""
    row = model("int8.tflite", 20.0, bytes=812, threads=4, precision="int8")
    path = tmp_path / "pi5.json"
    document = written("Raspberry Pi 5 Model B Rev 1.0", row, warnings=("the board reports throttling",))
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def checkpoint(tmp_path):
    full = ResNetSpec.full(18, 2, (32, 32, 1))
    spec = full.resized({group: 4 for group in full.by_group()})
    weights.save(tmp_path / "net.safetensors", spec, weights.initial(spec, seed=0))
    return tmp_path / "net.safetensors"


def test_files_become_a_table(measured, tmp_path):
    other = tmp_path / "pi4.json"
    other.write_text(measured.read_text().replace("Pi 5", "Pi 4").replace("20.0", "50.0"))
    finished = scripts.run(SCRIPT, f"--files={measured},{other}", "--reference=2", f"--out={tmp_path / 'out'}")
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = finished.stdout.splitlines()
    assert lines[1].endswith("2.50×") and lines[2].endswith("1.00×")
    assert lines[3:] == [f"warning: Raspberry Pi {n} Model B Rev 1.0: the board reports throttling" for n in (5, 4)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["boards.csv", "boards.md"]
    assert "| Raspberry Pi 4 Model B Rev 1.0 |" in (tmp_path / "out" / "boards.md").read_text()
    assert (tmp_path / "out" / "boards.csv").read_text().count("Raspberry Pi 4") == 1


@pytest.mark.skipif(bool(ABSENT), reason=f"needs {', '.join(ABSENT)}")
def test_a_network_is_measured_here(measured, checkpoint, tmp_path):
    out = tmp_path / "out"
    finished = scripts.run(
        SCRIPT, f"--files={measured}", f"--network={checkpoint}", "--threads=1,4096", "--runs=3", f"--out={out}"
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    rows = [line for line in finished.stdout.splitlines() if "net.safetensors " in line]
    assert len(rows) == 2 and " PyTorch " in rows[0] and " ONNX Runtime " in rows[1]
    document = json.loads((out / "workstation.json").read_text())
    assert [(row["threads"], row["runs"]) for row in document["models"]] == [(1, 3)] * 2
    assert document["notes"][0].startswith("threads=4096: left out")
    # It can be one of the files the next time.
    again = scripts.check(SCRIPT, f"--files={out / 'workstation.json'}")
    assert again.returncode == 0 and again.stdout.count("net.safetensors") >= 2


@pytest.mark.skipif(not ABSENT, reason="the packages are installed")
def test_missing_packages_are_one_line(checkpoint):
    refused = scripts.refusal(SCRIPT, f"--network={checkpoint}")
    assert refused.startswith(f"error: {ABSENT[0]}: is not installed; in the project's folder: ")


def test_wrong_use_gets_one_line(measured, checkpoint, tmp_path):
    (tmp_path / "other.json").write_text("{}")
    for flags, said in (
        ((), "--files=: is empty; give one or more, or a --network to be measured here"),
        (("--files=",), "--files=: is empty"),
        ((f"--files={measured},",), "--files=: is empty; give a path"),
        ((f"--files={tmp_path / 'no.json'}",), "no.json: no such file; give a file"),
        ((f"--files={measured},{tmp_path / 'other.json'}",), "other.json: is no document of benchmark.py"),
        ((f"--files={measured}", "--reference=2"), "--reference=2: must be the number of a row, 1 to 1"),
        ((f"--files={measured}", "--reference=0"), "--reference=0"),
        ((f"--files={measured}", "--out="), "--out=: is empty"),
        ((f"--network={checkpoint}", "--threads=two"), "--threads=two: must be numbers with commas between them"),
        ((f"--network={checkpoint}", "--threads=0"), "--threads=0: must be 1 to"),
        ((f"--network={checkpoint}", "--runs=0"), "--runs=0"),
        ((str(measured),), "this script takes flags only"),
    ):
        assert said in scripts.refusal(SCRIPT, *flags)


def test_neither_keras_nor_tensorflow_nor_torch_is_imported():
    script = scripts.FOLDER / SCRIPT
    program = (
        "import runpy, sys\n"
        f"runpy.run_path({str(script)!r})\n"
        "sys.exit(' '.join({'keras', 'tensorflow', 'torch', 'onnx', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    env = environment(EXPERIMENTS)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
