"""What the inspection says: JSON Lines, one event each."""

import collections
import json
import time
from collections.abc import Callable
from typing import Protocol

from wool_board.belt.feed import Feed

SPARE = ("tile", "air", "overlap")
"""Events that are left out while too much waits to be taken: there are many of them, and none calls for action."""

MUCH = 1 << 16
"""Bytes that wait, from which on those are left out; as soon as half as many wait, it is told how many were."""


class Stream(Protocol):
    """Takes text."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class OmittedEvents:
    """Events that were left out: how many of each kind, and from where to where along the belt they were about."""

    def __init__(self) -> None:
        self.events: collections.Counter[str] = collections.Counter()
        self.along_mm: list[float] | None = None

    def add(self, event: str, fields: dict) -> None:
        self.events[event] += 1
        if "along_mm" in fields:
            start, stop = fields["along_mm"]
            before = self.along_mm or (start, stop)
            self.along_mm = [min(start, before[0]), max(stop, before[1])]

    def fields(self) -> dict:
        return {"events": dict(self.events), "along_mm": self.along_mm}


class Events:
    """Writes events.

    Arguments:
        stream: where to.
        waiting: tells how many bytes were not taken yet.
        feed: for programs that run beside the inspection, or None.

    Attributes:
        untold: what was left out since that was last told.
    """

    def __init__(self, stream: Stream, waiting: Callable[[], int] = lambda: 0, feed: Feed | None = None):
        self.untold, self.feed = OmittedEvents(), feed
        self._stream, self._waiting = stream, waiting

    @property
    def all_taken(self) -> bool:
        """Whether all that was told was taken."""
        return not self._waiting()

    def tell(self, event: str, **fields: object) -> None:
        """An event with its fields, which must be what JSON can hold."""
        text = _text(event, fields)
        if self.feed:
            self.feed.tell(event, fields, text, event in SPARE)
        if event in SPARE and self._waiting() > MUCH:
            self.untold.add(event, fields)
            return
        if self.untold.events and self._waiting() <= MUCH // 2:
            self.tell_untold()
        self._stream.write(text + "\n")

    def tell_untold(self) -> None:
        """Says what was left out, if anything was."""
        if self.untold.events:
            # Not on the feed, whose readers are told of their own losses.
            self._write("untold", self.untold.fields())
            self.untold = OmittedEvents()

    def flush(self) -> None:
        """Hands over what was told."""
        self._stream.flush()

    def _write(self, event: str, fields: dict) -> None:
        self._stream.write(_text(event, fields) + "\n")


def _text(event: str, fields: dict) -> str:
    return json.dumps({"event": event, "time": round(time.time(), 3), **fields})


class Alarms:
    """Alarms, told when they begin and when they end and not over and over between.

    Attributes:
        count: alarms that began.
        standing: names of those that have not ended, sorted.
    """

    def __init__(self, events: Events):
        self.count = 0
        self._events = events
        self._standing: set[str] = set()

    @property
    def standing(self) -> list[str]:
        return sorted(self._standing)

    def is_standing(self, name: str) -> bool:
        return name in self._standing

    def once(self, name: str, text: str, **details: object) -> None:
        """Something happened that has no duration."""
        self.count += 1
        self._events.tell("alarm", alarm=name, text=text, **details)
        self._events.flush()

    def set(self, name: str, on: bool, text: str, **details: object) -> None:
        """Something is so, or is not.

        Arguments:
            name: of the alarm.
            on: whether it is so.
            text: what is so.
            details: fields of the events that tell of its beginning and of its end.
        """
        if on and name not in self._standing:
            self._standing.add(name)
            self.once(name, text, on=True, **details)
        elif not on and name in self._standing:
            self._standing.remove(name)
            self._events.tell("alarm", alarm=name, text=f"over: {text}", on=False, **details)
            self._events.flush()
