"""What the systemd unit of a program of the board says of when and how the program is run."""

import os
import re
from pathlib import Path


class Service:
    """A unit.

    Arguments:
        unit: its file.

    Attributes:
        restart_seconds: how long systemd waits before it starts the program anew.
    """

    def __init__(self, unit: Path):
        self._text = unit.read_text()
        self.restart_seconds = float(self._said("RestartSec") or 0)

    @classmethod
    def named(cls, board: Path, name: str) -> "Service":
        """The unit of a program by its name, such as `gate`, in the folder of the board's programs."""
        return cls(board / f"wool-{name}.service")

    def schedule(self, process: int) -> bool:
        """Gives a process that has just begun the CPU priority of the unit; returns whether this user may."""
        nice, policy, priority = map(self._said, ("Nice", "CPUSchedulingPolicy", "CPUSchedulingPriority"))
        assert policy in (None, "rr")
        try:
            if nice:
                os.setpriority(os.PRIO_PROCESS, process, int(nice))
            if policy:
                os.sched_setscheduler(process, os.SCHED_RR, os.sched_param(int(priority or 1)))
        except PermissionError:
            return False
        except ProcessLookupError:
            # Whoever waits for it will say how it ended.
            pass
        return True

    def _said(self, name: str) -> str | None:
        found = re.search(rf"^{name}=(\S+)$", self._text, re.MULTILINE)
        return found[1] if found else None
