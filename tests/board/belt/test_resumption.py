"""Where an inspection goes on, by the state that was left and by the clocks."""

import dataclasses

import pytest
from product_belt import A_STATE

from wool_board.belt.resumption import resume
from wool_board.belt.state import State
from wool_board.machine.clocks import Moment


def moment(after: float, boot: str = "one", uptime: float | None = None, is_set: bool = True) -> Moment:
    """So many seconds after the state by the clock, and by what nobody sets, unless something else is said."""
    return Moment(1000.0 + after, boot, 50.0 + after if uptime is None else uptime, is_set)


@pytest.mark.parametrize(
    ("now", "first", "seconds", "least", "level"),
    [
        (moment(2), 200.0, 2.0, 2.0, -0.03),
        (moment(0.1), 120.0, 0.1, 0.1, -0.03),
        (moment(7200), 100.0 + 7200 * 50, 7200.0, 7200.0, 0.0),
        # The clock was set meanwhile, back, on, or by a year: no matter, as long as the machine ran.
        (moment(-100, uptime=52.0), 200.0, 2.0, 2.0, -0.03),
        (moment(365 * 86400, uptime=52.0, is_set=False), 200.0, 2.0, 2.0, -0.03),
        # After a power failure, with a clock that was set.
        (moment(600, "two", uptime=20.0), 100.0 + 600 * 50, 600.0, 600.0, -0.03),
        # And with one that goes on where it was, wakes up in 1970, or long after: nobody knows how long it was off.
        (moment(21, "two", uptime=20.0, is_set=False), 1100.0, None, 20.0, 0.0),
        (moment(-1000, "two", uptime=20.0, is_set=False), 1100.0, None, 20.0, 0.0),
        (moment(-1000, "two", uptime=20.0), 1100.0, None, 20.0, 0.0),
        # It cannot have begun before the state was left.
        (moment(5, "two", uptime=20.0), 1100.0, None, 20.0, 0.0),
        (moment(40 * 86400, "two", uptime=20.0), 1100.0, None, 20.0, 0.0),
        # Which start of the machine it is cannot be told.
        (Moment(1002.0, None, 20.0, True), 120.0, None, 0.0, 0.0),
    ],
)
def test_where_an_inspection_goes_on(now, first, seconds, least, level):
    found = resume(A_STATE, now, mm_per_second=50.0, references="ours")
    assert found.first_mm == pytest.approx(first)
    assert (found.seconds, found.least_seconds, found.level) == (seconds, least, level)
    assert found.told_mm == 100.0 and found.length == ("unknown" if seconds is None else "at_most")
    # Lines that waited are counted, whatever the clock says, by a process that came to its end.
    waited = resume(dataclasses.replace(A_STATE, ended=True), now, mm_per_second=None, references="ours")
    assert (waited.first_mm, waited.length) == (120.0, "counted")


def test_the_level_of_a_beam_is_one_by_the_references_that_it_was_measured_with():
    """New ones are what an alarm of a beam that drifted asks for: by them, there is no drift."""
    for left_by, level in (("ours", -0.03), ("theirs", 0.0), (None, -0.03)):
        state = dataclasses.replace(A_STATE, references=left_by)
        assert resume(state, moment(2), mm_per_second=50.0, references="ours").level == level


def test_a_clock_that_was_not_set_when_the_state_was_left_tells_nothing():
    state = dataclasses.replace(A_STATE, clock_set=False)
    assert resume(state, moment(600, "two", uptime=20.0), 50.0, "ours").length == "unknown"
    assert resume(State(100.0, 120.0, 1000.0, 0.0, False, None), moment(2), 50.0, "ours").length == "unknown"


def test_lines_of_a_writer_that_waits_are_counted_only_if_the_process_came_to_its_end():
    now = dataclasses.replace(A_STATE.moment, uptime=A_STATE.uptime + 3)
    assert resume(dataclasses.replace(A_STATE, ended=True), now, None, "ours").length == "counted"
    assert resume(dataclasses.replace(A_STATE, ended=False), now, None, "ours").length == "at_least"
