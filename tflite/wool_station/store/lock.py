"""A store has one recorder at a time, and others can see whether it has one."""

import fcntl
import os
import time
from pathlib import Path

from wool_board.errors import Unusable

FILE = "lock"
WAIT_SECONDS, LOOK_SECONDS = 1.0, 0.05
"""For which a recorder tries to get the lock, for `is_taken` holds it for a moment, and from one try to the next."""


def take(folder: Path) -> int:
    """Takes a store's folder for this process, until the descriptor that this returns is closed.

    Raises:
        WoolError: another recorder has it.
        OSError: there can be no lock in the folder.
    """
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    end = time.monotonic() + WAIT_SECONDS
    while not _is_got(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > end:
            os.close(descriptor)
            rule = "another recorder writes there; end it, or give another folder"
            raise Unusable("store", folder, rule) from None
        time.sleep(LOOK_SECONDS)
    return descriptor


def is_taken(folder: Path) -> bool:
    """Whether a recorder has a store's folder now.

    Raises:
        OSError: the lock cannot be looked at.
    """
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _is_got(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _is_got(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
