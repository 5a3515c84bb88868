"""Of which time a report is: a shift, or a day."""

import datetime
import time
from typing import NamedTuple

from wool_board.errors import WoolError
from wool_station.store.reader import StoreReader

LAST, CURRENT = "last", "current"


class Period(NamedTuple):
    """A time with its name, from `began` to `ends` in seconds since 1970."""

    name: str
    began: float
    ends: float


def period(reader: StoreReader, text: str) -> Period:
    """The time that a user means.

    Arguments:
        reader: of the store.
        text: `last` (the shift that ended last), `current`, the beginning of a shift (`2026-11-26T06:00`), or a day
            (`2026-11-26`).

    Raises:
        WoolError: it means none that was recorded.
    """
    shifts = [Period(*row) for row in reader.rows("SELECT name, began, ends FROM shifts ORDER BY began")]
    if not shifts:
        raise WoolError(f"--store={reader.folder}: nothing is recorded there yet")
    named = {shift.name: shift for shift in shifts}
    now = time.time()
    # One that a clock which was wrong has put into the future is known by its name.
    named[CURRENT] = next((shift for shift in reversed(shifts) if shift.began <= now), shifts[-1])
    ended = [shift for shift in shifts if shift.ends <= now]
    if ended:
        named[LAST] = ended[-1]
    elif text == LAST:
        raise WoolError(f"--shift={LAST}: no shift has ended yet; --shift={CURRENT} is the one that goes on")
    if text in named:
        found = named[text]
        return found._replace(name=f"Shift of {found.name.replace('T', ', ')}")
    return _day(text, shifts)


def _day(text: str, shifts: list[Period]) -> Period:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        known = ", ".join(shift.name for shift in shifts[-3:])
        rule = (
            f"must be {LAST}, {CURRENT}, a day such as 2026-11-26, or the beginning of a shift; the newest are {known}"
        )
        raise WoolError(f"--shift={text}: {rule}") from None
    midnights = [datetime.datetime.combine(day + datetime.timedelta(more), datetime.time()) for more in (0, 1)]
    began, ends = (midnight.timestamp() for midnight in midnights)
    if not any(shift.began < ends and shift.ends > began for shift in shifts):
        raise WoolError(f"--shift={text}: nothing was recorded on this day")
    return Period(f"Day of {text}", began, ends)
