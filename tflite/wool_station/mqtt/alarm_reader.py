"""The recorder's own alarms, which the feed of the inspection does not have: they are read in its store."""

import json
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from wool_board.errors import in_one_line
from wool_station.store import recorder_alarms
from wool_station.store.reader import StoreReader

LOOK_SECONDS = 1.0


class RecorderAlarms(NamedTuple):
    """What the store says: alarms that are new in it, in their order, and the names of those that stand."""

    alarms: list[dict]
    standing: frozenset[str]


class AlarmReader:
    """Looks into the store once in a while. What was there before it began is not new.

    Arguments:
        folder: of the store, which need not exist yet.

    Attributes:
        trouble: why the store cannot be read, or None.
    """

    def __init__(self, folder: Path):
        self.trouble: str | None = None
        self._reader, self._due = StoreReader(folder, "ro"), 0.0
        self._last: int | None = None

    def look(self) -> RecorderAlarms | None:
        """What is new; None if it is not yet time, or if nothing can be read."""
        if time.monotonic() < self._due:
            return None
        self._due = time.monotonic() + LOOK_SECONDS
        try:
            found = self._found()
        except (OSError, sqlite3.Error) as error:
            self.trouble = in_one_line(error)
            return None
        self.trouble = None
        return found

    def _found(self) -> RecorderAlarms:
        with self._reader.connection() as database:
            if database is None:
                self._last = 0
                return RecorderAlarms([], frozenset())
            newest = database.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]
            last = newest if self._last is None else self._last
            # A store that was damaged is followed by an empty one, which numbers its events anew.
            last = 0 if newest < last else last
            select = "SELECT body FROM events WHERE event = 'alarm' AND id > ? AND id <= ? ORDER BY id"
            told = [json.loads(row["body"]) for row in database.execute(select, (last, newest))]
            standing = frozenset(event["alarm"] for event in recorder_alarms.standing(database))
        self._last = newest
        return RecorderAlarms([event for event in told if event.get("source") == recorder_alarms.SOURCE], standing)
