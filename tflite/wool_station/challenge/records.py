"""Records of test pieces: which there are and when they are due, which were put through, and what was found.

`station.py challenge` and the page open a challenge; the recorder, which hears the rejects, closes it.
"""

import dataclasses
import re
import sqlite3
import time
from pathlib import Path

from wool_board.errors import UsageError, WoolError
from wool_station.store import schema
from wool_station.store.corrections import OPERATOR
from wool_station.store.reader import StoreReader

FOUND, MISSED = "found", "missed"
PIECE = re.compile(r"\w[\w .,()/-]{0,39}")
MOST_SECONDS = 600.0
SECONDS = 60.0
"""Within which a piece that is put onto the belt must be rejected, unless something else is said."""

AHEAD_SECONDS = 1.0
"""What is noted for a later time than this from now was noted before the clock was set back."""


@dataclasses.dataclass(frozen=True)
class Challenge:
    """A piece that is put through from now on.

    Attributes:
        operator: who does it.
        piece: its name.
        seconds: within which it must be rejected.
        across_mm: between which places across the belt it lies, or None: anywhere.

    Raises:
        WoolError: that cannot be said so.
    """

    operator: str
    piece: str
    seconds: float = SECONDS
    across_mm: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not OPERATOR.fullmatch(self.operator):
            raise WoolError("operator: give a name of 1 to 40 letters, digits, spaces or . ' -")
        if not PIECE.fullmatch(self.piece):
            raise WoolError("piece: give a name of 1 to 40 letters, digits, spaces or . , ( ) / -")
        if not 1 <= self.seconds <= MOST_SECONDS:
            raise WoolError(f"seconds: must be 1 to {MOST_SECONDS:g}")
        if self.across_mm and not self.across_mm[0] < self.across_mm[1]:
            raise WoolError("across_mm: must be two places in mm, the lower one first")


@dataclasses.dataclass(frozen=True)
class Piece:
    """A test piece that is due time and again.

    Attributes:
        name: of it.
        minutes: in which it must be found once.
        found: when it was found last, in seconds since 1970, or None.
        failed: whether it was not found when it was put through last.
    """

    name: str
    minutes: float
    found: float | None
    failed: bool

    @property
    def due(self) -> float:
        """When it must be put through again; 0 of one that was never found."""
        return 0.0 if self.found is None else self.found + 60 * self.minutes


def pieces(text: list[str]) -> dict[str, float]:
    """Minutes by piece, as a user gives them as `PIECE:MINUTES`.

    Raises:
        UsageError: a text is not that.
    """
    found = {}
    for one in text:
        name, _, minutes = one.rpartition(":")
        try:
            found[name] = float(minutes)
        except ValueError:
            found[name] = 0.0
        if not PIECE.fullmatch(name) or not 1 <= found[name] <= 1e5:
            raise UsageError(f"--challenge={one}: must be PIECE:MINUTES, such as steel ball 3 mm:240")
    return found


def begin(folder: Path, challenge: Challenge) -> int:
    """Says that a piece is put through from now on; returns the number of the challenge.

    Raises:
        WoolError: there is no such piece, nothing is recorded, or the last piece is still awaited.
        OSError, sqlite3.Error: it is not on the disk.
    """
    schema.check_store(folder)
    now, (left, right) = round(time.time(), 3), challenge.across_mm or (None, None)
    database = schema.connect(folder)
    try:
        with schema.transaction(database):
            _check(database, challenge, now)
            row = database.execute("SELECT inspection, heard_mm FROM inspections ORDER BY inspection DESC LIMIT 1")
            inspection, heard = row.fetchone() or (None, None)
            values = now, challenge.operator, challenge.piece, inspection, heard, left, right, now + challenge.seconds
            names = "time, operator, piece, inspection, heard_mm, left_mm, right_mm, until"
            insert = f"INSERT INTO challenges ({names}) VALUES ({', '.join('?' * len(values))})"
            number = database.execute(insert, values).lastrowid
    finally:
        database.close()
    assert number is not None
    return number


def _check(database: sqlite3.Connection, challenge: Challenge, now: float) -> None:
    known = [row["piece"] for row in database.execute("SELECT piece FROM pieces ORDER BY piece")]
    if known and challenge.piece not in known:
        raise WoolError(f"piece: must be one of {'; '.join(known)}")
    # A reject could be either's.
    waiting = database.execute("SELECT piece FROM challenges WHERE outcome IS NULL AND until > ?", (now,)).fetchone()
    if waiting:
        raise WoolError(f"piece: {waiting['piece']} is still awaited; put the next one through after it")


def due(reader: StoreReader) -> list[Piece]:
    """The pieces that are due time and again, by name."""
    last = {row["piece"]: row for row in reader.rows(LAST, time.time() + AHEAD_SECONDS)}
    return [piece(row, last.get(row["piece"])) for row in reader.rows("SELECT * FROM pieces ORDER BY piece")]


LAST = (
    "SELECT piece, max(CASE WHEN outcome = 'found' THEN time END) AS found, "
    "max(CASE WHEN outcome = 'missed' THEN time END) AS missed FROM challenges WHERE time <= ? GROUP BY piece"
)
"""Of each piece when it was found last, and not found, before a time: what a wrong clock put into the future is not."""


def piece(row: sqlite3.Row, last: sqlite3.Row | None) -> Piece:
    """A piece by its row in the table, and what `LAST` says of it."""
    found, missed = (last["found"], last["missed"]) if last else (None, None)
    return Piece(row["piece"], row["minutes"], found, missed is not None and (found is None or missed > found))
