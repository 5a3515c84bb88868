"""The package of a board in a clean Debian 12: installed, looked at by the doctor, upgraded, removed, purged."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT

UNITS = ("inspect", "record", "page", "gate", "mqtt")
NOT_LOOKED_AT = {"root", "proc", "dev", "sys"}
"""What the kernel shows, where processes come and go, and where this test puts its files."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for chroot"),
    pytest.mark.skipif(not shutil.which("debootstrap"), reason="needs debootstrap"),
]


def run(*command, check: bool = True) -> subprocess.CompletedProcess:
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert finished.returncode == 0 or not check, finished.stdout + finished.stderr
    return finished


class Board:
    """A tree of Debian with nothing but its base, Python and systemd (which does not run)."""

    def __init__(self, tree: Path):
        self.tree = tree

    def run(self, *command, check: bool = True) -> subprocess.CompletedProcess:
        return run("chroot", self.tree, *command, check=check)

    def named_wool(self) -> set[str]:
        """All there is whose name has the word, but for dpkg's own notes."""
        found = set()
        for folder, folders, files in os.walk(self.tree):
            here = Path(folder).relative_to(self.tree)
            if here == Path():
                folders[:] = set(folders) - NOT_LOOKED_AT
            found |= {f"/{here / name}" for name in (*folders, *files) if "wool" in name}
        return {path for path in found if "/dpkg/info/" not in path}


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    tree = tmp_path_factory.mktemp("debian") / "tree"
    run("debootstrap", "--variant=minbase", "--include=systemd,python3,udev", "bookworm", tree)
    for name in ("null", "urandom", "zero"):
        (tree / "dev" / name).unlink(missing_ok=True)
        run("cp", "-a", f"/dev/{name}", tree / "dev")
    run("mount", "-t", "proc", "proc", tree / "proc")
    yield Board(tree)
    run("umount", tree / "proc")


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("package")
    run(sys.executable, ROOT / "installer" / "build_package.py", "--arch=amd64", f"--out={out}")
    return next(out.glob("wool-station_*_amd64.deb"))


def newer(package: Path, folder: Path) -> Path:
    """The same package, with a higher version and one more file."""
    run("dpkg-deb", "-R", package, folder / "tree")
    control = folder / "tree/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 99.0", control.read_text(), flags=re.M))
    (folder / "tree/opt/wool/tflite/new.txt").write_text("new\n")
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder / "tree", folder / "newer.deb")
    return folder / "newer.deb"


def test_from_the_first_installation_to_nothing(board, package, tmp_path):
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
