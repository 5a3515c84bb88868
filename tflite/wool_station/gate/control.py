"""What the gate makes of the feed: it hears events, and says for each lane whether it may pass now.

It rests in reject. Passing takes a clock message of just now, an inspection that trusts its own eyes, and a belt at the
gate that is known to be good.
"""

from collections.abc import Iterator
from typing import NamedTuple

from wool_station.events import Alarm, Clock, Event, Lost, Refused, RejectEvent, Start, Unseen
from wool_station.gate.timeline import GateGeometry, Timeline

NO_FEED, SILENT, DISTRUST, SETTINGS = "no_feed", "silent", "distrust", "settings"
"""Why no lane passes, besides what a timeline says: nobody is connected; no fresh clock message, since no lines come or
something hangs; an alarm stands that makes what the network says mean little; lanes that do not fit the belt."""

DISTRUSTED = frozenset(
    (
        "belt_stopped",
        "bright_beam",
        "dark_beam",
        "many_defects",
        "saturated",
        "stuck_lines",
        "unrepaired_elements",
        "wrong_pattern",
    )
)
"""Alarms while which, and before which, the belt counts as unseen. A belt that stands is one of them only where lines
go on by time, because positions are then too far."""


LEAD_SHARE = 0.8
"""Of the lead, for which it is waited that a clock message comes; the rest is for the output to change in."""

LEAST_LEAD_SECONDS = 0.02
"""What the lead must be at full speed: clock messages come every 5 ms, and a machine that does other things as well
delays some of them, and the gate."""


class LateReject(NamedTuple):
    """A reject that was told when some of it had come to the gate: its number, and how much."""

    reject: int
    late_mm: float


class Note(NamedTuple):
    """Something that whoever runs the gate should know: a name, and what it is, with settings in backticks."""

    name: str
    text: str


