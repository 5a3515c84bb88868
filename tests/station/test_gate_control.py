"""What the gate makes of the feed: it rests in reject, and passes for reasons only."""

from dataclasses import replace

import pytest

import fake_feed
from wool_station import events
from wool_station.events import Alarm, Clock, Lost, Refused, Unseen
from wool_station.gate.control import DISTRUST, DISTRUSTED, NO_FEED, SETTINGS, SILENT, Control, LateReject, Note
from wool_station.gate.timeline import REJECT, UNKNOWN, UNSEEN, GateGeometry

START = events.typed(
    fake_feed.start(
        pixel_mm=1.0, width=100, position="encoder", lines_per_second=50, stated_latency={"mm": 80, "ms": 64}
    )
)


def clock(line: int, monotonic: float = 0.0, behind: int = 40) -> Clock:
    return Clock(line=line, along_mm=float(line), decided=line - behind, monotonic=monotonic)


def alarmed(name: str, on: bool) -> Alarm:
    return Alarm(time=0.0, alarm=name, text="", on=on)


def unseen(begin: float, end: float, reason: str) -> Unseen:
    return Unseen(time=0.0, along_mm=(begin, end), reason=reason)


def running(geometry: GateGeometry | None = None, **start) -> Control:
    """A control that lets pass at line 1000, and at the time 0."""
    control = Control(geometry or GateGeometry(100, 10, 10, 0), 0.1)
    control.hear(replace(START, **start))
    control.hear(clock(500))
    control.hear(clock(1000))
    return control


def state(control: Control, now: float = 0.0) -> str | None:
    (reason,) = set(control.reasons(now))
    return reason


def test_it_rests_in_reject_and_passes_while_the_clock_comes():
    control = Control(GateGeometry(100, 10, 10, 0), 0.1)
    assert state(control) == NO_FEED
    # Without its start, an event means nothing.
    control.hear(clock(10))
    assert state(control) == NO_FEED
    control.hear(START)
    assert state(control) == SILENT
    control.hear(clock(500))
    assert state(control) == UNKNOWN
    control.hear(clock(611, 5.0))
    assert state(control, 5.0) is None
    assert (state(control, 5.1), state(control, 5.11)) == (None, SILENT)
    control.hear(clock(612, 5.2))
    assert state(control, 5.2) is None


def test_by_default_a_clock_counts_for_less_than_the_belt_takes_for_the_lead():
    """50 lines of 1 mm in a second, and 10 mm of lead: a reject that begins meanwhile is still rejected in time, for
    the last 2 mm, 40 ms, are left to the output."""
    control = Control(GateGeometry(100, 10, 10, 0), None)
    control.hear(START)
    control.hear(clock(500))
    control.hear(clock(1000, 7.0))
    assert control.until == pytest.approx(7.16, abs=1e-9)
    assert (state(control, 7.15), state(control, 7.17)) == (None, SILENT)


def test_a_clock_message_that_comes_late_counts_from_when_the_belt_was_there():
    control = running()
    control.hear(clock(1001, 3.0))
    assert state(control, 3.2) == SILENT


def test_a_lost_feed_rejects_and_what_passed_before_is_unknown_after_it():
    control = running()
    assert control.hear(Lost("gone")) == [Note("feed_lost", "gone")]
    assert state(control) == NO_FEED
    control.hear(START)
    control.hear(clock(1010))
    assert state(control) == UNKNOWN
    control.hear(clock(1110))
    assert state(control) == UNKNOWN
    control.hear(clock(1121))
    assert state(control) is None


def test_another_start_forgets_too():
    control = running()
    control.hear(START)
    control.hear(clock(10))
    assert state(control) == UNKNOWN


def test_rejects_and_unseen_belt():
    control = running()
    reject = replace(events.typed(fake_feed.reject(3, 1020.0, 1030.0)[0]), across_mm=(0, 10))
    assert control.hear(reject) == []
    control.hear(unseen(1200.0, 1210.0, "too_slow"))
    states = {}
    for line in range(1001, 1400):
        control.hear(clock(line))
        states[line] = state(control)
    assert [line for line, why in states.items() if why == REJECT] == list(range(1111, 1140))
    assert [line for line, why in states.items() if why == UNSEEN] == list(range(1291, 1320))
    assert sum(why is None for why in states.values()) == len(states) - 58
    late = replace(reject, along_mm=(1300.0, 1380.0))
    assert control.hear(late) == [LateReject(3, 9.0)]


