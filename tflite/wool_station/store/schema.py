"""The database of a station: its tables, and how it is opened.

SQLite in WAL mode with `synchronous=FULL`: a transaction is on the disk when its commit returns, and a power cut at any
moment leaves all of it or nothing.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from wool_board.errors import Unusable, WoolError

FILE = "station.sqlite"
FORMAT = 1

WAIT_SECONDS = 10.0
"""For another process that is writing; transactions are short."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE inspections (           -- from a start of the inspection to its end; `body` is the start event
    inspection INTEGER PRIMARY KEY,  -- `time` of its start event in milliseconds
    heard_mm REAL,                   -- how far along the belt the recorder has heard of it
    body TEXT NOT NULL);
CREATE TABLE shifts (
    name TEXT PRIMARY KEY,           -- local time of its beginning, 2026-11-26T06:00
    began REAL NOT NULL, ends REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE events (                -- all but those that are counted in `minutes`; any kind may be added
    id INTEGER PRIMARY KEY, time REAL NOT NULL, inspection INTEGER NOT NULL,
    event TEXT NOT NULL, alarm TEXT, body TEXT NOT NULL);
CREATE INDEX events_by_kind ON events (event, time);
CREATE TABLE minutes (               -- what passed; `scores` counts tiles in 20 classes of equal width
    minute INTEGER NOT NULL, inspection INTEGER NOT NULL,
    tiles INTEGER NOT NULL, defective INTEGER NOT NULL, rejects INTEGER NOT NULL,
    seen_mm REAL NOT NULL, air_mm REAL NOT NULL, unseen_mm REAL NOT NULL, untold_mm REAL NOT NULL,
    scores TEXT NOT NULL, PRIMARY KEY (minute, inspection)) WITHOUT ROWID;
CREATE TABLE products (              -- stretches without air; one that goes on after a restart keeps its number
    product INTEGER NOT NULL, inspection INTEGER NOT NULL, start_mm REAL NOT NULL, stop_mm REAL NOT NULL,
    PRIMARY KEY (product, inspection)) WITHOUT ROWID;
CREATE TABLE volumes (               -- files of pictures, and how many bytes of each count
    volume INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
CREATE TABLE tiles (                 -- every defective tile, and a sample of the others
    id INTEGER PRIMARY KEY, time REAL NOT NULL, inspection INTEGER NOT NULL, product INTEGER NOT NULL,
    start_mm REAL NOT NULL, stop_mm REAL NOT NULL, left_mm REAL NOT NULL, right_mm REAL NOT NULL,
    score REAL NOT NULL, defective INTEGER NOT NULL,
    rows INTEGER, columns INTEGER, heatmap BLOB,
    volume INTEGER, place INTEGER, bytes INTEGER,   -- its PNG; NULL where there is none (any more)
    UNIQUE (inspection, start_mm, left_mm));
CREATE INDEX tiles_by_time ON tiles (time);
CREATE INDEX tiles_by_volume ON tiles (volume) WHERE volume IS NOT NULL;
CREATE TABLE corrections (           -- what operators said, with a picture of its own that no budget removes
    id INTEGER PRIMARY KEY, time REAL NOT NULL, operator TEXT NOT NULL, verdict TEXT NOT NULL, defect TEXT NOT NULL,
    tile INTEGER, tile_time REAL NOT NULL, inspection INTEGER NOT NULL,
    start_mm REAL NOT NULL, stop_mm REAL NOT NULL, left_mm REAL NOT NULL, right_mm REAL NOT NULL,
    score REAL, defective INTEGER, png BLOB);
CREATE TABLE pieces (                -- test pieces, and in how many minutes each must be found once
    piece TEXT PRIMARY KEY, minutes REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE challenges (            -- test pieces that were put through; `heard_mm` of the belt was heard of before
    id INTEGER PRIMARY KEY, time REAL NOT NULL, operator TEXT NOT NULL, piece TEXT NOT NULL,
    inspection INTEGER, heard_mm REAL, left_mm REAL, right_mm REAL, until REAL NOT NULL,
    outcome TEXT,                    -- found, missed, or NULL: not known yet
    told REAL,                       -- its reject: when it was told, and where it is
    start_mm REAL, stop_mm REAL, score REAL);
CREATE TABLE models (                -- which model was put into use; `action` is use, rollback, or found
    id INTEGER PRIMARY KEY, time REAL NOT NULL, operator TEXT NOT NULL, action TEXT NOT NULL,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,            -- of its network, as start events have it
    digest TEXT NOT NULL,            -- SHA-256 of its file
    note TEXT NOT NULL);
"""


def connect(folder: Path) -> sqlite3.Connection:
    """Opens the database of a folder, and makes it if there is none; without transactions of the module's own.

    Raises:
        WoolError: the database is of newer programs.
        sqlite3.Error: it cannot be opened or written, or is damaged.
    """
    database = sqlite3.connect(folder / FILE, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        database.row_factory = sqlite3.Row
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            database.execute("PRAGMA journal_mode=WAL")
            _make(database)
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA temp_store=MEMORY")
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found > FORMAT:
            raise WoolError(f"{folder / FILE}: is of format {found}, newer than {FORMAT}; update these programs")
    except BaseException:
        database.close()
        raise
    return database


def check_store(folder: Path) -> None:
    """Raises WoolError where a folder holds no database, and nothing is to be made there."""
    if not (folder / FILE).is_file():
        raise Unusable("store", folder, "holds no memory of a station; give the folder that record writes")


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of what is done within, or nothing of it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # After some errors SQLite has rolled back by itself.
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _make(database: sqlite3.Connection) -> None:
    with transaction(database):
        # Another process may have made them meanwhile.
        if database.execute("PRAGMA user_version").fetchone()[0]:
            return
        for statement in TABLES.split(";\n"):
            if statement.strip():
                database.execute(statement)
        # So that the products of two stations never have one name.
        database.execute("INSERT INTO meta VALUES ('station', ?)", (secrets.token_hex(3),))
        database.execute(f"PRAGMA user_version={FORMAT}")
