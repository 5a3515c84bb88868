"""The unit of the inspection, the settings it comes with and what the documents say, against the programs."""

import configparser
import re
import shlex
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest

import inspect_line
from checkout import ROOT, environment
from wool_board.exit_status import INTERRUPTED

UNIT = ROOT / "tflite" / "wool-inspect.service"
GUIDE = (ROOT / "BUILD.md").read_text()
MANUAL = (ROOT / "docs" / "board.md").read_text()


@pytest.fixture(scope="module")
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    return parser


INSTALLED = ROOT / "installer" / "root"
"""What the package puts on a board, beside the programs."""


def settings() -> dict[str, str]:
    lines = (INSTALLED / "opt/wool/station.conf.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def command(unit: configparser.ConfigParser) -> list[str]:
    """The words of ExecStart, as systemd makes them of the settings that come with the package."""
    words = []
    for word in unit["Service"]["ExecStart"].split():
        value = string.Template(word).substitute(settings())
        # Of a word that is a variable without braces, systemd makes as many words as its value has.
        words += value.split() if re.fullmatch(r"\$\w+", word) else [value]
    return words


def test_systemd_knows_every_word_of_the_unit(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/wool/.venv/bin/python", sys.executable))
    finished = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stdout + finished.stderr) == (0, "")


def test_the_unit_starts_the_inspection_with_the_settings_that_come_with_it(unit):
    python, program, *arguments = command(unit)
    folder = unit["Service"]["WorkingDirectory"]
    assert python == f"{folder}/.venv/bin/python"
    assert program == "tflite/inspect_line.py"
    options = inspect_line.PROGRAM.parse(arguments)
    found = settings()
    assert [str(options.model), options.input] == [found["MODEL"], found["INPUT"]]
    assert [str(options.dark), str(options.bright)] == [found["DARK"], found["BRIGHT"]]
    assert options.reopen and not options.recorded
    assert str(options.state) == f"/var/lib/{unit['Service']['StateDirectory']}/state.json"
    assert str(options.feed) == f"/run/{unit['Service']['RuntimeDirectory']}/feed"
    given = dict(word.removeprefix("--").split("=") for word in shlex.split(found["INSPECT_OPTIONS"]))
    assert {name: getattr(options, name) for name in given} == {
        "width": 640,
        "type": "uint16le",
        "lines_per_second": 1250,
        "latency_mm": 1200,
        "threads": 2,
    }


def test_ends_that_are_wanted_are_no_failures_and_hopeless_ones_not_tried_again(unit):
    service = unit["Service"]
    assert service["SuccessExitStatus"] == str(INTERRUPTED)
    with pytest.raises(SystemExit) as raised:
        inspect_line.PROGRAM.parse(["--nonsense"])
    assert service["RestartPreventExitStatus"] == str(raised.value.code)
    assert service["Restart"] == "always"
    # A program or a package that is missing may come back.
    missing = subprocess.run([sys.executable, "no-such-program.py"], capture_output=True, check=False).returncode
    no_package = subprocess.run([sys.executable, "-c", "import no_such"], capture_output=True, check=False).returncode
    assert str(raised.value.code) not in {str(missing), str(no_package), "1"}


def test_the_unit_listens_to_the_signs_of_life_and_leaves_time_for_them(unit):
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert re.search(rf"no\s+sign\s+of\s+life\s+for\s+{service['WatchdogSec']}\s+seconds", MANUAL)
    assert "AF_UNIX" in service["RestrictAddressFamilies"].split()


def test_the_package_brings_the_user_the_files_and_the_folders_that_the_unit_needs(unit):
    service, rules = unit["Service"], INSTALLED / "usr/lib"
    user = (rules / "sysusers.d/wool.conf").read_text().splitlines()[-1].split()
    assert user[:3] == ["u", service["User"], "-"] and user[-1] == service["WorkingDirectory"]
    assert service["EnvironmentFile"] == "/etc/wool/station.conf"
    postinst = (ROOT / "installer/DEBIAN/postinst").read_text()
    assert f"install -m 644 /opt/wool/station.conf.example {service['EnvironmentFile']}" in postinst
    assert (rules / f"systemd/journald@{service['LogNamespace']}.conf.d").is_dir()
    fifo = settings()["INPUT"]
    places = [line.split() for line in (rules / "tmpfiles.d/wool.conf").read_text().splitlines()]
    assert ["d", str(Path(fifo).parent), "0750", "wool", "wool"] in places
    assert ["p", fifo, "0620", "wool", "wool"] in places


def test_the_guide_explains_every_alarm():
    given = set()
    for module in (ROOT / "tflite").rglob("*.py"):
        given |= set(re.findall(r"alarms\.(?:once|set)\(\s*\"(\w+)\"", module.read_text()))
    explained = set(re.findall(r"^\| `(\w+)` \|", MANUAL[MANUAL.index("### Alarms") :], re.M))
    assert given and explained == given


def test_the_guide_explains_every_event():
    told = set()
    for module in (ROOT / "tflite").rglob("*.py"):
        told |= set(re.findall(r"(?:events\.tell|self\._write)\(\s*\"(\w+)\"", module.read_text()))
    begin, end = MANUAL.index("## Events"), MANUAL.index("## A microcontroller")
    assert told and set(re.findall(r"^\| `(\w+)` \|", MANUAL[begin:end], re.M)) == told


def test_every_program_and_option_in_the_guide_exists():
    commands = "\n".join(re.findall(r"^    .*", (GUIDE + MANUAL).replace("\\\n", " "), re.M))
    # On a board, programs are called by the names that the package gives them.
    commands = re.sub(r"\bwool-(classify|benchmark) ", r"tflite/\1.py ", commands)
    used = re.findall(r"(tflite|experiments)/(\w+\.py)([^|>)\n]*)", commands)
    assert len(used) > 5
    for folder, program, rest in used:
        path = ROOT / folder / program
        assert path.is_file()
        command = [sys.executable, path, "--help"]
        helped = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False).stdout
        for option in re.findall(r"--(\w+)", rest):
            assert re.search(rf"--(\[no\])?{option}\b", helped), f"{program} --{option}"