def test_a_belt_that_is_not_decided_in_time_does_not_pass():
    control = running()
    control.hear(clock(1100, behind=90))
    assert state(control) is None
    control.hear(clock(1101, behind=91))
    assert state(control) == UNKNOWN


@pytest.mark.parametrize("alarm", sorted(DISTRUSTED - {"belt_stopped"}))
def test_alarms_that_make_the_network_mean_little_reject_what_passed_before_them_too(alarm):
    control = running()
    control.hear(alarmed(alarm, True))
    control.hear(clock(1500))
    assert state(control) == DISTRUST
    control.hear(alarmed(alarm, False))
    assert state(control) == UNKNOWN
    control.hear(clock(1600))
    assert state(control) == UNKNOWN
    control.hear(clock(1710))
    assert state(control) is None


def test_two_such_alarms_must_both_end():
    control = running()
    for alarm in ("dark_beam", "saturated"):
        control.hear(alarmed(alarm, True))
    control.hear(alarmed("dark_beam", False))
    control.hear(clock(2000))
    assert state(control) == DISTRUST


def test_other_alarms_do_not():
    control = running()
    for alarm in ("old_references", "late", "beam_drift", "belt_stopped"):
        control.hear(alarmed(alarm, True))
    assert state(control) is None


def test_the_alarms_are_those_of_the_manual():
    """docs/board.md names those while which the product counts as unseen; it is `belt_stopped` that comes besides."""
    from checkout import ROOT

    text = (ROOT / "docs" / "board.md").read_text()
    sentence = text[text.index("While `dark_beam`") : text.index("treat the product as unseen")]
    assert {word for word in sentence.split("`")[1::2]} == DISTRUSTED - {"belt_stopped"}


def test_a_belt_that_stands_shifts_positions_where_lines_come_by_time():
    control = running(position="time")
    control.hear(alarmed("belt_stopped", True))
    assert state(control) == DISTRUST


@pytest.mark.parametrize(("position", "reason"), [("encoder", None), ("time", None), ("count", UNKNOWN)])
def test_lost_lines_shift_positions_only_where_the_encoder_counts(position, reason):
    control = running(position=position)
    control.hear(unseen(1000.0, 1200.0, "lost_lines"))
    control.hear(clock(1001, behind=0))
    assert state(control) == reason


def test_what_does_not_fit_the_belt_is_said_and_rejected():
    control = running(GateGeometry(100, 10, 10, 0, ((0, 50), (100, 150))))
    assert control.reasons(0.0) == (SETTINGS, SETTINGS)
    (note,) = [note for note in control.hear(START) if note.name == "settings"]
    assert note.text == "`lanes`=100,150: must begin before 100, the width of the belt in mm; all is rejected"


def test_a_gate_that_is_nearer_than_rejects_are_told_is_said():
    control = Control(GateGeometry(89, 10, 10, 0), 0.1)
    heard, note = control.hear(START)
    assert (heard.name, note.name) == (
        "feed_heard",
        "distance",
    ) and "80 mm behind its start, and the gate acts after 79 mm" in note.text
    assert len(Control(GateGeometry(90, 10, 10, 0), 0.1).hear(START)) == 1
    assert len(Control(GateGeometry(89, 10, 10, 0), 0.1).hear(replace(START, stated_latency=None))) == 1


def test_lines_by_time_are_said():
    _, note = Control(GateGeometry(100, 10, 10, 0), 0.1).hear(replace(START, position="time"))
    assert note.name == "position"


def test_a_refusal_is_said():
    control = Control(GateGeometry(100, 10, 10, 0), 0.1)
    for expected in ([Note("feed_refused", "eight")], []):
        assert control.hear(Refused("eight")) == expected
    assert state(control) == NO_FEED


@pytest.mark.parametrize(
    ("lead", "timeout", "names"),
    # 2 mm are 20 ms at 100 lines of 1 mm in a second.
    [
        (2.0, None, []),
        (1.9, None, ["lead"]),
        (10.0, 0.1, []),
        (10.0, 0.11, ["timeout"]),
        (1.0, 0.02, ["lead", "timeout"]),
    ],
)
def test_a_lead_that_is_too_short_and_a_timeout_that_is_longer_are_told(lead, timeout, names):
    control = Control(GateGeometry(100, 10, lead, 0), timeout)
    found = control.hear(replace(START, lines_per_second=100, stated_latency=None))
    assert [note.name for note in found] == ["feed_heard", *names]
    if "lead" in names:
        assert "give 2 or more" in found[1].text
