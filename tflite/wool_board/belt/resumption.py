"""Where an inspection goes on that follows another: nothing that passed between them is seen, and that is told."""

import dataclasses

from wool_board.belt.state import State

OLD_SECONDS = 3600.0
"""A beam that was followed longer ago than this may be another one."""

LONGEST = 30 * 86400.0
"""Seconds between two inspections beyond which the clock is not believed."""


@dataclasses.dataclass(frozen=True)
class Resumption:
    """How an inspection follows another.

    Attributes:
        told_mm: of the belt, before which the earlier one told all.
        first_mm: where the first line of this one lies; what is between was not seen.
        seconds: since the earlier one last said how far it was, or None if the clock does not tell.
        estimated: whether `first_mm` is the most that the belt can have moved in this time, and not a count of lines.
        level: attenuation of the open beam by the references, 0 if that is too long ago.
        ended: whether the earlier one came to its end.
        untold: events that it left out.
        elements: that it found ill, see `State`.
    """

    told_mm: float
    first_mm: float
    seconds: float | None
    estimated: bool
    level: float
    ended: bool
    untold: dict | None
    elements: dict[str, list[int]]

    def fields(self) -> dict:
        """What `start` says of it."""
        return {
            "seconds": self.seconds,
            "unseen_mm": round(self.first_mm - self.told_mm, 1),
            "estimated": self.estimated,
            "ended": self.ended,
            "untold": self.untold,
        }


def resume(state: State, now: float, mm_per_second: float | None) -> Resumption:
    """How to follow the inspection that left a state.

    Arguments:
        state: that was left.
        now: in seconds since 1970.
        mm_per_second: of the belt at full speed; None if the lines waited meanwhile.
    """
    seconds = now - state.time if 0 <= now - state.time <= LONGEST else None
    moved = state.along_mm + (mm_per_second or 0) * (seconds or 0)
    return Resumption(
        told_mm=state.along_mm,
        first_mm=max(moved, state.arrived_mm),
        seconds=None if seconds is None else round(seconds, 1),
        estimated=mm_per_second is not None,
        level=state.level if seconds is not None and seconds < OLD_SECONDS else 0.0,
        ended=state.ended,
        untold=state.untold,
        elements=state.elements,
    )
