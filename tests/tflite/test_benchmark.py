import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parents[2] / "tflite" / "benchmark.py"
TIMES = {"load_ms", "first_ms", "mean_ms", "p50_ms", "p90_ms", "p99_ms", "images_per_second"}
FIGURES = {"file", "bytes", "threads", "runs"} | TIMES


def run(*arguments, **environment) -> subprocess.CompletedProcess:
    # Isolated from the repository, as on a board.
    command = [sys.executable, "-P", str(PROGRAM), *map(str, arguments)]
    settings = os.environ | {"PYTHONPATH": ""} | environment
    return subprocess.run(command, capture_output=True, text=True, env=settings, cwd="/", check=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """`float.tflite` and the larger `integer.tflite`, which reads uint8."""
    import warnings

    import tensorflow as tf

    from wool_tf.quiet import quiet

    made = tmp_path_factory.mktemp("models")
    signature = [tf.TensorSpec((1, 64, 64, 1), tf.float32)]
    kernel = tf.constant(np.random.default_rng(0).normal(size=(5, 5, 1, 64)), tf.float32)
    small = tf.function(lambda image: tf.reduce_mean(image, axis=(1, 2)), signature).get_concrete_function()
    large = tf.function(lambda image: tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME")), signature)
    integer = tf.lite.TFLiteConverter.from_concrete_functions([large.get_concrete_function()])
    integer.optimizations = [tf.lite.Optimize.DEFAULT]
    integer.representative_dataset = lambda: ([np.full((1, 64, 64, 1), v, np.float32)] for v in (0, 255))
    integer.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    integer.inference_input_type = integer.inference_output_type = tf.uint8
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (made / "float.tflite").write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([small]).convert())
        (made / "integer.tflite").write_bytes(integer.convert())
    return made


@pytest.fixture(scope="module")
def program():
    description = importlib.util.spec_from_file_location("board_benchmark", PROGRAM)
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module


def test_measures_several_models(folder):
    files = [folder / "float.tflite", folder / "integer.tflite"]
    finished = run(*files, "--runs=120", "--json")
    assert finished.returncode == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert [model["file"] for model in document["models"]] == list(map(str, files))
    for file, model in zip(files, document["models"], strict=True):
        assert set(model) == FIGURES
        assert (model["bytes"], model["threads"], model["runs"]) == (file.stat().st_size, 1, 120)
        assert 0 < model["p50_ms"] <= model["p90_ms"] <= model["p99_ms"]
        assert model["load_ms"] > 0 and model["first_ms"] > 0
        assert model["images_per_second"] == pytest.approx(1000 / model["mean_ms"], rel=0.05)
    assert document["models"][1]["p50_ms"] > 3 * document["models"][0]["p50_ms"]
    machine = document["machine"]
    assert machine["cores"] == os.cpu_count()
    assert machine["architecture"] == os.uname().machine
    assert machine["kernel"].endswith(os.uname().release)
    assert {"board", "cpu", "governor", "temperature_before", "temperature_after", "others_cores"} <= set(machine)
    assert isinstance(document["warnings"], list)
    assert document["warm_up_runs"] > 0


def test_prints_a_table(folder):
    finished = run(folder / "float.tflite", "--runs=3")
    lines = finished.stdout.splitlines()
    assert finished.returncode == 0
    header = next(line for line in lines if line.startswith("model"))
    assert header.split() == ["model", "MB", "load", "first", "mean", "p50", "p90", "p99", "images/s"]
    row = next(line for line in lines if line.startswith(str(folder)))
    assert len(row) == len(header) and len(row.split()) == 9
    assert "3 runs of each model in turns, after 10 to warm up" in finished.stdout
    assert lines[-1] == "warning: 3 runs are too few for a 99th percentile; use --runs=100 or more"


def test_json_alone_does_not_take_the_model_for_its_file(folder):
    model = folder / "float.tflite"
    before = model.read_bytes()
    finished = run("--json", model, "--runs=1")
    assert json.loads(finished.stdout)["models"][0]["file"] == str(model)
    assert model.read_bytes() == before


def test_json_goes_into_a_file_beside_the_table(folder, tmp_path):
    finished = run(folder / "float.tflite", "--runs=1", f"--json={tmp_path / 'out.json'}")
    assert "images/s" in finished.stdout
    assert json.loads((tmp_path / "out.json").read_text())["models"][0]["runs"] == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "out.json"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["missing.tflite"], 1, "missing.tflite: cannot be read (No such file or directory)"),
        (["text.tflite"], 1, "text.tflite: not a TFLite file"),
        (["cut.tflite"], 1, "cut.tflite: cannot be run ("),
        (["float.tflite", "missing.tflite"], 1, "missing.tflite: cannot be read"),
        (["."], 1, ": cannot be read (Is a directory)"),
        (["float.tflite", "--threads=0"], 1, "--threads=0: must be 1 to "),
        (["float.tflite", "--threads=4096"], 1, "--threads=4096: must be 1 to "),
        (["float.tflite", "--runs=0"], 1, "--runs=0: must be at least 1"),
        (["float.tflite", "--json=/nowhere/a.json"], 1, "--json=/nowhere/a.json: must be a file in a folder"),
        (["float.tflite", "--json="], 1, "must be a file in a folder"),
        ([], 2, "required: MODEL"),
        (["float.tflite", "--runs=many"], 2, "argument --runs: invalid int value: 'many'"),
        (["float.tflite", "--run=5"], 2, "unrecognized arguments: --run=5"),
    ],
)
def test_wrong_use_gets_one_line(arguments, status, message, folder):
    (folder / "text.tflite").write_text("a text that is no model\n")
    (folder / "cut.tflite").write_bytes((folder / "integer.tflite").read_bytes()[:700])
    finished = run(*(argument if argument.startswith("-") else folder / argument for argument in arguments))
    assert finished.returncode == status
    assert finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 1
    assert finished.stderr.startswith("benchmark.py: ") and message in finished.stderr


