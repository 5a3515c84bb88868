"""The services of the package under a systemd that runs, in a Debian 12 that is started by it."""

import csv
import os
import re
import shutil
import sys
from pathlib import Path

import debian
import numpy as np
import pytest
from debian import newer, until
from PIL import Image

from checkout import ROOT

STARTED = ("wool-inspect", "wool-record", "wool-page", "wool-gate")
DRY_GATE = "GATE_OPTIONS=--distance_mm=1500 --width_mm=100 --lead_mm=50 --hold_mm=20 --dry_run"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("systemd-nspawn"), reason="needs systemd-nspawn (package systemd-container)"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with what BUILD.md takes to a board: model, references, crops with their scores, and lines."""
    folder = tmp_path_factory.mktemp("board")

    def script(name: str, *options: str):
        debian.run(sys.executable, ROOT / name, *options)

    script("experiments/simulate_scans.py", f"--out={folder}/scans", "--samples=6", "--contrast=2")
    script("experiments/crop_scans.py", f"--scans={folder}/scans", f"--out={folder}/crops")
    network = ROOT / "wool_tf/networks/simulated64.safetensors"
    script(
        "experiments/convert.py",
        f"--network={network}",
        f"--data={folder}/crops",
        "--precisions=int8",
        f"--out={folder}",
    )
    (folder / "check").mkdir()
    with (folder / "crops/manifest.csv").open() as table:
        for row in list(csv.DictReader(table))[:4]:
            shutil.copy(folder / "crops" / row["path"], folder / "check")
    (model,) = folder.glob("*int8*.tflite")
    model.rename(folder / "model.tflite")
    judged = debian.run(sys.executable, ROOT / "tflite/classify.py", "--csv", folder / "model.tflite", folder / "check")
    (folder / "expected.csv").write_text(judged.stdout)
    scans = sorted((folder / "scans/scans").glob("*.png"))[:4]
    (folder / "lines.raw").write_bytes(b"".join(np.asarray(Image.open(scan)).astype("<u2").tobytes() for scan in scans))
    return folder


def set_up(board, package: Path, made: Path) -> None:
    """As BUILD.md says."""
    home = board.tree / "root/board"
    shutil.copytree(made, home, ignore=shutil.ignore_patterns("scans", "crops"))
    shutil.copy(package, home / "wool-station.deb")
    board.run("dpkg", "-i", "/root/board/wool-station.deb")
    board.run("install", "-m", "644", "/root/board/model.tflite", "/opt/wool/models/first.tflite")
    board.run("ln", "-s", "first.tflite", "/opt/wool/models/current.tflite")
    scored = board.run("wool-classify", "--csv", "/opt/wool/models/current.tflite", "/root/board/check").stdout
    names = [re.sub(r"^[^,]*/", "", line) for line in scored.splitlines()]
    assert names == [re.sub(r"^[^,]*/", "", line) for line in (made / "expected.csv").read_text().splitlines()]
    for name in ("dark", "bright"):
        shutil.copy(made / "scans" / f"{name}.png", board.tree / "opt/wool/references")
        (board.tree / "opt/wool/references" / f"{name}.png").chmod(0o644)
    settings = board.tree / "etc/wool/station.conf"
    settings.write_text(re.sub(r"^GATE_OPTIONS=$", DRY_GATE, settings.read_text(), flags=re.M))
    board.run("systemctl", "enable", "--now", *STARTED)


def property_of(board, unit: str, name: str) -> str:
    return board.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()


def active(board) -> bool:
    return all(property_of(board, unit, "ActiveState") == "active" for unit in STARTED)


def wrong(board) -> set[str]:
    """What the doctor has against the board, less what a machine without a clock, lines or a gate cannot have."""
    told = board.run("wool-station", "doctor", check=False).stdout
    found = set(re.findall(r"^NOT OK +(\w+)", told, re.M))
    return found - {"clock", "alarms", "gate"}


def rejects(board) -> int:
    """That the inspection told."""
    journal = board.run("journalctl", "--namespace=wool", "-u", "wool-inspect", "-o", "cat", "--no-pager", check=False)
    return journal.stdout.count('"event": "reject"')


def send(board) -> None:
    """The lines, to whom reads them, eight times as fast as a belt at 1 m/s."""
    board.run("python3", "-c", (
        "import time\n"
        "lines = open('/root/board/lines.raw', 'rb').read()\n"
        "with open('/run/wool/lines', 'wb', buffering=0) as out:\n"
        "    for start in range(0, len(lines), 160000):\n"
        "        out.write(lines[start : start + 160000]); time.sleep(0.0125)\n"
    ))  # fmt: skip


def test_a_board_under_systemd_from_the_first_installation_to_nothing(board, package, made, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, to start a system")
    with board.booted():
        set_up(board, package, made)
        until(lambda: active(board))
        assert wrong(board) == set()
        send(board)
        until(lambda: rejects(board) > 0)

        before = {unit: property_of(board, unit, "MainPID") for unit in STARTED}
        for unit in STARTED:
            board.run("systemctl", "kill", "-s", "KILL", unit)
        until(lambda: active(board) and all(property_of(board, unit, "NRestarts") == "1" for unit in STARTED))
        assert wrong(board) == set()

        shutil.copy(newer(package, tmp_path), board.tree / "root/newer.deb")
        board.run("dpkg", "-i", "/root/newer.deb")
        until(lambda: active(board))
        after = {unit: property_of(board, unit, "MainPID") for unit in STARTED}
        assert not set(before.values()) & set(after.values())
        kept = (board.tree / "var/lib/wool-station/station.sqlite").exists()

    with board.booted():
        until(lambda: active(board))
        assert kept and wrong(board) == set()
        board.run("dpkg", "-r", "wool-station")
        left = board.run("systemctl", "list-units", "--all", "--no-legend", "--no-pager", "wool-*").stdout
        assert left == "" and (board.tree / "opt/wool/models/first.tflite").exists()
        board.run("dpkg", "-P", "wool-station")
        assert board.run("systemctl", "--failed", "--no-legend", "--no-pager").stdout.count("wool") == 0
        assert board.named_wool() == set()
