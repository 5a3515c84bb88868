"""What the inspection says: JSON Lines, one event each."""

import json
import time
from typing import TextIO


class Events:
    """Writes events.

    Arguments:
        stream: where to.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def tell(self, event: str, **fields: object) -> None:
        """An event with its fields, which must be what JSON can hold."""
        line = json.dumps({"event": event, "time": round(time.time(), 3), **fields})
        self._stream.write(line + "\n")

    def flush(self) -> None:
        """Hands over what was told."""
        self._stream.flush()


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
            details: fields of the event that tells of its beginning.
        """
        if on and name not in self._standing:
            self._standing.add(name)
            self.once(name, text, on=True, **details)
        elif not on and name in self._standing:
            self._standing.remove(name)
            self._events.tell("alarm", alarm=name, text=f"over: {text}", on=False)
            self._events.flush()
