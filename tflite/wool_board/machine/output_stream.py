"""Text to the standard output, whoever takes it: a slow reader, a full disk, a pipe that does not block, or nobody.

Writing never blocks. What is not taken waits here, up to a limit; after that, and if nothing at all is taken for too
long, the output counts as broken, which is one line and status 1.
"""

import collections
import errno
import os
import select
import time
from collections.abc import Callable

from wool_board.errors import WoolError

PIECE = select.PIPE_BUF
"""Bytes that are written at once: of a pipe that has room at all, so many never block."""

MOST = 8 << 20
"""Bytes that may wait."""

PATIENCE = 10.0
"""Seconds for which nothing may be taken."""

POLL_SECONDS = 0.1
LATER = (errno.EAGAIN, errno.ENOSPC, errno.EDQUOT)
"""Errors that may pass: no room in a pipe, or on a disk."""


class OutputStream:
    """An open file descriptor that text is written to, as UTF-8.

    Arguments:
        descriptor: its number.
        waits: whether to wait for whoever reads, as long as it takes; else what is not taken waits here.
        is_stopped: whether to wait no longer.

    Attributes:
        waiting: bytes that were not taken yet.
    """

    def __init__(self, descriptor: int, waits: bool, is_stopped: Callable[[], bool] = lambda: False):
        self.waiting = 0
        descriptor = _unblocked(descriptor)
        self._descriptor, self._waits, self._is_stopped = descriptor, waits, is_stopped
        self._pieces: collections.deque[bytes] = collections.deque()
        self._taken = time.monotonic()
        self._trouble = "nothing is taken"
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, text: str) -> None:
        """Adds text; nothing is written before `flush`."""
        content = text.encode(errors="surrogateescape")
        if not self.waiting:
            self._taken = time.monotonic()
        self._pieces.append(content)
        self.waiting += len(content)

    def flush(self) -> None:
        """Writes what is taken now; all of it if this stream waits.

        Raises:
            WoolError: nobody takes it, or nothing was taken for too long.
        """
        self._push()
        while self._waits and self.waiting and not self._is_stopped():
            if self._trouble in (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)):
                self._fail()
            self._poll.poll(1e3 * POLL_SECONDS)
            self._push()
        silent = time.monotonic() - self._taken
        if not self._waits and self.waiting and (silent > PATIENCE or self.waiting > MOST):
            self._fail()

    def finish(self, seconds: float) -> None:
        """Writes all of it, within so many seconds.

        Raises:
            WoolError: it is not taken.
        """
        end = time.monotonic() + seconds
        self._push()
        while self.waiting and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
            self._push()
        if self.waiting:
            self._fail()

    def _fail(self) -> None:
        raise WoolError(f"standard output: cannot be written ({self._trouble})")

    def _push(self) -> None:
        """Writes until nothing is left, or nothing is taken."""
        while self.waiting and self._poll.poll(0):
            content = self._joined()
            try:
                count = os.write(self._descriptor, content[:PIECE])
            except OSError as error:
                self._trouble = os.strerror(error.errno or 0)
                if error.errno in LATER:
                    return
                raise WoolError(f"standard output: cannot be written ({self._trouble})") from None
            self._pieces[0] = content[count:]
            self.waiting -= count
            self._taken, self._trouble = time.monotonic(), "nothing is taken"

    def _joined(self) -> bytes:
        """What waits first, enough for a piece if there is as much."""
        content = self._pieces.popleft()
        while len(content) < PIECE and self._pieces:
            content += self._pieces.popleft()
        self._pieces.appendleft(content)
        return content


def _unblocked(descriptor: int) -> int:
    """What to write to so that no write blocks: a terminal says that it has room as long as it has any."""
    if os.isatty(descriptor):
        try:
            # Opened anew, for whoever else has the terminal is to find it as it was.
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            # Without /proc, or not ours.
            pass
    return descriptor
