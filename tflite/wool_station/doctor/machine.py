"""Checks of the machine: clock, CPU, heat and disk."""

import ctypes
import shutil
from collections.abc import Iterator
from pathlib import Path

from wool_board.machine import board
from wool_station.doctor.finding import Finding

UNSYNCHRONISED = 5
"""What adjtimex() says of a clock that nothing sets (TIME_ERROR)."""

TIMEX_BYTES = 512
"""More than its structure takes on any machine."""

LEAST_FREE = 500_000_000
"""Bytes that must be free on a disk that is written to."""


def check(stores: list[Path]) -> Iterator[Finding]:
    """Findings about this machine.

    Arguments:
        stores: folders that services write to.
    """
    yield clock(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    yield governor(board.describe().governor)
    yield throttling(board.throttled())
    yield temperature(board.temperature())
    for folder in stores:
        yield disk(folder)


def clock(state: int) -> Finding:
    """Whether something sets the clock; `state` is what adjtimex() returned."""
    if state == UNSYNCHRONISED:
        advice = "name a time server in /etc/systemd/timesyncd.conf.d/wool.conf (docs/board.md), see timedatectl"
        return Finding("clock", "is not synchronised", advice)
    return Finding("clock", "is synchronised")


def governor(name: str | None) -> Finding:
    """Whether the CPU's clock stays as it is; None where there is no governor."""
    if name is None:
        return Finding("governor", "this machine has none")
    if name != "performance":
        return Finding("governor", f"is {name}", "sudo systemd-tmpfiles --create wool.conf makes it performance")
    return Finding("governor", "is performance")


def throttling(bits: int | None) -> Finding:
    """Whether the firmware of a Raspberry Pi slows it down, or has; None on other machines."""
    if bits is None:
        return Finding("throttling", "this machine does not tell (no Raspberry Pi, or not in the group video)")
    found = [name for bit, name in enumerate(board.THROTTLING) if (bits | bits >> 16) >> bit & 1]
    if found:
        when = "now" if bits & board.NOW else "since the start"
        return Finding("throttling", f"{', '.join(found)} {when}", "see to the power supply and to cooling")
    return Finding("throttling", "none since the start")


def temperature(degrees: float | None) -> Finding:
    """Whether the CPU is about to be slowed down."""
    if degrees is None:
        return Finding("temperature", "this machine does not tell")
    advice = "" if degrees < board.HOT else f"must be below {board.HOT} °C; see to cooling"
    return Finding("temperature", f"{degrees:.0f} °C", advice)


def disk(folder: Path) -> Finding:
    """Whether there is room where a service writes."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LEAST_FREE:
        return Finding(
            "disk", text, f"must be {LEAST_FREE / 1e9:.1f} GB; delete what is not needed, or lower `budget_mb`"
        )
    return Finding("disk", text)
