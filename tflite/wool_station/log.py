"""What a program of the station says: JSON Lines on the standard output, which never hold it up."""

import json
import sys
import time

from wool_board.errors import WoolError
from wool_board.machine.output_stream import OutputStream

MUCH = 1 << 18
"""Bytes that wait, from which on lines are left out."""


class Log:
    """Says what happens, as long as somebody listens.

    Attributes:
        untold: lines that were left out.
    """

    def __init__(self) -> None:
        self.untold = 0
        self._stream: OutputStream | None = OutputStream(sys.stdout.fileno(), waits=False)

    def tell(self, event: str, **fields: object) -> None:
        """A line with the fields of an event, which must be what JSON can hold."""
        if not self._stream or self._stream.waiting > MUCH:
            self.untold += 1
            return
        self._stream.write(json.dumps({"event": event, "time": round(time.time(), 3), **fields}) + "\n")
        self.push()

    def push(self) -> None:
        """Writes what is taken now."""
        try:
            if self._stream:
                self._stream.flush()
        except WoolError:
            # It goes on without a listener.
            self._stream = None

    def finish(self, seconds: float) -> None:
        """Writes the rest within so many seconds."""
        try:
            if self._stream:
                self._stream.finish(seconds)
        except WoolError:
            self._stream = None
