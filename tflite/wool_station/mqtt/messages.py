"""The messages that follow from what the feed says: events as they are, and the state and the health of the board."""

import json
import os
import time

from wool_board.machine import board
from wool_station.events import Alarm, Clock, Lost, Start, typed
from wool_station.mqtt.alarm_reader import RecorderAlarms
from wool_station.mqtt.outbox import Message

KEPT = {"reject": False, "unseen": False, "summary": True}
"""Events that are published as they are, and whether the broker keeps the latest."""

STATE, HEALTH = "state", "health"
OFFLINE = json.dumps({"online": False})
"""The last will: the broker publishes it as `state` when this program goes away without a word."""


class MessageBuilder:
    """Makes messages of events."""

    def __init__(self) -> None:
        self._clock: Clock | None = None
        self._is_current = False
        """Whether that clock is of the connection that there is."""
        self._start: Start | None = None
        self._standing: dict[str, float] = {}
        self._own: frozenset[str] = frozenset()
        self._is_heard = False

    def hear(self, message: dict) -> list[Message]:
        """Takes notice of a message of the feed; returns what to publish."""
        match event := typed(message):
            case Clock():
                self._clock, self._is_current = event, True
            case Start():
                return self._begin(event, message)
            case Lost():
                self._is_heard = self._is_current = False
                return [self.state()]
            case Alarm():
                return self._hear_alarm(event, message)
        kind = message["event"]
        return [_message(kind, message, KEPT[kind])] if kind in KEPT else []

    def hear_recorder(self, found: RecorderAlarms) -> list[Message]:
        """Takes notice of the recorder's own alarms; returns what to publish."""
        messages = [_message("alarm", alarm) for alarm in found.alarms]
        if found.standing != self._own:
            self._own = found.standing
            messages.append(self.state())
        return messages

    def state(self) -> Message:
        """How the inspection is, for the broker to keep."""
        fields = {name: getattr(self._start, name, None) for name in ("sha256", "threshold", "pixel_mm")}
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
        clock = self._clock
        found = {
            "time": _now(),
            "line": clock and clock.line,
            "along_mm": clock and clock.along_mm,
            "clock_age_seconds": round(time.monotonic() - clock.monotonic, 3) if clock and self._is_current else None,
            "temperature": board.temperature(),
            "throttled": board.throttled(),
            "load_average": round(os.getloadavg()[0], 2),
            "waiting": waiting,
            "dropped": dropped,
        }
        return Message(HEALTH, json.dumps(found), True)

    def _begin(self, start: Start, message: dict) -> list[Message]:
        """An inspection is heard: another one, or the same again, whose alarms that stand then come again, too."""
        self._is_heard = True
        if self._start and start.time == self._start.time:
            return [self.state()]
        self._start = start
        self._standing.clear()
        return [_message("start", message, retain=True), self.state()]

    def _hear_alarm(self, alarm: Alarm, message: dict) -> list[Message]:
        if alarm.on and self._standing.get(alarm.alarm) == alarm.time:
            return []
        messages = [_message("alarm", message)]
        if alarm.on is not None:
            self._standing.pop(alarm.alarm, None)
            if alarm.on:
                self._standing[alarm.alarm] = alarm.time
            messages.append(self.state())
        return messages


def _message(topic: str, event: dict, retain: bool = False) -> Message:
    return Message(topic, json.dumps(event), retain)


def _now() -> float:
    return round(time.time(), 3)
