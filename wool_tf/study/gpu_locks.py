"""One GPU for each process that trains, by locks on files."""

import fcntl
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from wool_tf import devices

PATIENCE_SECONDS = 20
"""Workers of a run that was killed notice it after a training step, and the first one may have to be compiled."""

_held: list[IO[str]] = []
"""Lock files of this process; the lock ends when its file is closed."""


def take(folder: Path) -> None:
    """Gives the calling process a GPU of its own for as long as it lives, where there are several.

    Must be called before anything looks for GPUs; a second call changes nothing. Processes beyond the number of GPUs
    wait for a while, and then share the last one.

    Arguments:
        folder: writable; processes of a machine that name the same one agree by locks in it, which end with their
            holder.
    """
    names = devices.visible()
    if len(names) < 2:
        return
    patience = time.monotonic() + PATIENCE_SECONDS
    while (free := _lock_one(names, folder)) is None and time.monotonic() < patience:
        time.sleep(0.5)
    os.environ[devices.VISIBLE] = free or names[-1]


def _lock_one(names: Sequence[str], folder: Path) -> str | None:
    """Locks the first GPU that no process holds; returns its name, or None where all are held."""
    for name in names:
        # Other machines of a cluster see the same folder, and have GPUs of the same names.
        path = folder / f".gpu-{platform.node()}-{name.replace('/', '-')}.lock"
        try:
            lock = open(path, "w")
        except OSError:
            # A folder that cannot be written ends the work with a message of its own.
            return name
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            _held.append(lock)
            return name
    return None
