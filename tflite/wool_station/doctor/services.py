"""Checks of services, files and their rights, and of what gate and MQTT speak to."""

import contextlib
import grp
import importlib.util
import os
import pwd
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from wool_station.doctor.finding import Finding
from wool_station.gate.program import GateOptions
from wool_station.mqtt.program import MqttOptions

USER = "wool"
CONNECT_SECONDS = 3
RUNNING = Path("/run/systemd/system")
PACKAGE = "wool-station"


def services(units: list[str]) -> Iterator[Finding]:
    """Whether each unit runs, and starts with the board."""
    if not RUNNING.is_dir():
        yield Finding("services", "systemd does not run here, so no service does", "start the board with systemd")
        return
    for unit in units:
        states = [_said("systemctl", word, f"wool-{unit}") for word in ("is-active", "is-enabled")]
        why = f"journalctl --namespace=wool -u wool-{unit} -n 5 says why it ended"
        advice = "" if states == ["active", "enabled"] else f"sudo systemctl enable --now wool-{unit}; {why}"
        yield Finding("service", f"wool-{unit} is {states[0] or 'unknown'} and {states[1] or 'unknown'}", advice)


def installed() -> Iterator[Finding]:
    """Whether the files of the package are as they were installed."""
    version = _said("dpkg-query", "--show", "--showformat=${Version}", PACKAGE) if shutil.which("dpkg-query") else ""
    if not version:
        yield Finding("package", "was not installed as a package")
        return
    changed = [line.split()[-1] for line in _said("dpkg", "--verify", PACKAGE).splitlines()]
    if changed:
        yield Finding(
            "package", f"{version}: {len(changed)} files are not as installed, such as {changed[0]}", "install it anew"
        )
    else:
        yield Finding("package", f"{version}, all files as installed")


def permissions(readable: list[Path], secret: list[Path], programs: Path) -> Iterator[Finding]:
    """Whether the services' user can read what it must, and change nothing that it must not.

    Arguments:
        readable: files that the services read.
        secret: those of them that others may not read.
        programs: folder that only root may write to.
    """
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        yield Finding(
            "permissions", f"there is no user {USER}", "install the package, or sudo systemd-sysusers wool.conf"
        )
        return
    groups = {user.pw_gid, *(group.gr_gid for group in grp.getgrall() if USER in group.gr_mem)}
    wrong = []
    for path in readable:
        with contextlib.suppress(OSError):
            if not _allows(path.stat(), user.pw_uid, groups, 4):
                wrong.append((f"{USER} cannot read {path}", f"sudo chgrp {USER} {path}; sudo chmod 640 {path}"))
    for path in secret:
        with contextlib.suppress(OSError):
            if path.stat().st_mode & 0o007:
                wrong.append((f"everybody can read {path}", f"sudo chgrp {USER} {path}; sudo chmod 640 {path}"))
    for path in (programs, *(one.parent for one in readable if one.is_relative_to(programs))):
        if path.exists() and _allows(path.stat(), user.pw_uid, groups, 2):
            wrong.append((f"{USER} can change {path}", f"sudo chown -R root:root {path}; sudo chmod go-w {path}"))
    yield from (Finding("permissions", *one) for one in wrong)
    if not wrong:
        yield Finding("permissions", f"{USER} reads what it must, and can change neither programs nor models")


def _allows(about: os.stat_result, user: int, groups: set[int], right: int) -> bool:
    shift = 6 if about.st_uid == user else 3 if about.st_gid in groups else 0
    return bool(about.st_mode >> shift & right)


def lines(path: str) -> Finding:
    """Whether there is a FIFO for the detector's lines."""
    try:
        about = os.stat(path)
    except OSError as error:
        return Finding(
            "lines", f"{path}: {error.strerror}", "sudo systemd-tmpfiles --create wool.conf, or correct INPUT="
        )
    if stat.S_ISDIR(about.st_mode):
        return Finding("lines", f"{path} is a folder", "correct INPUT=")
    if stat.S_ISFIFO(about.st_mode) and about.st_gid != _group():
        return Finding("lines", f"{path} is not of the group {USER}", f"sudo chgrp {USER} {path}")
    return Finding("lines", f"come through {path}")


def _group() -> int | None:
    """Number of the services' group, if there is one."""
    try:
        return grp.getgrnam(USER).gr_gid
    except KeyError:
        return None


def gate(options: GateOptions, latency_mm: float) -> Iterator[Finding]:
    """Whether the gate is far enough, and can be moved."""
    least = latency_mm + options.lead_mm
    if options.distance_mm < least:
        text = f"`distance_mm`={options.distance_mm:g} is below `latency_mm` and `lead_mm` together, {least:g}"
        yield Finding("gate", text, "rejects may be told too late: lower `latency_mm`, or move the gate")
    if options.modbus:
        yield _reachable("gate", "the coupler", options.modbus)
    elif options.gpio:
        yield _pins(options)
    else:
        yield Finding("gate", "is a dry run and moves nothing", "give `gpio` or `modbus` in GATE_OPTIONS")


def _pins(options: GateOptions) -> Finding:
    if importlib.util.find_spec("lgpio") is None:
        return Finding("gate", "lgpio is not installed", "sudo apt install python3-lgpio")
    if not list(Path("/dev").glob("gpiochip*")):
        return Finding("gate", "this machine has no pins (/dev/gpiochip*)", "is this a board?")
    if options.heartbeat_gpio is None:
        return Finding("gate", "no relay watches it", "give `heartbeat_gpio` and wire it (docs/gate.md)")
    return Finding("gate", f"pins {', '.join(map(str, options.gpio or ()))} are there")


def broker(options: MqttOptions) -> Finding:
    """Whether something listens where the broker should be."""
    return _reachable("mqtt", "the broker", options.address)


def _reachable(name: str, what: str, address: tuple[str, int]) -> Finding:
    place = f"{address[0]}:{address[1]}"
    try:
        socket.create_connection(address, CONNECT_SECONDS).close()
    except OSError as error:
        return Finding(
            name, f"{what} at {place} cannot be reached ({error.strerror or error})", "see to network and address"
        )
    return Finding(name, f"{what} at {place} answers")


def _said(*command: str) -> str:
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return ""
