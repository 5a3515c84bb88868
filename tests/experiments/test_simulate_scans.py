"""The simulation as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import scripts

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "simulate_scans.py"


def simulate(*flags) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, flags)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "scans"
    return out, simulate(f"--out={out}", "--samples=2", "--clean=1", "--scans=2", "--seed=4")


def test_a_campaign(finished):
    out, result = finished
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].endswith(f" 2 scans: {out}")
    assert len(list((out / "scans").glob("*.png"))) == 2
    assert json.loads((out / "simulation.json").read_text())["seed"] == 4


def test_the_same_command_again_does_nothing(finished):
    out, _ = finished
    before = (out / "annotations.json").stat().st_mtime_ns
    result = simulate(f"--out={out}", "--samples=2", "--clean=1", "--scans=2", "--seed=4")
    assert result.returncode == 0 and (out / "annotations.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "flags,line",
    [
        ((), "error: --out: is required; give a value"),
        (("--out=x", "--samples=10", "--clean=10"), "error: --clean=10: must be from 1 to 9"),
        (("--out=x", "--scans=900"), "error: --scans=900: must be from 153 to 459"),
        (("--out=",), "error: --out=: is empty; give a path"),
    ],
)
def test_mistakes_are_one_line(flags, line):
    result = scripts.check("simulate_scans.py", *flags)
    assert result.returncode == 1 and result.stderr.splitlines() == [line]


def test_another_campaign_in_the_same_folder_is_refused(finished):
    result = scripts.check(
        "simulate_scans.py", f"--out={finished[0]}", "--samples=2", "--clean=1", "--scans=2", "--seed=5"
    )
    assert result.returncode == 1 and "holds something other" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_help_needs_no_heavy_library():
    code = f"import runpy, sys; sys.argv = ['x', '--help']\ntry: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
    code += "except SystemExit: pass\nprint({'tensorflow', 'keras', 'spekpy', 'xraydb'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=SCRIPT.parent)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr
