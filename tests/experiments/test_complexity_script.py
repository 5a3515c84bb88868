"""experiments/complexity.py as a user runs it."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

import scripts
from checkout import EXPERIMENTS, environment
from wool_tf.networks.spec import DEPTHS
from wool_tf.report import complexity

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "experiments" / "complexity.py"
KEYS = ["depth", "round", "params", "flops", "paper_params", "paper_flops"]
LAYER_KEYS = ["name", "output", "parameters", "macs", "operations"]


run = functools.partial(scripts.check, "complexity.py")


def parsed(*flags: str) -> list[dict]:
    ran = run("--format=json", *flags)
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def test_table_has_every_network_and_agrees():
    ran = scripts.run("complexity.py", "--recipe=paper-table3")
    assert (ran.returncode, ran.stderr) == (0, "")
    header, *lines, empty, verdict = ran.stdout.splitlines()
    assert header.split() == ["depth", "round", "parameters", "paper", "agrees", "operations", "paper", "agrees"]
    assert [tuple(map(int, line.split()[:2])) for line in lines] == [(depth, n) for depth in DEPTHS for n in range(4)]
    assert {(line.split()[4], line.split()[7]) for line in lines} == {("yes", "yes")}
    # torchvision's documented number of parameters, and the paper's table.
    assert lines[0].split()[2:4] == ["11,689,512", "1.2e7"]
    assert lines[-1].split()[3] == "2.4e7" and lines[-1].split()[6] == "4.9e9"
    assert (empty, verdict) == ("", "40 of 40 values agree with the paper's Table III to its printed digits.")


def test_json():
    objects = parsed()
    assert len(objects) == 20
    assert all(list(found) == KEYS for found in objects)
    assert all(isinstance(value, int) for found in objects for value in found.values())
    by_place = {(found["depth"], found["round"]): found for found in objects}
    assert by_place[152, 0]["params"] == 60192808
    assert (by_place[34, 3]["paper_params"], by_place[34, 3]["paper_flops"]) == (500000, 350000000)


@pytest.mark.parametrize("flag", ["--recipe=paper-text", "--classes=2", "--image_size=128", "--channels=1"])
def test_other_networks_have_no_figures_of_the_paper(flag):
    objects = parsed(flag, "--depth=18")
    assert [found["round"] for found in objects] == [0, 1, 2, 3]
    assert {(found["paper_params"], found["paper_flops"]) for found in objects} == {(None, None)}
    header, *lines = run(flag, "--depth=18").stdout.splitlines()
    assert [len(line.split()) for line in lines] == [4] * 4


def test_layers_add_up():
    objects = parsed("--layers", "--depth=18", "--depth=50")
    assert [found["depth"] for found in objects] == [18] * 4 + [50] * 4
    for found in objects:
        assert list(found) == [*KEYS, "layers"]
        assert all(list(layer) == LAYER_KEYS for layer in found["layers"])
        assert sum(layer["parameters"] for layer in found["layers"]) == found["params"]
        assert sum(layer["operations"] for layer in found["layers"]) == found["flops"]
        assert found["layers"][0]["output"][:2] == [112, 112]
    text = run("--layers", "--depth=18").stdout
    assert text.count("\nResNet-18, round ") == 4
    assert text.count("\nlayer4.1.conv2  ") == 4


@pytest.mark.parametrize(
    ("flag", "named"),
    [
        ("--depth=19", "--depth=19: each must be one of 18, 34, 50, 101, 152"),
        ("--depth=eighteen", "eighteen"),
        ("--recipe=mine", "--recipe=mine"),
        ("--format=xml", "--format=xml"),
        ("--image_size=31", "--image_size=31: must be at least 32"),
        ("--channels=2", "--channels=2: value should be one of <1|3>"),
        ("--classes=0", "--classes=0: 0 is not a positive integer"),
        ("--colour", "colour"),
        ("18", "'18'"),
    ],
)
def test_wrong_flags_get_one_line(flag, named):
    ran = run(flag)
    assert ran.returncode == 1
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: ") and named in line


def test_neither_keras_nor_tensorflow_is_imported():
    program = (
        "import runpy, sys; sys.argv = ['complexity.py', '--depth=18'];\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'keras', 'tensorflow', 'tf_keras', 'jax', 'torch'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    env = environment(EXPERIMENTS)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "11,689,512" in ran.stdout


def test_printed_digits():
    """Two significant digits; below a million, tenths of a million."""
    cases = {11_689_512: 12_000_000, 9_949_999: 9_900_000, 9_950_000: 10_000_000, 455_188: 500_000, 450_000: 500_000}
    cases |= {449_999: 400_000, 912_089: 900_000, 999_999: 1_000_000, 49_999: 0, 11_580_686_848: 12_000_000_000}
    assert {value: complexity.as_printed(value) for value in cases} == cases
    assert complexity.agrees(1_032_703_266, 1_000_000_000)
    assert not complexity.agrees(1_060_000_000, 1_000_000_000)
    assert not complexity.agrees(949_999, 1_000_000)
    assert not complexity.agrees(9_600_000, 10_000_000)
