"""Where an inspection goes on that follows another: nothing that passed between them is seen, and that is told."""

import dataclasses

from wool_board.belt.state import State
from wool_board.machine.clocks import Moment

OLD_SECONDS = 3600.0
"""A beam that was followed longer ago than this may be another one."""

LONGEST = 30 * 86400.0
"""Seconds between two inspections beyond which the clock is not believed."""

COUNTED, AT_LEAST, AT_MOST, UNKNOWN = "counted", "at_least", "at_most", "unknown"
"""What the length of the belt is that passed unseen: a count of lines; a count that lacks those which a killed process
took after it last left its state; the most that the belt can have moved in a time that is known; neither, for only the
least of that time is known."""


@dataclasses.dataclass(frozen=True)
class Resumption:
    """How an inspection follows another.

    Attributes:
        told_mm: of the belt, before which the earlier one told all.
        first_mm: where the first line of this one lies; what is between was not seen.
        length: what the difference of the two is: `COUNTED`, `AT_LEAST`, `AT_MOST` or `UNKNOWN`.
        seconds: since the earlier one last said how far it was, or None if the clock does not tell.
        least_seconds: that these are at least.
        level: attenuation of the open beam by the references, 0 if that is too long ago or not known to be recent, or
            if it was by other references.
        ended: whether the earlier one came to its end.
        untold: events that it left out.
        elements: that it found ill, see `State`.
    """

    told_mm: float
    first_mm: float
    length: str
    seconds: float | None
    least_seconds: float
    level: float
    ended: bool
    untold: dict | None
    elements: dict[str, list[int]]

    def fields(self) -> dict:
        """What `start` says of it."""
        return {
            "seconds": self.seconds,
            "least_seconds": self.least_seconds,
            "unseen_mm": round(self.first_mm - self.told_mm, 1),
            "length": self.length,
            "ended": self.ended,
            "untold": self.untold,
        }


def resume(state: State, now: Moment, mm_per_second: float | None, references: str) -> Resumption:
    """How to follow the inspection that left a state.

    Arguments:
        state: that was left.
        now: when.
        mm_per_second: of the belt at full speed; None if the lines waited meanwhile.
        references: fingerprint of the references by which this one goes.
    """
    seconds, least = _between(state.moment, now)
    moved = state.along_mm + (mm_per_second or 0) * least
    by_time = UNKNOWN if seconds is None else AT_MOST
    recent = seconds is not None and seconds < OLD_SECONDS
    by_count = COUNTED if state.ended else AT_LEAST
    return Resumption(
        told_mm=state.along_mm,
        first_mm=max(moved, state.arrived_mm),
        length=by_count if mm_per_second is None else by_time,
        seconds=None if seconds is None else round(seconds, 1),
        least_seconds=round(least, 1),
        level=state.level if recent and state.references in (None, references) else 0.0,
        ended=state.ended,
        untold=state.untold,
        elements=state.elements,
    )


def _between(before: Moment, now: Moment) -> tuple[float | None, float]:
    """Seconds from one moment to another, None if that is not known, and how many they are at least."""
    if before.boot is None or now.boot is None:
        return None, 0.0
    if before.boot == now.boot:
        passed = max(0.0, now.uptime - before.uptime)
        return passed, passed
    # Another start of the machine. The clock tells how long it was off only if it was right both times.
    passed = now.time - before.time
    if before.is_set and now.is_set and now.uptime <= passed <= LONGEST:
        return passed, passed
    return None, now.uptime
