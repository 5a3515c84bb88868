"""The systemd units of memory and page, and docs/station.md, against the programs that they are about."""

import configparser
import re
import shutil
import subprocess
import sys

import pytest

import station
from checkout import PROGRAMS, ROOT
from wool_board.exit_status import INTERRUPTED, WRONG_USAGE
from wool_station.store import recorder_alarms

MANUAL = (ROOT / "docs" / "station.md").read_text()
UNITS = {"record": PROGRAMS / "wool-record.service", "serve": PROGRAMS / "wool-page.service"}
INSPECTION = (PROGRAMS / "wool-inspect.service").read_text()


def service(command: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=False)
    parser.optionxform = str
    parser.read_string(UNITS[command].read_text())
    return parser["Service"]


def settings() -> dict[str, str]:
    """What the document would have in /etc/wool/station.conf."""
    return dict(re.findall(r"^    (\w+_OPTIONS)=(.*)$", MANUAL, re.M))


@pytest.mark.parametrize("command", UNITS)
def test_a_unit_starts_its_program_with_and_without_the_settings_of_the_document(command):
    about = service(command)
    python, program, *words = about["ExecStart"].split()
    assert (python, program) == ("/opt/wool/.venv/bin/python", "tflite/station.py")
    name = f"${command.upper()}_OPTIONS"
    assert words[0] == command and words[-1] == name
    for options in ("", settings()[name[1:]]):
        found = station.parse([*words[:-1], *options.split()])
        assert str(found.store) == f"/var/lib/{about['StateDirectory']}"
        assert f"--feed={found.feed} " in INSPECTION
        assert f"RuntimeDirectory={found.feed.parent.name}\n" in INSPECTION


@pytest.mark.parametrize("command", UNITS)
def test_a_unit_knows_the_ends_of_its_program_and_listens_to_its_signs_of_life(command):
    about = service(command)
    assert about["SuccessExitStatus"] == str(INTERRUPTED) and about["RestartPreventExitStatus"] == str(WRONG_USAGE)
    assert about["Type"] == "notify" and int(about["WatchdogSec"]) >= 30
    assert "AF_UNIX" in about["RestrictAddressFamilies"].split()
    assert about["User"] == "wool" and about["EnvironmentFile"].lstrip("-") == "/etc/wool/station.conf"


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_systemd_knows_every_word_of_a_unit(unit, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/wool/.venv/bin/python", sys.executable))
    finished = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stdout + finished.stderr) == (0, "")


def test_the_document_explains_every_alarm_of_the_recorder():
    given = set()
    for name in ("recorder.py", "program.py", "store.py"):
        text = (PROGRAMS / "wool_station" / "store" / name).read_text()
        given |= set(re.findall(r"self\.tell\(\s*\"(\w+)\"|recorder\.tell\(\s*\"(\w+)\"|\"alarm\": \"(\w+)\"", text))
    # Those of the watch and of test pieces have tables of their own.
    elsewhere = {*recorder_alarms.WATCHED, recorder_alarms.CHALLENGE_FAILED, recorder_alarms.CHALLENGE_OVERDUE}
    names = {name for found in given for name in found if name} | set(recorder_alarms.NAMES) - elsewhere
    table = MANUAL[MANUAL.index("| recorder's alarm") : MANUAL.index("## The live page")]
    assert names and set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == names


def test_the_document_names_every_request():
    from wool_station.page import app

    routes = re.findall(r"Route\(\"(/api/\w+)", (PROGRAMS / "wool_station" / "page" / "app.py").read_text())
    assert app and set(routes) - {"/api/login", "/api/logout"} == set(re.findall(r"`(?:GET|POST) (/api/\w+)", MANUAL))
