import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from checkout import PROGRAMS, ROOT, environment
from wool_board.benchmark import candidates, memory

PROGRAM = PROGRAMS / "benchmark.py"
TIMES = {"load_ms", "first_ms", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "images_per_second"}
MEMORY = {"memory_mb", "process_mb"}
FIGURES = {"file", "bytes", "network", "precision", "card", "runtime", "threads", "runs"} | TIMES | MEMORY
ARM64 = ROOT.parent / "shared" / "tools" / "arm64_python"


def run(*arguments, **environment) -> subprocess.CompletedProcess:
    # Isolated from the repository, as on a board.
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
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


def test_measures_several_models(folder):
    files = [folder / "float.tflite", folder / "integer.tflite"]
    finished = run(*files, "--runs=120", "--json")
    assert finished.returncode == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert [model["file"] for model in document["models"]] == list(map(str, files))
    for file, model in zip(files, document["models"], strict=True):
        assert set(model) == FIGURES
        assert (model["bytes"], model["threads"], model["runs"]) == (file.stat().st_size, 1, 120)
        assert 0 < model["p50_ms"] <= model["p90_ms"] <= model["p95_ms"] <= model["p99_ms"]
        assert model["load_ms"] > 0 and model["first_ms"] > 0
        assert model["images_per_second"] == pytest.approx(1000 / model["mean_ms"], rel=0.05)
        assert model["card"] is model["network"] is model["precision"] is None
        assert model["runtime"].startswith("LiteRT ")
        # Python and NumPy alone take more than these models.
        assert 0 < model["memory_mb"] < model["process_mb"] / 2
    assert document["models"][1]["p50_ms"] > 3 * document["models"][0]["p50_ms"]
    (tile,) = document["preprocessing"]
    assert tile["side"] == 64 and tile["runs"] == 120 and 0 < tile["p50_ms"] <= tile["p95_ms"]
    assert {"board", "governor", "clock_seen_mhz", "temperature_after", "others_cores"} <= set(document["machine"])
    assert isinstance(document["warnings"], list) and document["notes"] == []
    assert document["warm_up_runs"] > 0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_several_numbers_of_threads_give_a_row_each(folder):
    files = [folder / "float.tflite", folder / "integer.tflite"]
    document = json.loads(run(*files, "--runs=2", "--threads=2,4096,1,2", "--json").stdout)
    rows = [(model["file"], model["threads"]) for model in document["models"]]
    assert rows == [(str(file), threads) for file in files for threads in (2, 1)]
    cores = len(os.sched_getaffinity(0))
    assert document["notes"] == [f"threads=4096: left out, there are {cores} cores"]
    assert len(document["preprocessing"]) == 1


