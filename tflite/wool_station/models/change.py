"""An entry of the book of models: who put which one into use, when and why."""

import dataclasses
import re
import sqlite3
import time

from wool_board.errors import WoolError
from wool_station.store.corrections import OPERATOR

USE, ROLLBACK, FOUND = "use", "rollback", "found"
"""What was done; a model that was put into use by other means is found."""

NOTE = re.compile(r"[^\x00-\x1f\x7f]{0,200}")


@dataclasses.dataclass(frozen=True)
class ModelChange:
    """An entry.

    Attributes:
        time: in seconds since 1970.
        operator: who; empty where nobody knows.
        action: USE, ROLLBACK or FOUND.
        file: name in the folder of models.
        sha256: of its network.
        digest: SHA-256 of its file.
        note: why, or nothing.
    """

    time: float
    operator: str
    action: str
    file: str
    sha256: str
    digest: str
    note: str

    @classmethod
    def now(cls, action: str, file: str, sha256: str, digest: str, operator: str, note: str) -> "ModelChange":
        """An entry of this moment.

        Raises:
            WoolError: operator or note are no such.
        """
        if action != FOUND and not OPERATOR.fullmatch(operator):
            raise WoolError("--operator: give a name of 1 to 40 letters, digits, spaces or . ' -")
        if not NOTE.fullmatch(note):
            raise WoolError("--note: give up to 200 characters in one line")
        return cls(round(time.time(), 3), operator, action, file, sha256, digest, note)

    @classmethod
    def of(cls, row: sqlite3.Row) -> "ModelChange":
        return cls(*(row[field.name] for field in dataclasses.fields(cls)))

    def put(self, database: sqlite3.Connection) -> None:
        names = [field.name for field in dataclasses.fields(self)]
        insert = f"INSERT INTO models ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        database.execute(insert, dataclasses.astuple(self))
