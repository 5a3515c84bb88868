"""The package of a board in a clean Debian 12: installed, looked at by the doctor, upgraded, removed, purged."""

import re
import shutil

import pytest
from debian import newer

UNITS = ("inspect", "record", "page", "gate", "mqtt")

pytestmark = pytest.mark.slow


def test_from_the_first_installation_to_nothing(board, package, tmp_path):
    with board.mounted():
        _whole_life(board, package, tmp_path)


def _whole_life(board, package, tmp_path):
    shutil.copy(package, board.tree / "root/first.deb")
    board.run("dpkg", "-i", "/root/first.deb")
    assert board.run("dpkg", "--verify", "wool-station").stdout == ""
    assert board.run("systemd-analyze", "verify", "--man=no", *(f"wool-{unit}.service" for unit in UNITS)).stderr == ""
    for program in ("wool-station", "wool-classify", "wool-benchmark", "wool-inspect", "wool-gate", "wool-mqtt"):
        assert board.run(program, "--help").stdout.startswith("usage:")
    modules = "ai_edge_litert.interpreter, gpiozero, jinja2, paho.mqtt.client, PIL, pymodbus.client, starlette, uvicorn"
    board.run("/opt/wool/.venv/bin/python", "-B", "-c", f"import {modules}")

    said = board.run("wool-station", "doctor", check=False)
    assert said.returncode == 1 and "Traceback" not in said.stderr
    assert re.search(r"^NOT OK +model +models/current.tflite", said.stdout, re.M)
    assert re.search(r"^ok +package", said.stdout, re.M) and re.search(r"^ok +permissions", said.stdout, re.M)

    board.run("systemctl", "enable", "wool-inspect")
    data = {"opt/wool/models/mine.tflite": "model", "etc/wool/station.conf": "MODEL=models/mine.tflite\n"}
    data |= {"var/lib/wool-station/mine.db": "records"}
    for name, content in data.items():
        (board.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (board.tree / name).write_text(content)
    shutil.copy(newer(package, tmp_path), board.tree / "root/newer.deb")
    board.run("dpkg", "-i", "/root/newer.deb")
    assert (board.tree / "opt/wool/tflite/new.txt").exists()
    assert (board.tree / "etc/systemd/system/multi-user.target.wants/wool-inspect.service").is_symlink()
    assert {name: (board.tree / name).read_text() for name in data} == data

    board.run("dpkg", "-r", "wool-station")
    assert {name: (board.tree / name).read_text() for name in data} == data
    folders = {"/opt/wool", "/opt/wool/models", "/opt/wool/references", "/etc/wool", "/var/lib/wool-station"}
    files = {path for path in board.named_wool() if path not in folders}
    assert files == {path for path in files if path.removeprefix("/") in data}

    board.run("dpkg", "-P", "wool-station")
    assert board.named_wool() == set()
    assert "wool" not in (board.tree / "etc/passwd").read_text() + (board.tree / "etc/group").read_text()
