"""The systemd units of the gate and of MQTT, and what docs/gate.md says of both, against the programs."""

import configparser
import re
import shutil
import subprocess
import sys

import pytest

import gate
import mqtt
from checkout import PROGRAMS, ROOT
from wool_board.exit_status import INTERRUPTED, WRONG_USAGE

GUIDE = (ROOT / "docs" / "gate.md").read_text()
PARSERS = {"gate": gate.PROGRAM.parse, "mqtt": mqtt.PROGRAM.parse}


@pytest.fixture(params=sorted(PARSERS))
def name(request) -> str:
    return request.param


@pytest.fixture
def service(name) -> dict:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=False)
    parser.optionxform = str
    parser.read_string((PROGRAMS / f"wool-{name}.service").read_text())
    return dict(parser["Service"])


def test_systemd_knows_every_word(name, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    here = tmp_path / f"wool-{name}.service"
    here.write_text((PROGRAMS / here.name).read_text().replace("/opt/wool/.venv/bin/python", sys.executable))
    finished = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stdout + finished.stderr) == (0, "")


def test_it_starts_the_program_with_the_settings_of_the_guide(name, service):
    inspection = configparser.ConfigParser(interpolation=None, strict=False)
    inspection.optionxform = str
    inspection.read_string((PROGRAMS / "wool-inspect.service").read_text())
    assert service["EnvironmentFile"] == "/etc/wool/station.conf"
    variable = f"{name.upper()}_OPTIONS"
    given = re.search(rf"^    {variable}=(.*)$", GUIDE, re.M)[1]
    example = (ROOT / "installer/root/opt/wool/station.conf.example").read_text()
    assert re.search(rf"^# {variable}={re.escape(given)}$", example, re.M) and f"\n{variable}=\n" in example
    python, program, *arguments = service["ExecStart"].replace(f"${variable}", given).split()
    assert (python, program) == ("/opt/wool/.venv/bin/python", f"tflite/{name}.py")
    options = PARSERS[name](arguments)
    assert str(options.feed) == f"/run/{inspection['Service']['RuntimeDirectory']}/feed"
    assert f"sudo systemctl enable --now wool-{name}" in GUIDE


def test_ends_that_are_wanted_are_no_failures_and_hopeless_ones_not_tried_again(service):
    assert service["SuccessExitStatus"] == str(INTERRUPTED)
    assert service["RestartPreventExitStatus"] == str(WRONG_USAGE)
    assert (service["Restart"], service["Type"], service["User"]) == ("always", "notify", "wool")


def test_the_guide_explains_every_event_reason_and_topic():
    told = set()
    for module in (PROGRAMS / "wool_station" / "gate").glob("*.py"):
        told |= set(re.findall(r"_log\.tell\(\s*\"(\w+)\"", module.read_text()))
    table = GUIDE[GUIDE.index("### What it says") : GUIDE.index("### How exact")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == told
    from wool_station.gate import control, driver, timeline

    reasons = {timeline.REJECT, timeline.UNSEEN, timeline.UNKNOWN, driver.START, driver.SILENT}
    reasons |= {control.NO_FEED, control.SILENT, control.DISTRUST, control.SETTINGS}
    sentence = re.search(r"^`why` is(.*?)\. Many", table, re.M | re.S)[1]
    assert set(re.findall(r"`(\w+)`", sentence)) == reasons
    from wool_station.mqtt.messages import HEALTH, KEPT, STATE

    topics = GUIDE[GUIDE.index("## MQTT") :]
    rows = re.findall(r"^\| (`.*?) \|", topics, re.M)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == {"alarm", "start", *KEPT, STATE, HEALTH}


def test_the_guide_has_every_setting_of_the_gate():
    options = {"--distance_mm", "--width_mm", "--lead_mm", "--hold_mm", "--lane", "--timeout_ms", "--gpio", "--modbus"}
    options |= {"--active_low", "--heartbeat_gpio", "--coil", "--dry_run", "--draw"}
    assert all(option in GUIDE for option in options)