def test_needs_nothing_but_its_requirements():
    names = set()
    for node in ast.walk(ast.parse(PROGRAM.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.split(".")[0])
    lines = (PROGRAM.parent / "requirements.txt").read_text().splitlines()
    required = {line.split(">")[0].replace("-", "_") for line in lines if not line.startswith("#")}
    assert names - set(sys.stdlib_module_names) == required == {"ai_edge_litert", "numpy"}


QUIET = {"others_cores": 0.1, "cores": 4, "temperature_after": None, "throttled_before": None, "throttled_after": None}
STEADY = {"file": "a.tflite", "p50_ms": 10.0, "p90_ms": 14.9, "runs": 200}


@pytest.mark.parametrize(
    ("machine", "model", "message"),
    [
        ({"others_cores": 2.3}, {}, "other programs kept 2.3 of 4 cores busy"),
        ({"temperature_after": 81.2}, {}, "the CPU reached 81 °C"),
        ({"throttled_before": 0, "throttled_after": 0x50005}, {}, "the board reports under-voltage"),
        ({"throttled_before": 0, "throttled_after": 0x40000}, {}, "the board reports throttling"),
        ({}, {"p90_ms": 16.0}, "a.tflite: the slowest tenth of the runs took over 1.6 times the median"),
        ({}, {"runs": 99}, "99 runs are too few"),
    ],
)
def test_warns_of_figures_that_cannot_be_trusted(machine, model, message, program):
    found = program.find_warnings(QUIET | machine, [STEADY | model])
    assert found[0].startswith(message)


@pytest.mark.parametrize(
    "machine",
    [
        {"others_cores": None},
        {"others_cores": 2.0},
        {"temperature_after": 79.0},
        {"throttled_before": 0xF0000, "throttled_after": 0xF0000},
    ],
)
def test_trusts_figures_otherwise(machine, program):
    assert program.find_warnings(QUIET | machine, [STEADY]) == []


def test_asks_a_raspberry_pi_for_its_throttling(program, tmp_path, monkeypatch):
    command = tmp_path / "vcgencmd"
    command.write_text('#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x50005\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert program.throttled() == 0x50005
    command.write_text("#!/bin/sh\necho VCHI initialization failed\nexit 1\n")
    assert program.throttled() is None


def test_other_programs_are_told_from_its_own_work(program):
    before = program.others_seconds()
    own = sum(number * number for number in range(3_000_000))
    assert own > 0
    busy = subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 1: pass"], check=True)
    assert busy.returncode == 0
    assert program.others_seconds() - before > 0.9


def test_pixels_fit_what_a_model_reads(program):
    shape = np.array([1, 64, 64, 1])
    for dtype, low, high in ((np.uint8, 0, 255), (np.float32, 0, 255), (np.int8, -128, 127)):
        pixels = program.random_pixels(shape, dtype)
        assert (pixels.dtype, pixels.shape, pixels.min(), pixels.max()) == (dtype, (1, 64, 64, 1), low, high)
    np.testing.assert_array_equal(program.random_pixels(shape, np.uint8), program.random_pixels(shape, np.float32))


def test_models_take_turns(program):
    order = []

    class Fake:
        def __init__(self, name):
            self.name = name

        def run(self):
            order.append(self.name)
            return float(len(order))

    times = program.measure([Fake("a"), Fake("b"), Fake("c")], 5)
    assert order == ["a", "b", "c"] * (program.WARM_UP_RUNS + 5)
    assert times.shape == (5, 3)
    np.testing.assert_array_equal(times[0] + 3, times[1])


def test_percentiles_of_known_times(program):
    class Fake:
        path, bytes, load_ms, first_ms = Path("a.tflite"), 7, 1.0, 2.0

    found = program.summary(Fake, np.arange(101.0), threads=1)
    assert (found["p50_ms"], found["p90_ms"], found["p99_ms"], found["mean_ms"]) == (50, 90, 99, 50)
    assert (found["images_per_second"], found["runs"]) == (20, 101)
