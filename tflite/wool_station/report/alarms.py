"""Which alarms there were in a time, how often they began, and for how long they stood."""

import bisect
import dataclasses
import datetime
import math
from collections.abc import Iterator
from typing import NamedTuple

from wool_station.events import Alarm
from wool_station.report.period import Period
from wool_station.store.reader import StoreReader, event_of
from wool_station.store.recorder_alarms import SOURCE

MOST = 100_000
"""Events that are looked at: the latest."""

BEFORE = "SELECT body, inspection, max(time) FROM events WHERE event = 'alarm' AND time < ? GROUP BY alarm"
WITHIN = (
    "SELECT body, inspection FROM events WHERE event = 'alarm' AND time >= ? AND time < ? "
    "ORDER BY time DESC, id DESC LIMIT ?"
)


class AlarmRow(NamedTuple):
    """An alarm: its name, how often it began, minutes that it stood or None of one without duration, its last text."""

    name: str
    times: int
    minutes: float | None
    text: str


@dataclasses.dataclass
class _Standing:
    """What is known of an alarm; it stands `since` a time, None if it does not, and until `ends` at most."""

    times: int = 0
    seconds: float | None = None
    text: str = ""
    since: float | None = None
    ends: float = math.inf

    def hear(self, event: Alarm, ends: float) -> None:
        """Takes one of its events."""
        self.close(event.time)
        if event.on is False:
            return
        self.times, self.text = self.times + 1, event.text
        if event.on:
            self.since, self.ends = event.time, ends

    def close(self, time: float) -> None:
        """It stands until a time, at most until it must have ended."""
        if self.since is not None:
            self.seconds = (self.seconds or 0.0) + max(0.0, min(time, self.ends) - self.since)
            self.since = None


def alarms(reader: StoreReader, period: Period) -> list[AlarmRow]:
    """The alarms that began or stood in a time, by name."""
    found: dict[str, _Standing] = {}
    for event, ends in _events(reader, period):
        found.setdefault(event.alarm, _Standing()).hear(event, ends)
    until = min(period.ends, datetime.datetime.now().timestamp())
    for alarm in found.values():
        alarm.close(until)
    return [
        AlarmRow(name, alarm.times, None if alarm.seconds is None else alarm.seconds / 60, alarm.text)
        for name, alarm in sorted(found.items())
        if alarm.times
    ]


def _events(reader: StoreReader, period: Period) -> Iterator[tuple[Alarm, float]]:
    """The events of alarms in their order, each with when it is over at the latest."""
    starts = sorted(reader.inspections())
    for row in reader.rows(BEFORE, period.began):
        event = event_of(row)
        ends = _ends(event, row["inspection"], starts)
        if event.on and ends > period.began:
            yield dataclasses.replace(event, time=period.began), ends
    for row in reader.rows(WITHIN, period.began, period.ends, MOST)[::-1]:
        event = event_of(row)
        yield event, _ends(event, row["inspection"], starts)


def _ends(event: Alarm, inspection: int, starts: list[int]) -> float:
    """When an alarm is over at the latest: as the next inspection begins; its own may have had no time to say so."""
    # Those of the recorder outlast inspections.
    if event.source == SOURCE:
        return math.inf
    # Not by its inspection alone: one that began before the clock was set has an earlier number than those before it.
    later = bisect.bisect_right(starts, max(inspection, round(1e3 * event.time)))
    return starts[later] / 1e3 if later < len(starts) else math.inf
