"""What has been heard and is not yet in the database."""

import dataclasses
import json
import sqlite3
from typing import NamedTuple

from wool_station.store.tile import HeardTile

CLASSES = 20
"""Classes of scores, of equal width from 0 to 1."""


class EventRow(NamedTuple):
    """An event to be kept: when, in which inspection, its kind, the name of an alarm or None, and all of it as JSON."""

    time: float
    inspection: int
    event: str
    alarm: str | None
    body: str


@dataclasses.dataclass
class Minute:
    """What passed within a minute; its fields are columns of the table `minutes`, `scores` as JSON."""

    tiles: int = 0
    defective: int = 0
    rejects: int = 0
    seen_mm: float = 0.0
    air_mm: float = 0.0
    unseen_mm: float = 0.0
    untold_mm: float = 0.0
    scores: list[int] = dataclasses.field(default_factory=lambda: [0] * CLASSES)

    @classmethod
    def stored(cls, row: sqlite3.Row) -> "Minute":
        """Of a row of the table."""
        return cls(**{name: row[name] for name in MINUTE} | {"scores": json.loads(row["scores"])})

    def values(self) -> tuple:
        """For the columns `MINUTE` of the table."""
        return tuple((vars(self) | {"scores": json.dumps(self.scores)}).values())

    def add(self, other: "Minute") -> None:
        """Counts what another one has counted, too."""
        for name in MINUTE[:-1]:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.scores = [one + more for one, more in zip(self.scores, other.scores, strict=True)]


MINUTE = tuple(field.name for field in dataclasses.fields(Minute))
"""Columns of the table `minutes` besides its key, the scores last."""


@dataclasses.dataclass
class Batch:
    """What goes into the database in one transaction.

    Attributes:
        inspections: start events as JSON, by inspection.
        heard_mm: how far along the belt events were heard, by inspection.
        shifts: began and ends, by name.
        events: in their order.
        tiles: by their keys.
        minutes: by minute since 1970, and inspection.
        products: where each begins and ends, by product and inspection.
    """

    inspections: dict[int, str] = dataclasses.field(default_factory=dict)
    heard_mm: dict[int, float] = dataclasses.field(default_factory=dict)
    shifts: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    events: list[EventRow] = dataclasses.field(default_factory=list)
    tiles: dict[tuple[int, float, float], HeardTile] = dataclasses.field(default_factory=dict)
    minutes: dict[tuple[int, int], Minute] = dataclasses.field(default_factory=dict)
    products: dict[tuple[int, int], tuple[float, float]] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in dataclasses.fields(self))

    def minute(self, time: float, inspection: int) -> Minute:
        """The counts of the minute of a time."""
        return self.minutes.setdefault((int(time // 60), inspection), Minute())

    @property
    def picture_bytes(self) -> int:
        return sum(len(tile.png) for tile in self.tiles.values() if tile.png)

    def drop_pictures(self) -> int:
        """Leaves the pictures out; returns how many they were."""
        dropped = 0
        for tile in self.tiles.values():
            dropped += tile.png is not None
            tile.png = None
        return dropped
