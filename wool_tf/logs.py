"""What the library tells of its steps goes to the loggers of its modules; scripts show it, other programs may not."""

import logging
import time


class ProgressLog:
    """Logs every few seconds how far something is, if it takes that long."""

    SECONDS = 5.0

    def __init__(self, log: logging.Logger, what: str):
        self.log, self.what, self.next = log, what, time.monotonic() + self.SECONDS

    def __call__(self, done: int, size: int) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + self.SECONDS
            self.log.info(f"{self.what} {done:,} of {size:,}")
