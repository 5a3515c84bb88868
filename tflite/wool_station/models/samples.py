"""What of a store two models can be compared on: the pictures that it has, with what operators said of them."""

import dataclasses
import sqlite3
from collections.abc import Iterator

from wool_station.store import volumes
from wool_station.store.corrections import WITHDRAWN, WRONGLY_REJECTED, counting
from wool_station.store.reader import StoreReader

MOST = 2000
"""Newest tiles that were rejected, and that passed: on a board a model takes some 50 ms for each."""

CORRECTED, REJECTED, PASSED = "corrected", "rejected", "passed"
"""Kinds of samples: of which operators said what they show; which were called defective, or passed, and nobody said
anything."""

PRODUCT = "SELECT min(product) AS product FROM products WHERE inspection = ? AND start_mm <= ? AND stop_mm >= ?"


@dataclasses.dataclass(frozen=True)
class Sample:
    """A picture.

    Attributes:
        kind: CORRECTED, REJECTED or PASSED.
        truth: whether it shows a defect, as operators said; None where none did.
        product: number of the product that it shows, or None.
        inspection: number.
        time: when it was looked at.
        start_mm, left_mm: where.
        said: what operators said, or nothing.
        png: the picture.
    """

    kind: str
    truth: bool | None
    product: int | None
    inspection: int
    time: float
    start_mm: float
    left_mm: float
    said: str
    png: bytes


def samples(reader: StoreReader) -> Iterator[Sample]:
    """All samples, corrections first; each place once."""
    rows = reader.rows("SELECT * FROM corrections ORDER BY id")
    places = set()
    for row in counting(rows)[0]:
        if row["verdict"] == WITHDRAWN or row["png"] is None:
            continue
        places.add(_place(row))
        middle = (row["start_mm"] + row["stop_mm"]) / 2
        (found,) = reader.rows(PRODUCT, row["inspection"], middle, middle)
        is_defect = row["verdict"] != WRONGLY_REJECTED
        said = row["defect"] or row["verdict"].replace("_", " ")
        yield _sample(row, CORRECTED, is_defect, found["product"], row["tile_time"], said, row["png"])
    select = "SELECT * FROM tiles WHERE defective = ? AND volume IS NOT NULL ORDER BY id DESC LIMIT ?"
    for defective, kind in ((1, REJECTED), (0, PASSED)):
        for row in reader.rows(select, defective, MOST):
            # A picture may be removed meanwhile.
            png = volumes.read(reader.folder, row["volume"], row["place"], row["bytes"])
            if png is not None and _place(row) not in places:
                yield _sample(row, kind, None, row["product"], row["time"], "", png)


def _place(row: sqlite3.Row) -> tuple[int, float, float]:
    return row["inspection"], row["start_mm"], row["left_mm"]


def _sample(
    row: sqlite3.Row, kind: str, truth: bool | None, product: int | None, time: float, said: str, png: bytes
) -> Sample:
    return Sample(kind, truth, product, row["inspection"], time, row["start_mm"], row["left_mm"], said, png)
