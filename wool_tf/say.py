"""Telling of steps that usually take no time."""

import time
from collections.abc import Callable


class NowAndThen:
    """Says every few seconds how far something is, if it takes that long."""

    SECONDS = 5.0

    def __init__(self, say: Callable[[str], None], what: str):
        self.say, self.what, self.next = say, what, time.monotonic() + self.SECONDS

    def __call__(self, done: int, size: int) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + self.SECONDS
            self.say(f"{self.what} {done:,} of {size:,}")
