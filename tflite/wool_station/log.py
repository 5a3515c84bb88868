"""What a program of the station says: JSON Lines on the standard output, which never hold it up."""

import json
import sys
import time

from wool_board.errors import WoolError
from wool_board.machine.outlet import Outlet

MUCH = 1 << 18
"""Bytes that wait, from which on lines are left out."""


class Log:
    """Says what happens, as long as somebody listens.

    Attributes:
        untold: lines that were left out.
    """

    def __init__(self) -> None:
        self.untold = 0
        self._outlet: Outlet | None = Outlet(sys.stdout.fileno(), waits=False)

    def tell(self, event: str, **fields: object) -> None:
        """A line with the fields of an event, which must be what JSON can hold."""
        if not self._outlet or self._outlet.waiting > MUCH:
            self.untold += 1
            return
        self._outlet.write(json.dumps({"event": event, "time": round(time.time(), 3), **fields}) + "\n")
        self.push()

    def push(self) -> None:
        """Writes what is taken now."""
        try:
            if self._outlet:
                self._outlet.flush()
        except WoolError:
            # It goes on though nobody listens.
            self._outlet = None

    def finish(self, seconds: float) -> None:
        """Writes the rest within so many seconds."""
        try:
            if self._outlet:
                self._outlet.finish(seconds)
        except WoolError:
            self._outlet = None
