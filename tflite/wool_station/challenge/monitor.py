"""Watches whether test pieces are found, and put through in time; in the process of the recorder."""

import collections
import contextlib
import datetime
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from wool_station.challenge import records
from wool_station.challenge.records import FOUND, MISSED, Piece
from wool_station.events import Event, RejectEvent, Start, TileEvent
from wool_station.store import schema
from wool_station.store.recorder_alarms import CHALLENGE_FAILED, CHALLENGE_OVERDUE
from wool_station.store.store import is_fault
from wool_station.watch.watch import Tell

POLL_SECONDS = 1.0
GRACE_SECONDS = 3.0
"""After the time for a piece is over, until it is taken for missed: what was told in time may be heard later."""

KEPT_REJECTS = 256
"""Newest rejects among which that of a piece is looked for: those of some minutes."""


class HeardReject(NamedTuple):
    """A reject, and the inspection that told it."""

    event: RejectEvent
    inspection: int


class ChallengeMonitor:
    """Closes challenges, and gives alarms.

    A reject is that of a piece if it was told between the piece's start and its last second, lies on belt that had not
    been heard of at the start, and, if it was said where across the belt the piece lies, touches that.

    Arguments:
        folder: of the store.
        pieces: minutes by piece, in which each must be found once.
        tell: takes alarms.
    """

    def __init__(self, folder: Path, pieces: dict[str, float], tell: Tell):
        self._folder, self._wanted, self._tell = folder, pieces, tell
        self._inspection = 0
        self._rejects: collections.deque[HeardReject] = collections.deque(maxlen=KEPT_REJECTS)
        self._pieces: list[Piece] = []
        self._polled, self._passes = float("-inf"), False
        self.is_open = False
        """Whether a piece is on the belt."""

    def take(self, event: Event | None) -> None:
        """Takes an event of the feed."""
        match event:
            case Start():
                self._inspection = event.inspection
            case RejectEvent():
                self._rejects.append(HeardReject(event, self._inspection))
            case TileEvent():
                self._passes = True

    def tick(self) -> None:
        """Looks, once in a while, whether a piece is found or due; must be called often."""
        now = time.monotonic()
        if now - self._polled < POLL_SECONDS:
            return
        self._polled = now
        try:
            self._poll()
        except (OSError, sqlite3.Error) as error:
            # The recorder says that the disk is full or broken; this is tried again.
            if not is_fault(error):
                raise
        else:
            self._alarm(time.time())
        self._passes = False

    def _poll(self) -> None:
        if not (self._folder / schema.FILE).exists():
            return
        with contextlib.closing(schema.connect(self._folder)) as database:
            self._enter(database)
            waiting = database.execute("SELECT * FROM challenges WHERE outcome IS NULL ORDER BY id").fetchall()
            closed = [self._close(database, row) for row in waiting]
            self.is_open = not all(closed)
            last = {row["piece"]: row for row in database.execute(records.LAST, (time.time() + records.AHEAD_SECONDS,))}
            rows = database.execute("SELECT * FROM pieces ORDER BY piece")
            self._pieces = [records.piece(row, last.get(row["piece"])) for row in rows]

    def _enter(self, database: sqlite3.Connection) -> None:
        """Leaves in the store which pieces are wanted, for the page; a damaged store is followed by an empty one."""
        known = {row["piece"]: row["minutes"] for row in database.execute("SELECT * FROM pieces")}
        if known != self._wanted:
            with schema.transaction(database):
                database.execute("DELETE FROM pieces")
                database.executemany("INSERT INTO pieces VALUES (?, ?)", self._wanted.items())

    def _close(self, database: sqlite3.Connection, row: sqlite3.Row) -> bool:
        """Closes a challenge if its outcome is known; returns whether it is."""
        found = next((reject for reject in self._rejects if _is_of(reject, row)), None)
        # If the clock was set back, nobody knows any more what was told in time, and the piece was not found.
        is_awaited = row["time"] - records.AHEAD_SECONDS <= time.time() <= row["until"] + GRACE_SECONDS
        if found is None and is_awaited:
            return False
        where = (found.event.time, *found.event.along_mm, found.event.score) if found else (None,) * 4
        with schema.transaction(database):
            update = "UPDATE challenges SET outcome = ?, told = ?, start_mm = ?, stop_mm = ?, score = ? WHERE id = ?"
            database.execute(update, (FOUND if found else MISSED, *where, row["id"]))
        if found:
            # The next piece needs a reject of its own.
            self._rejects.remove(found)
        return True

    def _alarm(self, now: float) -> None:
        failed = [piece for piece in self._pieces if piece.failed]
        text = "a test piece was not found"
        if failed:
            since = "; ".join(f"{piece.name}, {_since(piece)}" for piece in failed)
            text += f" ({since}): what passed since then is to be looked at again"
        self._tell(CHALLENGE_FAILED, bool(failed), text)
        late = [piece.name for piece in self._pieces if piece.due < now]
        # A belt that stands over the weekend needs no test pieces.
        if self._passes or not late:
            names = f": {'; '.join(late)}" if late else ""
            self._tell(CHALLENGE_OVERDUE, bool(late), f"test pieces are due{names}")


def _is_of(reject: HeardReject, row: sqlite3.Row) -> bool:
    told, (left, right) = reject.event, reject.event.across_mm
    if not row["time"] <= told.time <= row["until"]:
        return False
    # Of an inspection that began later every place is new.
    if reject.inspection == row["inspection"] and row["heard_mm"] is not None and told.along_mm[0] < row["heard_mm"]:
        return False
    return row["left_mm"] is None or (left < row["right_mm"] and row["left_mm"] < right)


def _since(piece: Piece) -> str:
    if piece.found is None:
        return "never found before"
    return f"found last at {datetime.datetime.fromtimestamp(piece.found).strftime('%Y-%m-%d %H:%M')}"
