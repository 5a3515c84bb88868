"""What is at the gate, against belts that are laid out line by line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wool_station.gate.timeline import REJECT, SLIP, UNKNOWN, UNSEEN, GateGeometry, Spans, Timeline

STRETCHES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda at: (at[0], at[0] + at[1])))


@given(STRETCHES, st.integers(0, 90), st.integers(1, 20), st.integers(0, 90))
def test_spans_are_the_lines_in_them(stretches, start, length, before):
    spans, lines = Spans(), set()
    for one in stretches:
        spans.add(*one)
        lines |= set(range(*one))
    ends = [line + 1 for line in lines if line + 1 not in lines]
    assert len(spans) == len(ends)
    assert spans.touch(start, start + length) == bool(lines & set(range(start, start + length)))
    spans.forget_before(before)
    assert len(spans) == sum(end > before for end in ends)
    start += before
    assert spans.touch(start, start + length) == bool(lines & set(range(start, start + length)))


@pytest.mark.parametrize("pixel_mm", [0.05, 0.11, 0.4, 0.8, 1.0, 1.3])
def test_rounded_millimetres_mean_their_lines_or_none_too_few(pixel_mm):
    timeline = Timeline(GateGeometry(100, 10, 0, 0), pixel_mm)
    for start in range(0, 3000, 7):
        stop = start + 13
        found = timeline._lines((round(start * pixel_mm, 1), round(stop * pixel_mm, 1)))
        assert found[0] <= start and found[1] >= stop
        if pixel_mm > 0.101:
            assert found == (start, stop)


PIXELS = st.sampled_from([0.13, 0.4, 0.8, 1.0])
LANES = ((0.0, 40.0), (40.0, 100.0))


@st.composite
def passages(draw):
    """A geometry, a lead that covers each step of the clock, and what happens: clocks, rejects, unseen, losses."""
    pixel = draw(PIXELS)
    steps = draw(st.lists(st.integers(0, 9), min_size=5, max_size=120))
    lead = 9 * pixel + draw(st.floats(0, 5))
    distance = lead + draw(st.floats(1, 60))
    geometry = GateGeometry(
        distance, draw(st.floats(0.1, 30)), lead, draw(st.floats(0, 10)), draw(st.sampled_from([(), LANES]))
    )
    line = decided = 0
    happened = []
    for step in steps:
        line += step
        decided = draw(st.integers(decided, line)) if draw(st.booleans()) else decided
        if draw(st.integers(0, 9)) == 0:
            start = draw(st.integers(decided, decided + 30))
            stop = start + draw(st.integers(1, 40))
            kind = draw(st.sampled_from(["reject", "reject", "unseen"]))
            left = draw(st.floats(0, 99))
            happened.append((kind, start, stop, left, left + draw(st.floats(0.5, 30))))
        if draw(st.integers(0, 39)) == 0:
            happened.append(("forget",))
        happened.append(("clock", line, decided))
    return pixel, geometry, happened


@given(passages())
def test_nothing_passes_that_is_not_known_to_be_good_and_all_else_does(passage):
    pixel, geometry, happened = passage
    timeline, lanes = Timeline(geometry, pixel), geometry.lanes or ((0.0, 1e9),)
    bad = [set() for _ in lanes]
    for kind, *about in happened:
        if kind in ("reject", "unseen"):
            start, stop, left, right = about
            hit = [n for n, lane in enumerate(lanes) if left < lane[1] and lane[0] < right] or range(len(lanes))
            for lane in range(len(lanes)) if kind == "unseen" else hit:
                # Also what is told only later: nothing of it may have passed.
                bad[lane] |= set(range(start, stop))
    clocks = [index for index, (kind, *_) in enumerate(happened) if kind == "clock"]
    known, told = None, [set() for _ in lanes]
    for index, (kind, *about) in enumerate(happened):
        if kind == "forget":
            timeline.forget()
            known = None
        elif kind == "reject":
            start, stop, left, right = about
            timeline.reject((round(start * pixel, 1), round(stop * pixel, 1)), (left, right))
            hit = [n for n, lane in enumerate(lanes) if left < lane[1] and lane[0] < right] or range(len(lanes))
            for lane in hit:
                told[lane] |= set(range(start, stop))
        elif kind == "unseen":
            timeline.unseen((round(about[0] * pixel, 1), round(about[1] * pixel, 1)))
            for lane in told:
                lane |= set(range(about[0], about[1]))
        else:
            line, decided = about
            timeline.advance(line, decided)
            known = line if known is None else known
            following = next((happened[other][1] for other in clocks if other > index), line)
            check(geometry, pixel, timeline.reasons(), (line, following), (known, decided), bad, told)


def check(geometry, pixel, reasons, positions, known, bad, told) -> None:
    """The state between two clock messages: the belt moves from the first position to the second meanwhile."""
    line, following = positions
    back, front = line - (geometry.distance_mm + geometry.width_mm) / pixel, following - geometry.distance_mm / pixel
    under = set(range(math.floor(back + 1e-5), math.ceil(front - 1e-5)))
    hold, lead = geometry.hold_mm / pixel, geometry.lead_mm / pixel
    wide = range(math.floor(back - hold) - 1, math.ceil(line - geometry.distance_mm / pixel + lead) + 1)
    for lane, reason in enumerate(reasons):
        if reason is None:
            assert not under & bad[lane]
            assert all(known[0] <= one < known[1] for one in under)
        else:
            # One line more on either side is all that it may reject besides.
            assert set(wide) & told[lane] or not all(known[0] <= one < known[1] for one in wide)


def advanced(timeline: Timeline, *lines: int) -> list[tuple]:
    found = []
    for line in lines:
        timeline.advance(line, line)
        found.append(timeline.reasons())
    return found


def test_edges_of_a_reject_by_hand():
    """Lines of 1 mm; the gate is 100 mm behind the detector and 10 mm wide, and acts 5 mm before and 3 mm behind."""
    timeline = Timeline(GateGeometry(100, 10, 5, 3), 1.0)
    advanced(timeline, 0)
    assert timeline.reject((200.0, 220.0), (0, 10)) == 0
    states = {line: advanced(timeline, line)[0][0] for line in range(1, 400)}
    # Line 200 is at 95 mm when 295 lines, and at 96 mm when 296 lines have arrived; line 219 is behind 113 mm at 333.
    assert [line for line, why in states.items() if why == REJECT] == list(range(296, 333))
    # What had arrived before it listened is unknown, until all of it has left the gate.
    assert [line for line, why in states.items() if why == UNKNOWN] == list(range(1, 113))


def test_rejects_that_overlap_are_joined():
    timeline = Timeline(GateGeometry(100, 10, 0, 0), 1.0)
    advanced(timeline, 0)
    for along in ((300.0, 320.0), (310.0, 340.0), (340.0, 345.0), (200.0, 400.0)):
        timeline.reject(along, (0, 10))
    assert len(timeline._rejects[0]) == 1
    states = [why for (why,) in advanced(timeline, *range(120, 600))]
    changes = sum(one != other for one, other in zip(states, states[1:], strict=False))
    assert changes == 2 and set(states) == {None, REJECT}


def test_lanes():
    timeline = Timeline(GateGeometry(100, 10, 0, 0, ((0, 50), (50, 100))), 1.0)
    advanced(timeline, 0)
    timeline.reject((200.0, 210.0), (10, 50))
    timeline.reject((300.0, 310.0), (49, 51))
    # A place that no gate reaches is rejected by all of them.
    timeline.reject((400.0, 410.0), (100, 120))
    timeline.unseen((500.0, 510.0))
    assert advanced(timeline, 305, 405, 505, 605) == [
        (REJECT, None),
        (REJECT, REJECT),
        (REJECT, REJECT),
        (UNSEEN, UNSEEN),
    ]


def test_a_reject_that_comes_late_says_how_much_of_it():
    timeline = Timeline(GateGeometry(100, 10, 0, 0), 1.0)
    advanced(timeline, 0)
    timeline.advance(500, 300)
    assert timeline.reasons() == (UNKNOWN,)
    assert timeline.reject((380.0, 460.0), (0, 1)) == 20
    assert timeline.reject((400.0, 460.0), (0, 1)) == 0


def test_a_clock_that_goes_back():
    timeline = Timeline(GateGeometry(100, 10, 0, 0), 1.0)
    assert advanced(timeline, 0, 500, 500 - SLIP) == [(UNKNOWN,), (None,), (None,)]
    assert timeline.line == 500
    assert advanced(timeline, 300, 405, 420) == [(UNKNOWN,), (UNKNOWN,), (None,)]


def test_memory_is_that_of_the_belt_before_the_gate():
    timeline = Timeline(GateGeometry(1000, 10, 0, 0), 1.0)
    for line in range(0, 100000, 10):
        timeline.advance(line, line - 100)
        timeline.reject((float(line), line + 5.0), (0, 1))
    assert len(timeline._rejects[0]) <= 110
