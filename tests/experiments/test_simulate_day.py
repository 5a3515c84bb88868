"""experiments/simulate_day.py: every line of a day is accounted for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_stream_scans import program, write_scans  # noqa: F401

from checkout import EXPERIMENTS, TESTS, environment
from scripts import refusal
from wool_tf.belt.day.lines import STOP_LINES

LINES, PASSES = 600, 7

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Of products that are long enough to tell by their texture whether the belt stands."""
    return write_scans(tmp_path_factory.mktemp("scans"), 0.02, LINES)


def test_the_account_of_a_day_sums_to_what_was_sent(scans, program, tmp_path):  # noqa: F811
    out = tmp_path / "out.json"
    flags = [
        f"--scans={scans}",
        f"--model={__file__}",
        f"--program={program}",
        "--lines_per_second=2500",
        "--gap_lines=100",
    ]
    flags += [f"--passes={PASSES}", "--defects=D1,D2", "--invisible=D4", f"--json={out}"]
    command = [sys.executable, EXPERIMENTS / "simulate_day.py", *flags]
    env = environment(EXPERIMENTS, TESTS)
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=env, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(Path(out).read_text())
    assert found["lines"] == 8 * PASSES * (3 * LINES + 4 * 100) + 2 * STOP_LINES
    shares = found["shares_m"]
    assert sum(shares.values()) == pytest.approx(found["sent_m"], abs=0.05)
    assert shares["lost"] == 0 and shares["seen"] > 0 and shares["untold"] + shares["unseen"] > 0
    assert {"beam_drift", "dead_elements", "noisy_elements", "stuck_elements"} <= set(found["alarms"])
    assert "belt_stopped" in found["alarms"]
    stopped = found["stopped_m"]
    # The second of two stops comes a moment after a restart, while the program does not read yet.
    assert 0.7 * stopped["stood"] / 2 <= stopped["told"] <= stopped["stood"]
    first = found["hours"][0]
    assert first["defects"]["D1"] == {"boxes": PASSES, "looked_at": PASSES, "found": PASSES}
    assert first["false_rejects_per_m"] == 0
    assert max(hour["false_rejects_per_m"] for hour in found["hours"]) < 3


def test_wrong_flags_get_one_line(scans):
    said = "--lines_per_second=0: must be above 0"
    assert said in refusal("simulate_day.py", f"--scans={scans}", f"--model={__file__}", "--lines_per_second=0")
