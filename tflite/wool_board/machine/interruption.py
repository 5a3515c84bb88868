"""Ctrl-C and SIGTERM, which end a program where that does no harm."""

import signal
import time
from types import FrameType


class Interruption:
    """Ctrl-C and SIGTERM: they end a program between two pieces of work, so that each is finished or not begun."""

    def __init__(self) -> None:
        self.asked, self._idle = False, True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        if self._idle:
            raise KeyboardInterrupt

    def work(self) -> None:
        """From now on, only `check` and `sleep` are interrupted."""
        self._idle = False

    def check(self) -> None:
        """Raises KeyboardInterrupt if the end is asked for."""
        if self.asked:
            raise KeyboardInterrupt

    def sleep(self, seconds: float) -> None:
        """Sleeps; raises KeyboardInterrupt as soon as the end is asked for."""
        self._idle = True
        self.check()
        time.sleep(seconds)
        self._idle = False
