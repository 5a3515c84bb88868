"""A station's folder as its only writer sees it: batches go in, the oldest pictures go out.

The order of writes makes the promises. Pictures are forced onto the disk before the transaction that names them, and a
volume is removed after the transaction that forgets it. So no record ever names a picture that is not there, and what a
power cut leaves of unfinished pictures is removed when the folder is opened again.
"""

import json
import os
import sqlite3
import time
from pathlib import Path

from wool_station.store import lock, recorder_alarms, schema, volumes
from wool_station.store.batch import MINUTE, Batch, EventRow, Minute
from wool_station.store.tile import HeardTile

VOLUME_BYTES = 16 << 20
LEAST_VOLUMES = 16
"""Volumes that a budget has at least, so that what is removed at once is a small part of it."""

WAL_BYTES = 4 << 20
"""Of the write-ahead log, from which on it goes into the database: pages that changed often are written there once."""

FORGET_SHARE = 16
"""One in so many of the records, the oldest, is removed when records alone are over the budget."""

TILE = ("time", "inspection", "product", "start_mm", "stop_mm", "left_mm", "right_mm", "score", "defective")
PICTURE = ("rows", "columns", "heatmap", "volume", "place", "bytes")
PUT_TILE = (
    f"INSERT INTO tiles ({', '.join(TILE + PICTURE)}) VALUES ({', '.join('?' * len(TILE + PICTURE))}) "
    "ON CONFLICT (inspection, start_mm, left_mm) DO UPDATE SET "
    + ", ".join(f"{name} = coalesce({name}, excluded.{name})" for name in PICTURE)
)
"""A tile that is there already, because its picture comes later or was heard again, keeps what it has."""

PUT_MINUTE = (
    f"INSERT OR REPLACE INTO minutes (minute, inspection, {', '.join(MINUTE)}) VALUES (?, ?{', ?' * len(MINUTE)})"
)

PUT_EVENT = (
    "INSERT INTO events (time, inspection, event, alarm, body) SELECT ?, ?, ?, ?, ? "
    "WHERE NOT EXISTS (SELECT 1 FROM events WHERE event = ? AND time = ? AND body = ?)"
)
"""The feed repeats the alarms that stand to each reader that connects."""

FORGOTTEN = {
    "events": "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?)",
    # Those with pictures are of the newest volume, which is never removed.
    "tiles": "DELETE FROM tiles WHERE id IN (SELECT id FROM tiles WHERE volume IS NULL ORDER BY id LIMIT ?)",
    "minutes": "DELETE FROM minutes WHERE (minute, inspection) IN "
    "(SELECT minute, inspection FROM minutes ORDER BY minute LIMIT ?)",
}
"""How the oldest records go. Not by their time: a clock that was wrong would take all that came before it was right."""


def is_damage(error: Exception) -> bool:
    """Whether SQLite says that the database itself is damaged, or none."""
    return type(error) is sqlite3.DatabaseError


def is_fault(error: Exception) -> bool:
    """Whether the disk is full, read-only or broken, or the database damaged; all else is a defect of this program."""
    return isinstance(error, OSError | sqlite3.OperationalError) or is_damage(error)


