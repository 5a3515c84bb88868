"""experiments/measure_station.py with a recognizer that can be foreseen in the place of the network."""

import json
import subprocess
import sys

import pytest
from test_stream_scans import MODEL, program, scans  # noqa: F401

from checkout import EXPERIMENTS, TESTS, environment
from scripts import refusal
from wool_tf.belt.station import broker

# Of the made-up belt, 50 mm wide.
PLACE = ("--distance_mm=150", "--width_mm=20", "--lead_mm=50", "--hold_mm=10")
BELT = ("--lines_per_second=400", "--gap_lines=100", "--defects=D1,D2", "--invisible=D4")


def run(program, *flags) -> subprocess.CompletedProcess:  # noqa: F811
    code = (
        "import measure_station, pathlib\nfrom wool_tf.command_line import console\n"
        f"measure_station.PROGRAM = pathlib.Path({str(program)!r})\nconsole.run(measure_station.main)"
    )
    command, env = [sys.executable, "-c", code, *PLACE, *BELT, *map(str, flags)], environment(EXPERIMENTS, TESTS)
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture(scope="module")
def slow_program(program):  # noqa: F811
    """The program, which tells rejects of this short belt early enough."""
    path = program.with_name("early.py")
    path.write_text("import sys\nsys.argv += ['--latency_mm=150', '--part_mm=40']\n" + program.read_text())
    return path


@pytest.mark.slow
def test_all_programs_run_beside_each_other(scans, slow_program, tmp_path):  # noqa: F811
    out = tmp_path / "out.json"
    ran = run(slow_program, f"--scans={scans}", MODEL, "--speed=1", "--pairs=1", f"--json={out}")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(out.read_text())
    one = found["runs"]["1"]
    assert one["inspection"]["defects"]["all"] == {"boxes": 2, "looked_at": 2, "found": 2}
    assert one["inspection"]["forgotten_mm"] == 0 and one["gate"]["missed_mm"] == 0
    station = one["station"]
    assert set(station["peak_memory_mb"]) - {"mqtt"} == {"inspect", "gate", "record", "page"}
    assert all(5 < peak < 500 for peak in station["peak_memory_mb"].values())
    assert station["told_rejects"] == station["recorded_rejects"] == 2
    assert station["published_rejects"] == (2 if broker.PROGRAM else None)
    assert station["page"]["connections"] >= 1
    assert len(found["pace"]["ratios"]) == 1 and 0 < found["pace"]["median"]
    assert "as fast as possible, with the station beside it" in ran.stdout


@pytest.mark.slow
def test_nothing_passes_while_programs_are_killed(scans, slow_program, tmp_path):  # noqa: F811
    out = tmp_path / "out.json"
    ran = run(slow_program, f"--scans={scans}", MODEL, "--kills=1", f"--json={out}")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(out.read_text())["killed"]
    assert found["missed_mm"] == 0 and 0 < found["due_mm"] < found["belt_mm"]
    assert {name: kill["kills"] for name, kill in found["kills"].items() if name != "mqtt"} == dict.fromkeys(
        ("gate", "inspect", "page", "record"), 1
    )
    assert found["store"]["lost"] == found["store"]["lost_corrections"] == 0 < found["store"]["seen"]
    assert 0 < found["rejects"]["recorded"] <= found["rejects"]["told"]


@pytest.mark.slow
def test_hours_of_lines_pass_with_the_station_beside(scans, slow_program, tmp_path):  # noqa: F811
    out = tmp_path / "out.json"
    ran = run(slow_program, f"--scans={scans}", MODEL, "--hours=0.02", f"--json={out}")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(out.read_text())
    assert found["inspection"]["lines"] == 0.02 * 3600 * 400
    assert found["station"]["recorded_rejects"] > 0 and found["station"]["memory_mb"]["record"]
    assert "mean memory of page, first / last quarter, MB" in ran.stdout


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--kills=1", "--hours=1"], "--kills and --hours: give one of them"),
        (["--kills=1", "--speed=1,2"], "--speed=1,2: must be one number with --kills"),
        (["--hours=0"], "--hours=0: must be above 0 and finite"),
        (["--speed=0"], "--speed=0: each must be above 0 and finite"),
    ],
)
def test_wrong_flags_get_one_line(flags, said, tmp_path):
    assert refusal("measure_station.py", f"--scans={tmp_path}", MODEL, *flags) == f"error: {said}"
