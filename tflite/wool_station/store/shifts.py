"""When shifts begin, in local time."""

import dataclasses
import datetime
import re

from wool_board.errors import BadSetting

TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Shift:
    """A shift.

    Attributes:
        name: local time of its beginning, `2026-11-26T06:00`.
        began, ends: in seconds since 1970.
    """

    name: str
    began: float
    ends: float


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The hours and minutes at which shifts begin every day, at least one."""

    starts: tuple[datetime.time, ...]

    def at(self, time: float) -> Shift:
        """The shift at a time in seconds since 1970."""
        today = datetime.datetime.fromtimestamp(time).date()
        # Where clocks are put back or forward a shift is an hour longer or shorter.
        days = [today + datetime.timedelta(days=number) for number in (-1, 0, 1)]
        begins = sorted({datetime.datetime.combine(day, start) for day in days for start in self.starts})
        number = max(at for at, begin in enumerate(begins) if begin.timestamp() <= time)
        name = begins[number].isoformat(timespec="minutes")
        return Shift(name, begins[number].timestamp(), begins[number + 1].timestamp())


def schedule(text: str) -> Schedule:
    """The schedule that a user gives as `06:00,14:00,22:00`.

    Raises:
        BadSetting: the text is not that.
    """
    found = [TIME.fullmatch(part.strip()) for part in text.split(",")]
    starts = sorted({datetime.time(int(one[1]), int(one[2])) for one in found if one})
    if len(starts) != len(found):
        raise BadSetting("shifts", text, "must be times of day at which shifts begin, such as 06:00,14:00,22:00")
    return Schedule(tuple(starts))
