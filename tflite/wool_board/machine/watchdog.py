"""Word to systemd that this program works, so that one that hangs is started anew.

Each word is a datagram to the socket that systemd names: https://www.freedesktop.org/software/systemd/man/sd_notify.html
"""

import contextlib
import os
import socket
import time

PER_LIMIT = 4
"""Signs of life within the time after which systemd takes a program for dead."""


class Watchdog:
    """Tells the service manager of this program, where it has one, how it is."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # A name of Linux's own, which is in no folder, is written with an @ and begins with a zero byte.
        self._address = address.replace("@", "\0", 1) if address.startswith("@") else address
        limit = os.environ.get("WATCHDOG_USEC", "")
        self._seconds = int(limit) / 1e6 / PER_LIMIT if limit.isdecimal() else None
        self._told = time.monotonic()

    def ready(self) -> None:
        """Says that the program has begun its work."""
        self._tell("READY=1")

    def alive(self) -> None:
        """Gives a sign of life, if it is time for one."""
        if self._seconds is not None and time.monotonic() - self._told >= self._seconds:
            self._told = time.monotonic()
            self._tell("WATCHDOG=1")

    def _tell(self, word: str) -> None:
        # A manager that does not hear ends the program itself.
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.setblocking(False)
                manager.sendto(word.encode(), self._address)