def test_prints_a_table(folder):
    finished = run(folder / "float.tflite", "--runs=3", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    lines = finished.stdout.splitlines()
    assert finished.returncode == 0, finished.stderr
    names = ["model", "MB", "threads", "load", "first", "mean", "p50", "p90", "p95", "p99", "images/s", "RAM"]
    header = next(line for line in lines if line.startswith("model"))
    assert header.split() == names
    row = next(line for line in lines if line.startswith(str(folder)))
    assert len(row) == len(header) and len(row.split()) == len(names)
    assert "3 runs of each model in turns, after 10 to warm up" in finished.stdout
    assert any(line.startswith("before it, counts to pixels of a tile of 64") for line in lines)
    assert lines[-1] == "warning: 3 runs are too few for a 99th percentile; time 100 or more"


def test_says_what_the_card_says(board_model, tmp_path):
    finished = run(board_model, "--runs=1", f"--json={tmp_path / 'right.json'}")
    (row,) = json.loads((tmp_path / "right.json").read_text())["models"]
    assert (row["precision"], row["card"]) == ("int8", "right")
    assert row["network"].startswith("ResNet-18, 0.")
    assert f"{board_model}: int8, {row['network']}, card right" in finished.stdout.splitlines()

    content = bytearray(board_model.read_bytes())
    # In the middle are weights, so that the file still runs.
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.tflite").write_bytes(content)
    document = json.loads(run(tmp_path / "changed.tflite", "--runs=1", "--json").stdout)
    assert document["models"][0]["card"].startswith("wrong: is not the model that its card describes")
    told = f"{tmp_path / 'changed.tflite'}: card wrong: is not the model that its card describes"
    assert any(warning.startswith(told) for warning in document["warnings"])


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
        (["float.tflite", "--threads=0"], 64, "--threads=0: must be 1 to "),
        (["float.tflite", "--threads=4096"], 64, "--threads=4096: must be 1 to "),
        (["float.tflite", "--threads=1,-2"], 64, "--threads=1,-2: must be 1 to "),
        (["float.tflite", "--runs=0"], 64, "--runs=0: must be at least 1"),
        (["float.tflite", "--json=/nowhere/a.json"], 1, "--json=/nowhere/a.json: must be a file in a folder"),
        (["float.tflite", "--json="], 1, "must be a file in a folder"),
        ([], 64, "required: MODEL"),
        (["float.tflite", "--threads=1;2"], 64, "argument --threads: must be numbers with commas between, got '1;2'"),
        (["float.tflite", "--threads="], 64, "argument --threads: must be numbers"),
        (["float.tflite", "--runs=many"], 64, "argument --runs: invalid int value: 'many'"),
        (["float.tflite", "--run=5"], 64, "unrecognized arguments: --run=5"),
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


def test_ends_when_it_is_told_to(folder):
    command = [sys.executable, str(PROGRAM), str(folder / "integer.tflite"), "--runs=100000"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not catches(started.pid, signal.SIGTERM):
        time.sleep(0.1)
    time.sleep(1)
    started.send_signal(signal.SIGTERM)
    printed, complained = started.communicate(timeout=10)
    assert (started.returncode, printed) == (130, "")
    assert "Traceback" not in complained


def catches(process: int, number: int) -> bool:
    """Whether a process is prepared for a signal."""
    status = Path(f"/proc/{process}/status").read_text()
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1)


def test_needs_no_pillow():
    code = "import benchmark, sys; print({'PIL', 'ai_edge_litert'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert ran.stdout == "set()\n"


def test_pixels_fit_what_a_model_reads():
    shape = np.array([1, 64, 64, 1])
    for dtype, low, high in ((np.uint8, 0, 255), (np.float32, 0, 255), (np.int8, -128, 127)):
        pixels = candidates.random_pixels(shape, dtype)
        assert (pixels.dtype, pixels.shape, pixels.min(), pixels.max()) == (dtype, (1, 64, 64, 1), low, high)
    np.testing.assert_array_equal(
        candidates.random_pixels(shape, np.uint8), candidates.random_pixels(shape, np.float32)
    )


def test_memory_is_that_of_the_model(folder):
    small, large = (memory.added(folder / f"{name}.tflite", 1) for name in ("float", "integer"))
    # The feature map of the larger one has 64·64·64 values of one byte, its image 64·64.
    assert large["memory_mb"] > small["memory_mb"] + 0.2


def test_memory_that_cannot_be_found_is_unknown(folder, monkeypatch, tmp_path):
    unknown = {"memory_mb": None, "process_mb": None}
    (tmp_path / "foreign").write_bytes(b"no program for this machine")
    (tmp_path / "foreign").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "foreign"))
    assert memory.added(folder / "float.tflite", 1) == unknown
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert memory.added(folder / "float.tflite", 1) == unknown


def test_a_tile_is_neither_black_nor_white():
    """Or the time would be that of clipping."""
    tile = candidates.TimedTile(64)
    pixels = candidates.grey(tile._correction.attenuation(tile._counts), (0.0, 1.0))
    assert pixels.shape == (64, 64)
    assert 0.9 < np.mean((pixels > 0) & (pixels < 255)) <= 1
    assert tile.run() > 0


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a72", "cortex-a76"])
def test_runs_on_emulated_boards_and_says_that_they_are(cpu, board_model):
    if not ARM64.exists():
        pytest.skip("needs ../shared/tools/arm64_python")
    command = [str(ARM64), "--cpu", cpu, str(PROGRAM), str(board_model), "--runs=1", "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    document = json.loads(finished.stdout)
    assert document["machine"]["architecture"] == "aarch64"
    assert document["machine"]["cpu"] == cpu.title()
    assert document["warnings"][0] == "qemu-aarch64 emulates this CPU: the times say nothing about any board"
    assert document["models"][0]["card"] == "right"


def test_a_model_that_cannot_be_computed_with_random_numbers_is_one_line(tmp_path):
    import tensorflow as tf

    signature = [tf.TensorSpec([1, 16], tf.int32)]
    gather = tf.function(lambda x: tf.gather(tf.ones((10, 4)), x), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([gather.get_concrete_function()])
    (tmp_path / "gather.tflite").write_bytes(converter.convert())
    finished = run(tmp_path / "gather.tflite")
    (line,) = finished.stderr.splitlines()
    assert finished.returncode == 1 and finished.stdout == ""
    assert line.startswith(f"benchmark.py: {tmp_path}/gather.tflite: the model cannot be computed with this input (")
    assert line.endswith("only models of images can be timed")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_the_table_is_one_line(folder):
    command = [sys.executable, str(PROGRAM), str(folder / "float.tflite"), "--runs=2"]
    with open("/dev/full", "w") as full:
        finished = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ""}, check=False
        )
    assert finished.returncode == 1
    assert finished.stderr == "benchmark.py: standard output: cannot be written (No space left on device)\n"
