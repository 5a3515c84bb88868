"""Cores that a process may use, and threads within them."""

import os

from wool_board.errors import BadSetting


def usable() -> int:
    """Cores that this process may use: fewer than the machine has, where a service or a container is given some."""
    return len(os.sched_getaffinity(0))


def check_threads(threads: int) -> None:
    """Raises BadSetting for fewer threads than one, or more than there are cores for."""
    if not 1 <= threads <= usable():
        raise BadSetting("threads", threads, f"must be 1 to {usable()}, the cores of this machine")
