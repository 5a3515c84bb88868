"""The messages that follow from what the feed says: events as they are, and the state and the health of the board."""

import json
import os
import time

from wool_board.machine import board
from wool_station.feed import LOST
from wool_station.mqtt.alarm_reader import RecorderAlarms
from wool_station.mqtt.outbox import Message

TOLD = ("reject", "unseen", "alarm")
"""Events that are published, each by itself."""

KEPT = ("start", "summary")
"""Events of which the broker keeps the latest."""

STATE, HEALTH = "state", "health"
OFFLINE = json.dumps({"online": False})
"""The last will: the broker publishes it as `state` when this program goes away without a word."""


class MessageBuilder:
    """Makes messages of events.

    Attributes:
        line: of the belt, before which all have arrived, as last heard; or None.
    """

    def __init__(self) -> None:
        self.line: int | None = None
        self._along_mm: float | None = None
        self._start: dict = {}
        self._standing: dict[str, float] = {}
        self._own: frozenset[str] = frozenset()
        self._is_heard = False
        self._clock: float | None = None

    def hear(self, event: dict) -> list[Message]:
        """Takes notice of an event of the feed; returns what to publish."""
        kind = event["event"]
        if kind == "clock":
            self.line, self._along_mm, self._clock = event["line"], event["along_mm"], event["monotonic"]
            return []
        if kind == "start":
            return self._begin(event)
        if kind == LOST:
            self._is_heard, self._clock = False, None
            return [self.state()]
        if kind == "alarm":
            return self._hear_alarm(event)
        if kind in TOLD:
            return [_message(kind, event)]
        if kind in KEPT:
            return [_message(kind, event, retain=True)]
        return []

    def hear_recorder(self, found: RecorderAlarms) -> list[Message]:
        """Takes notice of the recorder's own alarms; returns what to publish."""
        messages = [_message("alarm", alarm) for alarm in found.alarms]
        if found.standing != self._own:
            self._own = found.standing
            messages.append(self.state())
        return messages

    def state(self) -> Message:
        """How the inspection is, for the broker to keep."""
        fields = {name: self._start.get(name) for name in ("sha256", "threshold", "pixel_mm")}
        found = {
            "online": True,
            "time": _now(),
            "inspection": self._is_heard,
            "alarms": sorted({*self._standing, *self._own}),
            **fields,
        }
        return Message(STATE, json.dumps(found), True)

    def health(self, waiting: int, dropped: int) -> Message:
        """How the board is, for the broker to keep.

        Arguments:
            waiting: messages that were not published yet.
            dropped: those that never will be.
        """
        age = None if self._clock is None else round(time.monotonic() - self._clock, 3)
        found = {
            "time": _now(),
            "line": self.line,
            "along_mm": self._along_mm,
            "clock_age_seconds": age,
            "temperature": board.temperature(),
            "throttled": board.throttled(),
            "load_average": round(os.getloadavg()[0], 2),
            "waiting": waiting,
            "dropped": dropped,
        }
        return Message(HEALTH, json.dumps(found), True)

    def _begin(self, start: dict) -> list[Message]:
        """An inspection is heard: another one, or the same again, whose alarms that stand then come again, too."""
        self._is_heard = True
        if start["time"] == self._start.get("time"):
            return [self.state()]
        self._start = start
        self._standing.clear()
        return [_message("start", start, retain=True), self.state()]

    def _hear_alarm(self, alarm: dict) -> list[Message]:
        name = alarm["alarm"]
        if alarm.get("on") and self._standing.get(name) == alarm["time"]:
            return []
        messages = [_message("alarm", alarm)]
        if "on" in alarm:
            self._standing.pop(name, None)
            if alarm["on"]:
                self._standing[name] = alarm["time"]
            messages.append(self.state())
        return messages


def _message(topic: str, event: dict, retain: bool = False) -> Message:
    return Message(topic, json.dumps(event), retain)


def _now() -> float:
    return round(time.time(), 3)
