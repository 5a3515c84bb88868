"""What operators say of the network's verdicts: checked, and on the disk when the call returns.

A correction has the picture that it is about with it, so that it stays whatever the disk budget removes.
"""

import dataclasses
import re
import sqlite3
import time
from pathlib import Path

from wool_board.errors import WoolError
from wool_station.store import schema

WRONGLY_REJECTED, MISSED, DEFECT, WITHDRAWN = "wrongly_rejected", "missed", "defect", "withdrawn"
VERDICTS = {
    WRONGLY_REJECTED: "wrongly rejected",
    MISSED: "missed here",
    DEFECT: "defect of this type",
    WITHDRAWN: "said by mistake",
}
"""What can be said of a tile; of the same tile, what was said last counts."""

OPERATOR = re.compile(r"\w[\w .'-]{0,39}")
TYPE = re.compile(r"\w[\w .,()/-]{0,39}")
"""Names of operators and types of defects: no line breaks, no `+` (which joins types in a manifest), and nothing that a
spreadsheet takes for a formula."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """The tile that a correction is about.

    Attributes:
        tile: its number in the store, or None of one that the store does not have.
        time: when it was looked at, in seconds since 1970.
        inspection: number.
        start_mm, stop_mm, left_mm, right_mm: where it is.
        score, defective: what the network said; None where nothing is known.
        png: its picture, or None.
    """

    tile: int | None
    time: float
    inspection: int
    start_mm: float
    stop_mm: float
    left_mm: float
    right_mm: float
    score: float | None
    defective: bool | None
    png: bytes | None


@dataclasses.dataclass(frozen=True)
class Statement:
    """What an operator says.

    Raises:
        WoolError: it cannot be said so.
    """

    operator: str
    verdict: str
    defect: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise WoolError(f"verdict: must be one of {', '.join(VERDICTS)}")
        if not OPERATOR.fullmatch(self.operator):
            raise WoolError("operator: give a name of 1 to 40 letters, digits, spaces or . ' -")
        if self.defect and not TYPE.fullmatch(self.defect):
            raise WoolError("defect: give a type of 1 to 40 letters, digits, spaces or . , ( ) / -")
        if self.verdict == DEFECT and not self.defect:
            raise WoolError("defect: name the type of the defect")
        if self.defect and self.verdict not in (DEFECT, MISSED):
            raise WoolError(f"defect: goes with {DEFECT} and {MISSED} only")


def put(folder: Path, statement: Statement, subject: Subject) -> int:
    """Keeps what an operator says; returns its number.

    Raises:
        WoolError: it is about a place where nothing is known to have been rejected or passed.
        OSError, sqlite3.Error: it is not on the disk.
    """
    _check(statement, subject)
    about = dataclasses.asdict(subject) | dataclasses.asdict(statement)
    about["tile_time"] = about.pop("time")
    about["time"] = round(time.time(), 3)
    names, marks = ", ".join(about), ", ".join("?" * len(about))
    database = schema.connect(folder)
    try:
        insert = f"INSERT INTO corrections ({names}) VALUES ({marks})"
        with schema.transaction(database):
            number = database.execute(insert, tuple(about.values())).lastrowid
    finally:
        database.close()
    assert number is not None
    return number


def _check(statement: Statement, subject: Subject) -> None:
    if statement.verdict == WRONGLY_REJECTED and not subject.defective:
        raise WoolError("verdict: this was not rejected")
    if statement.verdict == MISSED and subject.defective:
        raise WoolError("verdict: this was rejected, not missed; name the type of the defect instead")


def counting(rows: list[sqlite3.Row]) -> tuple[list[sqlite3.Row], list[sqlite3.Row]]:
    """The corrections that count, and those that a later one of the same place has replaced.

    Arguments:
        rows: corrections in the order of their numbers.
    """
    newest = {(row["inspection"], row["start_mm"], row["left_mm"]): row["id"] for row in rows}
    counts = set(newest.values())
    return [row for row in rows if row["id"] in counts], [row for row in rows if row["id"] not in counts]
