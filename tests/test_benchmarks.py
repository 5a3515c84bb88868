"""Every benchmark is run by `make bench`, knows the flags that it is given there, and starts fast."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

import operators
import turns
from checkout import ROOT, environment

PROGRAMS = sorted(path for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text())
COMMANDS = re.findall(r"python (benchmarks/\w+\.py[^&|;\n]*)", (ROOT / "Makefile").read_text())


def test_make_runs_all_of_them():
    assert sorted(command.split()[0] for command in COMMANDS) == [f"benchmarks/{path.name}" for path in PROGRAMS]
    assert all("--json=build/bench/" in command for command in COMMANDS)


@pytest.mark.parametrize("failing", [path.name for path in PROGRAMS])
def test_a_failure_of_any_of_them_is_one_of_make(failing, tmp_path):
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ncase "$1" in benchmarks/{failing}) exit 3;; esac\n')
    python.chmod(0o755)
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt", "environment/.ready"):
        (tmp_path / name).touch()
    command = ["make", "-C", tmp_path, "-f", ROOT / "Makefile", "bench", "VENV=environment"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode, ran.stdout
    assert "Error 3" in ran.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_a_program_knows_the_flags(command):
    script, *given = shlex.split(command)
    finished = subprocess.run(
        [sys.executable, str(ROOT / script), *given, "--quick", "--only_check_args"],
        capture_output=True, text=True, check=False, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert (finished.returncode, finished.stderr) == (0, "")


def test_a_quick_run_says_something_and_writes_it(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "waiting.py"), "--quick", f"--json={tmp_path / 'found.json'}"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert (finished.returncode, finished.stderr) == (0, "")
    heading, columns, row = finished.stdout.splitlines()
    assert "cores" in heading
    assert columns.split("  ")[-2:] == ["processor, s", "wall, s"]
    assert "--help" in row
    assert '"cpu_seconds"' in (tmp_path / "found.json").read_text()


# The commands of the parts that start scripts; `--quick` runs none of them.
COMMANDS_OF_WAITING = """
from pathlib import Path

from absl import flags

import waiting

flags.FLAGS(["waiting"])


def told(what, *command):
    print(*command)
    return {"what": what, "cpu_seconds": 1.0}


waiting._timed = told
Path("crops").mkdir()
for part in (waiting._simulator, waiting._leaks, waiting._plan):
    part(Path())
"""


def test_what_is_waited_for_are_commands_that_scripts_know(tmp_path):
    found = {
        "cwd": tmp_path,
        "env": environment(ROOT / "benchmarks"),
        "text": True,
        "capture_output": True,
    }
    commands = subprocess.run([sys.executable, "-c", COMMANDS_OF_WAITING], check=True, **found).stdout.splitlines()
    assert len(commands) == 4
    for command in commands:
        finished = subprocess.run([sys.executable, *command.split(), "--only_check_args"], check=False, **found)
        assert (finished.returncode, finished.stderr) == (0, ""), command


# Two runtimes of which one fails, without a network.
WITH_A_FAILURE = """
import sys

import contenders
import inference
from wool_tf import WoolError
from wool_tf.command_line import console


def present(case):
    return [
        contenders.Contender(network, "TFLite", precision, case.full, int)
        for network, precision in (("unpruned", "fp32"), ("compact", "int8"))
    ]


def broken(case):
    raise WoolError("a compiler that fails")


contenders.RUNTIMES = {"tflite": (present, ()), "compiled": (broken, ())}
console.run(inference.main)
"""


def test_a_runtime_that_fails_costs_no_figures_and_is_told_by_the_status(tmp_path):
    found = {"env": environment(ROOT / "benchmarks"), "text": True, "capture_output": True}
    given = ["--quick", "--runtimes=tflite,compiled", f"--json={tmp_path / 'found.json'}"]
    finished = subprocess.run([sys.executable, "-c", WITH_A_FAILURE, *given], check=False, **found)
    assert finished.returncode == 1, finished.stderr
    assert finished.stderr.strip() == "error: not measured: a compiler that fails; all others are above"
    assert "compact int8 is" in finished.stdout
    assert '"failed"' in (tmp_path / "found.json").read_text()


def test_works_take_turns_and_are_compared():
    order = []
    times = turns.measure({"one": lambda: order.append(1), "two": lambda: order.append(2)}, 1, 2, 0.0)
    assert order[6:] == [1] * 5 + [2] * 5 + [1] * 5 + [2] * 5
    assert times["one"].milliseconds.shape == (2, turns.FEWEST)
    slow = turns.Times(np.array([[4.0, 6.0, 5.0], [8.0, 8.0, 8.0]]), np.ones((2, 3)))
    fast = turns.Times(np.array([[1.0, 1.0, 9.0], [2.0, 2.0, 2.0]]), np.ones((2, 3)))
    assert fast.compared(slow) == {"ratio": 4.5, "quartiles": [4.25, 4.75]}
    assert slow.divided(2).figures()["p50_ms"] == 3.5


def test_operators_of_a_file_come_to_the_whole(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    import best_convolution

    convolution = best_convolution.SquareConvolution(3, 8, 6)
    (part,) = operators.split(best_convolution.write(convolution, tmp_path).read_bytes())
    assert (part.kind, part.output, part.macs) == ("CONV_2D 3×3, stride 1", (1, 6, 6, 8), convolution.macs)
    opened = Interpreter(model_content=part.content)
    opened.allocate_tensors()
    assert opened.get_input_details()[0]["shape"].tolist() == [1, 6, 6, 8]


def test_what_compiled_model_says_of_itself_is_not_told(tmp_path):
    import best_convolution

    model = best_convolution.write(best_convolution.SquareConvolution(3, 8, 6), tmp_path)
    command = [ROOT / "benchmarks" / "board_options.py", "--quick", f"--model={model}", "--sections=compiled,start"]
    finished = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, env=environment()
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "CompiledModel" in finished.stdout


def test_executorch_computes_with_one_thread():
    pytest.importorskip("executorch")
    import exports
    from wool_tf.networks import weights
    from wool_tf.networks.spec import ResNetSpec

    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    spec = spec.resized({group: 8 for group in spec.by_group()})
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 40), np.uint8)
    found = list(exports.executorch(exports.Source(spec, weights.initial(spec, seed=0), images)))
    assert [export.precision for export in found] == ["fp32", "int8"]
    assert all(0 < export.score(images[0]) < 1 for export in found)
    from executorch.extension.pybindings import portable_lib

    assert portable_lib._threadpool_get_thread_count() == 1


def test_onnx_runtime_multiplies_eight_bits(tmp_path):
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    pytest.importorskip("torch")
    import contenders
    import exports
    from wool_tf.deploy import workstation
    from wool_tf.networks.spec import ResNetSpec

    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    spec = spec.resized({group: 8 for group in spec.by_group()})
    model = workstation.to_onnx(spec, contenders.random_weights(spec))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    quantised = exports.quantised(model, iter([workstation.random_image(spec)]))
    onnxruntime.InferenceSession(quantised, options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert "Conv" not in operators
    assert operators.count("QLinearConv") == len(list(spec.convolutions()))
