"""Messages of the feed, and what of them waits for one reader: a bounded buffer that gives up what is least needed."""

import collections
import json
import struct

HEADER = struct.Struct("<II")
"""Lengths in bytes of the JSON and of the payload."""

BUFFER_BYTES = 4 << 20
"""What may wait for one reader."""

PASSED, DEFECTIVE, SPARE, VITAL = 0.25, 0.5, 0.75, 1.0
"""Share of its buffer that may be full for a message to be taken: pixels of passed and of defective tiles, events that
call for no action, and all others."""


def message(text: str, payload: bytes = b"") -> bytes:
    """A message of the feed."""
    content = text.encode()
    return HEADER.pack(len(content), len(payload)) + content + payload


class FeedBuffer:
    """What waits for a reader of the feed.

    Attributes:
        wants_pixels: whether it gets pixels.
        is_lost: whether something was left out that it cannot do without.
        waiting: bytes that were not taken yet.
    """

    def __init__(self) -> None:
        self.wants_pixels, self.is_lost, self.waiting = True, False, 0
        self._messages: collections.deque[bytes] = collections.deque()
        self._sent = 0
        """Bytes of the first message that were taken."""
        self._dropped = {"pixels": 0, "events": 0}
        self._ends_with_clock = False

    def offer(self, content: bytes, share: float) -> str | None:
        """Takes a message if there is room; returns what was left out, "pixels" or "events", or None."""
        if self.waiting + len(content) > share * BUFFER_BYTES:
            self.is_lost |= share == VITAL
            kind = "pixels" if share in (PASSED, DEFECTIVE) else "events"
            self._dropped[kind] += 1
            return kind
        if any(self._dropped.values()):
            self._append(message(json.dumps({"event": "dropped", **self._dropped})))
            self._dropped = dict.fromkeys(self._dropped, 0)
        self._append(content)
        return None

    def tick(self, content: bytes) -> str | None:
        """Takes a clock message, in the place of one that still waits at the end."""
        if self._ends_with_clock and len(self._messages) > 1 and not any(self._dropped.values()):
            self.waiting += len(content) - len(self._messages[-1])
            self._messages[-1] = content
            return None
        dropped = self.offer(content, VITAL)
        self._ends_with_clock = dropped is None
        return dropped

    def next(self) -> memoryview | None:
        """What to send next, or None."""
        return memoryview(self._messages[0])[self._sent :] if self._messages else None

    def taken(self, count: int) -> None:
        """So many bytes of `next` were taken."""
        self._sent += count
        self.waiting -= count
        if self._sent == len(self._messages[0]):
            self._messages.popleft()
            self._sent = 0

    def _append(self, content: bytes) -> None:
        self._messages.append(content)
        self.waiting += len(content)
        self._ends_with_clock = False
