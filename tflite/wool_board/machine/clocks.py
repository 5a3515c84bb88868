"""What time it is, and how far that is to be believed: a board without a battery wakes up in the past."""

import dataclasses
import time
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
"""The system's time service leaves it when it has set the clock. The kernel knows as well, but a service must not ask
it: that system call can also set the clock, and systemd's filters end whoever makes it."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """A point in time.

    Attributes:
        time: by the clock, in seconds since 1970.
        boot: what tells this start of the machine from all others; None if it is not known.
        uptime: seconds since that start, which nobody can set; those of sleep count.
        is_set: whether the clock is known to have been set since.
    """

    time: float
    boot: str | None = None
    uptime: float = 0.0
    is_set: bool = False


def now() -> Moment:
    """The present moment."""
    try:
        boot = BOOT.read_text().strip() or None
    except OSError:
        boot = None
    return Moment(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME), SYNCHRONISED.exists())