class Store:
    """A station's folder, for writing.

    Arguments:
        folder: is made if it does not exist.
        budget: bytes that database and pictures may take together.

    Attributes:
        product: the highest number of a product, at least 1.

    Raises:
        WoolError: another recorder has the folder, or it is of newer programs.
        OSError, sqlite3.Error: the disk is full, read-only or broken, or the database is damaged.
    """

    def __init__(self, folder: Path, budget: int):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._budget = folder, budget
        self._lock = lock.take(folder)
        try:
            self._database = schema.connect(folder)
        except BaseException:
            os.close(self._lock)
            raise
        try:
            # The write-ahead log goes into the database when `_checkpoint` says so.
            self._database.execute("PRAGMA wal_autocheckpoint=0")
            self._sweep()
            self.product = self._one("SELECT coalesce(max(product), 1) FROM products")
            row = self._database.execute("SELECT volume, bytes FROM volumes ORDER BY volume DESC LIMIT 1").fetchone()
            self._volume, self._bytes = tuple(row) if row else (1, 0)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._database.close()
        os.close(self._lock)

    def commit(self, batch: Batch) -> None:
        """Puts a batch onto the disk; afterwards it is there whatever happens.

        Raises:
            OSError, sqlite3.Error: it is not, and nothing of it is.
        """
        places, volume, end = self._write_pictures(batch)
        with schema.transaction(self._database):
            self._put(batch, places)
            if places:
                self._database.execute("INSERT OR REPLACE INTO volumes VALUES (?, ?)", (volume, end))
        self._volume, self._bytes = volume, end
        self.product = max([self.product, *(product for product, _ in batch.products)])
        self._checkpoint(min(WAL_BYTES, self._budget // LEAST_VOLUMES))

    def heard_mm(self, inspection: int) -> float | None:
        """How far along the belt an inspection was heard of; None if it is not known."""
        select = "SELECT heard_mm FROM inspections WHERE inspection = ?"
        row = self._database.execute(select, (inspection,)).fetchone()
        return row["heard_mm"] if row else None

    def newest(self) -> float | None:
        """When the event was that was recorded last, in seconds since 1970; None if there is none."""
        row = self._database.execute("SELECT time FROM events ORDER BY id DESC LIMIT 1").fetchone()
        return row["time"] if row else None

    def standing(self) -> list[str]:
        """Names of the recorder's own alarms that stood when it ended (`recorder_alarms`)."""
        return [event["alarm"] for event in recorder_alarms.standing(self._database)]

    def shrink(self) -> None:
        """Removes what is over the budget, the oldest pictures first; says what was removed in an event.

        Raises:
            OSError, sqlite3.Error: the disk is full, read-only or broken.
        """
        if self.size() > self._budget:
            self._checkpoint(0)
        while self.size() > self._budget:
            oldest = self._one("SELECT min(volume) FROM volumes WHERE volume < ?", self._volume)
            if oldest is not None:
                self._remove_pictures(oldest)
            elif not self._remove_records():
                return
            self._checkpoint(0)

    def size(self) -> int:
        """Bytes that the store takes: of the database only what is in use, for it fills its gaps by itself."""
        pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count")
        log = self._folder / f"{schema.FILE}-wal"
        pictures = self._one("SELECT coalesce(sum(bytes), 0) FROM volumes")
        return pages * self._one("PRAGMA page_size") + (log.stat().st_size if log.exists() else 0) + pictures

    def _one(self, statement: str, *values: object) -> int:
        return self._database.execute(statement, values).fetchone()[0]

    def _write_pictures(self, batch: Batch) -> tuple[dict[tuple, tuple[int, int, int]], int, int]:
        """Writes the pictures of a batch; returns volume, place and bytes of each, and where the next one goes."""
        most = min(VOLUME_BYTES, self._budget // LEAST_VOLUMES)
        volume, start = (self._volume, self._bytes) if self._bytes < most else (self._volume + 1, 0)
        places, end, content = {}, start, []
        for key, tile in batch.tiles.items():
            if tile.png is not None:
                places[key] = volume, end, len(tile.png)
                content.append(tile.png)
                end += len(tile.png)
        if content:
            volumes.write(self._folder, volume, start, b"".join(content))
        return places, volume, end

    def _put(self, batch: Batch, places: dict[tuple, tuple[int, int, int]]) -> None:
        many = self._database.executemany
        many("INSERT OR IGNORE INTO inspections VALUES (?, NULL, ?)", batch.inspections.items())
        many("UPDATE inspections SET heard_mm = ? WHERE inspection = ?", [(b, a) for a, b in batch.heard_mm.items()])
        many("INSERT OR REPLACE INTO shifts VALUES (?, ?, ?)", [(name, *span) for name, span in batch.shifts.items()])
        many(PUT_EVENT, [(*event, event.event, event.time, event.body) for event in batch.events])
        many(PUT_TILE, [_tile_row(tile, places.get(key)) for key, tile in batch.tiles.items()])
        many(
            "INSERT INTO products VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "start_mm = min(start_mm, excluded.start_mm), stop_mm = max(stop_mm, excluded.stop_mm)",
            [(*key, *span) for key, span in batch.products.items()],
        )
        for key, minute in batch.minutes.items():
            self._add_minute(key, minute)

    def _add_minute(self, key: tuple[int, int], new: Minute) -> None:
        select = "SELECT * FROM minutes WHERE minute = ? AND inspection = ?"
        row = self._database.execute(select, key).fetchone()
        whole = Minute.stored(row) if row else Minute()
        whole.add(new)
        self._database.execute(PUT_MINUTE, (*key, *whole.values()))

    def _checkpoint(self, most: int) -> None:
        """Puts the write-ahead log into the database if it has more bytes than that."""
        log = self._folder / f"{schema.FILE}-wal"
        if log.exists() and log.stat().st_size > most:
            # Where somebody is reading, it goes on with a longer log, and tries again after the next batch.
            self._database.execute("PRAGMA busy_timeout=0")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._database.execute(f"PRAGMA busy_timeout={round(1e3 * schema.WAIT_SECONDS)}")

    def _sweep(self) -> None:
        known = {row["volume"]: row["bytes"] for row in self._database.execute("SELECT * FROM volumes")}
        for volume in volumes.sweep(self._folder, known):
            text = "a file of pictures is missing or damaged: was it removed by hand, or is the disk failing?"
            body = {"event": "alarm", "alarm": "pictures_missing", "text": text, "volume": volume}
            self._forget_volume(volume, body)

    def _remove_pictures(self, volume: int) -> None:
        span = "SELECT count(*), min(time), max(time) FROM tiles WHERE volume = ?"
        count, first, last = self._database.execute(span, (volume,)).fetchone()
        self._forget_volume(volume, {"event": "removed", "pictures": count, "from": first, "to": last})
        volumes.remove(self._folder, volume)

    def _forget_volume(self, volume: int, body: dict) -> None:
        with schema.transaction(self._database):
            clear = "UPDATE tiles SET volume = NULL, place = NULL, bytes = NULL, heatmap = NULL WHERE volume = ?"
            self._database.execute(clear, (volume,))
            self._database.execute("DELETE FROM volumes WHERE volume = ?", (volume,))
            self._tell(body)

    def _remove_records(self) -> bool:
        """Removes the oldest records of each kind; returns whether there were any."""
        counts = {table: self._one(f"SELECT count(*) FROM {table}") // FORGET_SHARE for table in FORGOTTEN}
        if not any(counts.values()):
            return False
        select = "SELECT time FROM events ORDER BY id LIMIT 1 OFFSET ?"
        oldest = self._database.execute(select, (counts["events"],)).fetchone()
        with schema.transaction(self._database):
            for table, delete in FORGOTTEN.items():
                counts[table] = self._database.execute(delete, (counts[table],)).rowcount
            text = "records were removed, because they alone are over the budget: give more, or another disk"
            until = oldest["time"] if oldest else None
            self._tell({"event": "alarm", "alarm": "records_removed", "text": text, "until": until} | counts)
        return any(counts.values())

    def _tell(self, body: dict) -> None:
        now = round(time.time(), 3)
        about = json.dumps(body | {"time": now, "source": recorder_alarms.SOURCE})
        event = EventRow(now, 0, body["event"], body.get("alarm"), about)
        self._database.execute(PUT_EVENT, (*event, event.event, event.time, event.body))


def _tile_row(tile: HeardTile, place: tuple[int, int, int] | None) -> tuple:
    # Of a heatmap without its picture nobody has any use.
    grid = tile.grid if place and tile.grid else (None, None)
    heatmap = tile.heatmap if place else None
    return *(getattr(tile, name) for name in TILE), *grid, heatmap, *(place or (None, None, None))