class Control:
    """Decides.

    Arguments:
        geometry: of the gate.
        timeout: seconds for which a clock message counts; None: `LEAD_SHARE` of what the belt takes at full speed for
            the lead, so that nothing passes by which a reject begins meanwhile.

    Attributes:
        line: before which all lines have arrived, or None.
        step_mm: how far the last clock message was behind the one before.
        pixel_mm: of the belt from line to line; 0 before the first `start`.
        timeout: seconds for which a clock message counts.
    """

    def __init__(self, geometry: GateGeometry, timeout: float | None):
        self.pixel_mm = 0.0
        self.timeout = timeout or 0.0
        self._geometry, self._given = geometry, timeout
        self._timeline: Timeline | None = None
        self._position = "encoder"
        self._clock: float | None = None
        self._alarms: set[str] = set()
        self._fits = True
        self._said: set[Note] = set()
        """What was said since an inspection was last heard: it comes again with every try."""

    @property
    def line(self) -> int | None:
        return self._timeline.line if self._timeline else None

    @property
    def step_mm(self) -> float:
        return self._timeline.step * self.pixel_mm if self._timeline else 0.0

    @property
    def until(self) -> float:
        """Until when what it says counts, in seconds of the system's monotonic clock."""
        return 0.0 if self._clock is None else self._clock + self.timeout

    def hear(self, event: Event | None) -> list[LateReject | Note]:
        """Takes notice of an event of the feed; returns what to say of it."""
        match event:
            case Start():
                return self._begin(event)
            case Refused():
                return self._once(Note("feed_refused", event.text))
            case Lost():
                self._timeline = self._clock = None
                return self._once(Note("feed_lost", event.text))
        return [] if self._timeline is None else self._hear_belt(event, self._timeline)

    def _hear_belt(self, event: Event | None, timeline: Timeline) -> list[LateReject | Note]:
        match event:
            case Clock():
                self._clock = event.monotonic
                timeline.advance(event.line, event.decided)
                if self._alarms:
                    timeline.forget()
            case Alarm():
                self._hear_alarm(event, timeline)
            case Unseen():
                timeline.unseen(event.along_mm)
                if event.reason == "lost_lines" and self._position == "count":
                    # Lost lines are none of the encoder's counts: what came before is elsewhere on the belt.
                    timeline.forget()
            case RejectEvent():
                late = timeline.reject(event.along_mm, event.across_mm)
                return [LateReject(event.reject, round(late * self.pixel_mm, 1))] if late else []
        return []

    def reasons(self, now: float) -> tuple[str | None, ...]:
        """For each lane why it must not pass, or None if it may.

        Arguments:
            now: seconds of the system's monotonic clock.
        """
        if self._timeline is None:
            why = NO_FEED
        elif not self._fits:
            why = SETTINGS
        elif self._clock is None or now > self.until:
            why = SILENT
        elif self._alarms:
            why = DISTRUST
        else:
            return self._timeline.reasons()
        return (why,) * self._geometry.count

    def _begin(self, start: Start) -> list[LateReject | Note]:
        """An inspection begins, or is heard again: nothing that has passed so far is known."""
        self.pixel_mm, self._position = start.pixel_mm, start.position
        speed = self.pixel_mm * start.lines_per_second
        if self._given is None:
            self.timeout = LEAD_SHARE * self._geometry.lead_mm / speed
        self._timeline, self._clock = Timeline(self._geometry, self.pixel_mm), None
        self._alarms.clear()
        self._said.clear()
        text = f"hears an inspection; its clock messages count for {1e3 * self.timeout:g} ms"
        notes: list[LateReject | Note] = [Note("feed_heard", text)]
        width = start.width * self.pixel_mm
        outside = [lane for lane in self._geometry.lanes if lane[0] >= width]
        self._fits = not outside
        for left, right in outside:
            rule = f"must begin before {width:g}, the width of the belt in mm"
            notes.append(Note("settings", f"`lanes`={left:g},{right:g}: {rule}; all is rejected"))
        return [*notes, *self._doubts(start, speed)]

    def _doubts(self, start: Start, speed: float) -> Iterator[Note]:
        """What of the settings is not as it should be, at a speed of the belt in millimetres a second."""
        lead, room = self._geometry.lead_mm, self._geometry.distance_mm - self._geometry.lead_mm
        lasts = lead / speed
        if lasts < LEAST_LEAD_SECONDS:
            rule = (
                f"a gate that is a little late lets a reject begin to pass; give {LEAST_LEAD_SECONDS * speed:g} or more"
            )
            yield Note("lead", f"`lead_mm`={lead:g}: passes in {1e3 * lasts:.1f} ms at full speed, so that {rule}")
        if self.timeout > lasts:
            text = (
                f"`timeout_ms`={1e3 * self.timeout:g}: is more than the {1e3 * lasts:.1f} ms in which `lead_mm` passes"
            )
            yield Note("timeout", f"{text}: when clock messages end, a reject may begin to pass; leave it out")
        latency = start.stated_latency
        if latency and room < latency["mm"]:
            text = f"a reject may be told {latency['mm']:g} mm behind its start, and the gate acts after {room:g} mm"
            yield Note("distance", f"{text}: what is not decided by then is rejected")
        if self._position == "time":
            text = "lines come by time: a belt that stands under no product or an even one shifts all positions"
            yield Note(
                "position", f"{text}; use inspect_line.py --position=count, or an encoder that triggers the lines"
            )

    def _once(self, note: Note) -> list[LateReject | Note]:
        is_new = note not in self._said
        self._said.add(note)
        return [note] if is_new else []

    def _hear_alarm(self, event: Alarm, timeline: Timeline) -> None:
        if event.alarm not in DISTRUSTED or (event.alarm == "belt_stopped" and self._position != "time"):
            return
        if event.on:
            self._alarms.add(event.alarm)
        else:
            self._alarms.discard(event.alarm)
        timeline.forget()
