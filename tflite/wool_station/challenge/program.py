"""The work of `station.py challenge`."""

import dataclasses
import sqlite3
import time
from pathlib import Path

from wool_board.errors import UsageError, WoolError
from wool_station.challenge import records
from wool_station.challenge.monitor import GRACE_SECONDS
from wool_station.challenge.records import FOUND, Challenge
from wool_station.store.reader import StoreReader

LOOK_SECONDS = 0.2
LONGEST_SECONDS = 10.0
"""After which a recorder that runs would have said what became of a piece."""


@dataclasses.dataclass(frozen=True)
class ChallengeOptions:
    """Which piece is put through, by whom, within how many seconds it must be rejected, and where it lies."""

    store: Path
    piece: str
    operator: str
    seconds: float
    across_mm: str | None


def run(options: ChallengeOptions) -> int:
    """Says that a piece is put through, and waits for what becomes of it; status 1 if it is not found.

    Raises:
        WoolError: an option is wrong, or no recorder judges it.
    """
    challenge = Challenge(options.operator, options.piece, options.seconds, _across(options.across_mm))
    try:
        number = records.begin(options.store, challenge)
        print(f"Put {options.piece} onto the belt now; it must be rejected within {options.seconds:g} s.", flush=True)
        row = _closed(StoreReader(options.store), number, options.seconds + GRACE_SECONDS + LONGEST_SECONDS)
    except (OSError, sqlite3.Error) as error:
        raise WoolError(f"--store={options.store}: cannot be read or written ({error})") from None
    if row["outcome"] != FOUND:
        raise WoolError(f"{options.piece}: was not found; what passed since it was found last is to be looked at again")
    place = f"{row['start_mm'] / 1000:.2f} m, score {row['score']:.3f}"
    print(f"{options.piece}: found after {row['told'] - row['time']:.1f} s, at {place}")
    return 0


def _across(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        left, right = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"--across_mm={text}: must be LEFT,RIGHT, such as 100,250") from None
    return left, right


def _closed(reader: StoreReader, number: int, seconds: float) -> sqlite3.Row:
    """The row of a challenge, once it has an outcome."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        (row,) = reader.rows("SELECT * FROM challenges WHERE id = ?", number)
        if row["outcome"]:
            return row
        time.sleep(LOOK_SECONDS)
    raise WoolError(f"--store={reader.folder}: nobody says what became of the piece; does station.py record run?")
