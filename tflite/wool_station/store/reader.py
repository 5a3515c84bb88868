"""What the page and the report read of a store, while the recorder writes to it or not."""

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from wool_station.events import NAMES, Event, Start, typed
from wool_station.store import schema, volumes
from wool_station.store.batch import Minute
from wool_station.store.shifts import Shift
from wool_station.store.tile import StoredTile

E = TypeVar("E", bound=Event)


class StoreReader:
    """Reads a store; each call for itself, from any thread.

    Arguments:
        folder: of the store, which need not exist yet.
        mode: `ro` for a process that must not write into the folder, as SQLite does for every reader where no recorder
            works. Such a process then cannot read.

    Every method raises sqlite3.Error where the database is damaged, and OSError where the disk is.
    """

    def __init__(self, folder: Path, mode: str = "rw"):
        self.folder, self._mode = folder, mode

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection | None]:
        """A connection that can only read; None if there is no database yet."""
        file = self.folder / schema.FILE
        if not file.exists():
            yield None
            return
        address = f"{file.absolute().as_uri()}?mode={self._mode}"
        database = sqlite3.connect(address, uri=True, timeout=schema.WAIT_SECONDS, isolation_level=None)
        try:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA query_only=ON")
            made = database.execute("PRAGMA user_version").fetchone()[0]
            yield database if made else None
        finally:
            database.close()

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query; none where there is no database yet."""
        with self.connection() as database:
            return database.execute(statement, values).fetchall() if database else []

    def newest_shift(self, now: float) -> Shift | None:
        """The newest shift that has begun; one that a clock which was wrong has put into the future has not."""
        rows = self.rows("SELECT * FROM shifts WHERE began <= ? ORDER BY began DESC LIMIT 1", now)
        return Shift(*rows[0]) if rows else None

    def totals(self, began: float, ends: float) -> Minute:
        """What passed from one time to another, in whole minutes."""
        select = "SELECT * FROM minutes WHERE minute >= ? AND minute < ?"
        total = Minute()
        for row in self.rows(select, began // 60, -(-ends // 60)):
            total.add(Minute.stored(row))
        return total

    def events(self, kind: type[E], began: float, ends: float, most: int) -> list[E]:
        """The newest events of a kind within a time, newest first, at most so many."""
        select = (
            "SELECT body FROM events WHERE event = ? AND time >= ? AND time < ? ORDER BY time DESC, id DESC LIMIT ?"
        )
        return [event_of(row) for row in self.rows(select, NAMES[kind], began, ends, most)]

    def last_events(self, kind: str, most: int) -> list[dict]:
        """The events of a kind as they came that were recorded last, newest first, at most so many; whatever the clock
        was then."""
        # The index tells which they are, without a look at the bodies of all others.
        last = "SELECT id FROM events WHERE event = ? ORDER BY id DESC LIMIT ?"
        rows = self.rows(f"SELECT body FROM events WHERE id IN ({last}) ORDER BY id DESC", kind, most)
        return [json.loads(row["body"]) for row in rows]

    def inspections(self) -> dict[int, Start]:
        """The start events, by inspection."""
        return {row["inspection"]: event_of(row) for row in self.rows("SELECT * FROM inspections")}

    def rejected(self, began: float, ends: float, most: int) -> list[StoredTile]:
        """The newest defective tiles within a time, newest first, at most so many."""
        where = "defective AND time >= ? AND time < ? ORDER BY time DESC, id DESC LIMIT ?"
        return self._tiles(where, began, ends, most)

    def last_rejected(self, most: int) -> list[StoredTile]:
        """The defective tiles that were recorded last, newest first, at most so many; whatever the clock was then."""
        return self._tiles("defective ORDER BY id DESC LIMIT ?", most)

    def tile(self, number: int) -> StoredTile | None:
        """A tile by its number."""
        found = self._tiles("id = ?", number)
        return found[0] if found else None

    def picture(self, number: int) -> bytes | None:
        """The PNG of a tile; None if there is none, or it was removed meanwhile."""
        select = "SELECT volume, place, bytes FROM tiles WHERE id = ? AND volume IS NOT NULL"
        rows = self.rows(select, number)
        return volumes.read(self.folder, *rows[0]) if rows else None

    def _tiles(self, where: str, *values: object) -> list[StoredTile]:
        # `where` is a constant of this module; what comes from outside is among the values.
        return [_tile(row) for row in self.rows(f"SELECT * FROM tiles WHERE {where}", *values)]


def event_of(row: sqlite3.Row) -> Any:
    """The event of a row, of a kind that programs go by."""
    return typed(json.loads(row["body"]))


def _tile(row: sqlite3.Row) -> StoredTile:
    plain = {field.name: row[field.name] for field in dataclasses.fields(StoredTile) if field.name in row.keys()}
    grid = None if row["rows"] is None else (row["rows"], row["columns"])
    plain |= {"defective": bool(row["defective"]), "grid": grid}
    return StoredTile(**plain, has_picture=row["volume"] is not None)
