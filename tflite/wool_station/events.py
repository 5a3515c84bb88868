"""What an inspection says, as far as others go by it; docs/board.md and docs/station.md have all fields.

Whoever keeps events, or hands them on, does so as they came.
"""

import dataclasses
from typing import Any

from wool_station.feed import LOST

Span = tuple[float, float]
"""From and to, in millimetres."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """An inspection begins, or is heard again.

    Attributes:
        time: when it began, in seconds since 1970.
        model: its file.
        sha256, precision, threshold, held_out: of the model, see `Card`.
        width: elements of the detector.
        window: attenuations that become black and white.
        side, seen: lines and elements of a tile, and those of them that the network sees.
        pixel_mm: from line to line.
        position, lines_per_second: as the options of the inspection say.
        stated_latency: `mm` and `ms` from its start after which a reject is told at the latest, or None.
        first_mm: where the first line lies.
    """

    time: float
    model: str
    sha256: str
    precision: str | None
    threshold: float
    held_out: dict | None = None
    width: int
    window: tuple[float, float]
    side: int
    seen: int
    pixel_mm: float
    position: str
    lines_per_second: float
    stated_latency: dict[str, float] | None
    first_mm: float

    @property
    def inspection(self) -> int:
        """Number of the inspection, which no other has."""
        return round(1e3 * self.time)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clock:
    """Lines have come.

    Attributes:
        line, along_mm: before which all have arrived.
        decided: line before which all is told.
        monotonic: when, in seconds of the system's monotonic clock.
    """

    line: int
    along_mm: float
    decided: int
    monotonic: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class StretchEvent:
    """A stretch of the belt that shows no tile; `time` is in seconds since 1970."""

    time: float
    along_mm: Span


class Air(StretchEvent):
    """Nothing was to be looked at."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unseen(StretchEvent):
    """Nobody looked, for a reason."""

    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgedEvent:
    """What the network says of a place: a score from 0 to 1."""

    along_mm: Span
    across_mm: Span
    score: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class TileEvent(JudgedEvent):
    """A tile was looked at."""

    time: float
    defective: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pixels(JudgedEvent):
    """The same tile, with a payload: its `height` × `width` pixels, and the heatmap of so many rows and columns."""

    defective: bool
    height: int
    width: int
    heatmap: tuple[int, int] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RejectEvent(JudgedEvent):
    """A stretch is to be thrown out.

    Attributes:
        reject, part: their numbers; parts of a reject count from 1.
        last: whether no part follows.
        latency_mm, latency_ms: since it began.
    """

    time: float
    reject: int
    part: int
    last: bool
    latency_mm: float
    latency_ms: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something begins or ends to be so (`on`), or happened and has no duration (None).

    Attributes:
        source: of the recorder's own alarms `store.recorder_alarms.SOURCE`, of those of an inspection None.
    """

    time: float
    alarm: str
    text: str
    on: bool | None = None
    source: str | None = None


@dataclasses.dataclass(frozen=True)
class Lost:
    """There is no connection (any more), and why."""

    text: str


@dataclasses.dataclass(frozen=True)
class Refused:
    """The inspection has too many readers already, in words."""

    text: str


Event = Start | Clock | Air | Unseen | TileEvent | Pixels | RejectEvent | Alarm | Lost | Refused

_KINDS: dict[str, type[Event]] = {
    "start": Start,
    "clock": Clock,
    "air": Air,
    "unseen": Unseen,
    "tile": TileEvent,
    "pixels": Pixels,
    "reject": RejectEvent,
    "alarm": Alarm,
    LOST: Lost,
    "refused": Refused,
}


NAMES: dict[type, str] = {kind: name for name, kind in _KINDS.items()}
"""What messages call the kinds of events."""


def typed(message: dict) -> Event | None:
    """The event of a message; None of those that no program goes by, and while the feed is silent."""
    kind = _KINDS.get(message["event"])
    if kind is None:
        return None
    given: dict[str, Any] = {}
    for name in (field.name for field in dataclasses.fields(kind) if field.name in message):
        given[name] = tuple(message[name]) if isinstance(message[name], list) else message[name]
    return kind(**given)
