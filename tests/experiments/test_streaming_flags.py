"""Every script that lets scans pass on a belt is told the same of them by the same flags."""

import pytest

import inspect_line
import scripts

SCRIPTS = ("stream_scans.py", "measure_gate.py", "measure_station.py", "simulate_day.py")
SPEEDS = {"stream_scans.py": "each must be at least 0 and finite", "measure_gate.py": "each must be above 0 and finite"}
NO_NUMBERS = {"x": "must be numbers with commas between them", "": "give at least one value"}
MODEL = f"--model={__file__}"
NAMES = ("--samples=S1,S2", "--limit=3", "--gap_lines=10", "--lines_per_second=900", "--json=out.json")


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_passes(script):
    ran = scripts.check(script, "--scans=s", MODEL, *NAMES, "--only_check_args")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--lines_per_second=0", "--lines_per_second=0: must be above 0 and at most 1e+09"),
        ("--lines_per_second=inf", "--lines_per_second=inf: must be above 0 and at most 1e+09"),
        ("--model=no.tflite", "--model=no.tflite: no such file; give a file"),
        ("--json={}/out.json", "--json={}/out.json: must not lie in --scans={}, which is read; give another place"),
    ],
)
def test_wrong_flags_get_one_line(script, flag, said, tmp_path):
    line = scripts.refusal(script, f"--scans={tmp_path}", MODEL, flag.format(tmp_path))
    assert line == f"error: {said.format(tmp_path, tmp_path)}"


@pytest.mark.parametrize("script", SPEEDS)
@pytest.mark.parametrize("value", ["x", "-1", "inf", "nan", ""])
def test_wrong_speeds_get_one_line(script, value, tmp_path):
    line = scripts.refusal(script, f"--scans={tmp_path}", MODEL, f"--speed={value}")
    assert line == f"error: --speed={value}: {NO_NUMBERS.get(value, SPEEDS[script])}"


def test_no_speed_is_no_limit_for_the_stream_only(tmp_path):
    line = scripts.refusal("measure_gate.py", f"--scans={tmp_path}", MODEL, "--speed=1,0")
    assert line == f"error: --speed=1,0: {SPEEDS['measure_gate.py']}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_usual_rate_is_that_of_the_program(script):
    assert inspect_line.PROGRAM.parse(["m", "--dark=d", "--bright=b"]).lines_per_second == 1250
    # A script's help ends with status 1.
    assert "(default: '1250.0')" in scripts.check(script, "--help").stdout


@pytest.mark.parametrize("script", ["measure_gate.py", "measure_station.py"])
@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--width_mm=-1", "--width_mm=-1: must be above 0 and finite"),
        ("--lead_mm=1500", "--lead_mm=1500: must be below --distance_mm=1500"),
    ],
)
def test_a_gate_is_where_its_program_allows_it(script, flag, said, tmp_path):
    assert scripts.refusal(script, f"--scans={tmp_path}", MODEL, flag) == f"error: {said}"
