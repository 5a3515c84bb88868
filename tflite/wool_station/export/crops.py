"""Which corrections become crops, and what they say of them.

A crop is the tile as the network saw it, to the pixel. Its group is the product that it shows: crops of one product are
never in training and test at the same time.
"""

import dataclasses
import hashlib
import json
import sqlite3
from pathlib import Path

from wool_station.events import Start
from wool_station.store.corrections import VERDICTS, WITHDRAWN, WRONGLY_REJECTED, counting
from wool_station.store.reader import StoreReader


@dataclasses.dataclass(frozen=True)
class BeltImaging:
    """How an inspection makes crops: side in pixels, window of attenuation, distance of pixels in mm."""

    side: int
    window: tuple[float, float]
    pixel_mm: float

    def __str__(self) -> str:
        low, high = self.window
        return f"{self.side} pixels, window {low:g},{high:g}, {self.pixel_mm:g} mm"


@dataclasses.dataclass(frozen=True)
class Correction:
    """A correction, and what becomes of it.

    Attributes:
        row: of the table of corrections.
        group: station and product that it shows; empty where that is not known.
        imaging: how its crop was made; None where that is not known.
        name: of its file, with a part that no other station has.
        left_out: why it is no crop; empty of those that are.
    """

    row: sqlite3.Row
    group: str
    imaging: BeltImaging | None
    name: str
    left_out: str = ""

    @property
    def label(self) -> str:
        return "non_defective" if self.row["verdict"] == WRONGLY_REJECTED else "defective"

    @property
    def network(self) -> str:
        """What the network said."""
        if self.row["defective"] is None:
            return ""
        return "defective" if self.row["defective"] else "non_defective"


def collect(folder: Path) -> list[Correction]:
    """All corrections of a store in their order, each a crop or with the reason why not."""
    reader = StoreReader(folder)
    rows = reader.rows("SELECT * FROM corrections ORDER BY id")
    if not rows:
        return []
    station = reader.rows("SELECT value FROM meta WHERE name = 'station'")[0]["value"]
    imagings = {number: _imaging(start) for number, start in reader.inspections().items()}
    _, replaced = counting(rows)
    found = [
        Correction(row, _group(reader, station, row), imagings.get(row["inspection"]), f"{station}-{row['id']:06d}.png")
        for row in rows
    ]
    replaced_ids = {row["id"] for row in replaced}
    # Crops of one folder are made alike: as the last of them.
    last = [one.imaging for one in found if one.imaging and not _flaw(one, replaced_ids, None)]
    imaging = last[-1] if last else None
    return _unlike([dataclasses.replace(one, left_out=_flaw(one, replaced_ids, imaging)) for one in found])


def _imaging(start: Start) -> BeltImaging:
    return BeltImaging(start.side, start.window, start.pixel_mm)


def _group(reader: StoreReader, station: str, row: sqlite3.Row) -> str:
    select = "SELECT product FROM products WHERE inspection = ? AND start_mm <= ? AND stop_mm >= ? LIMIT 1"
    middle = (row["start_mm"] + row["stop_mm"]) / 2
    products = reader.rows(select, row["inspection"], middle, middle)
    return f"{station}-{products[0]['product']:06d}" if products else ""


def _flaw(one: Correction, replaced: set[int], imaging: BeltImaging | None) -> str:
    """Why a correction is no crop, but for what the others say; `imaging` is that of the folder, or None: any."""
    if one.row["id"] in replaced:
        return "something else was said of it later"
    if one.row["verdict"] == WITHDRAWN:
        return VERDICTS[WITHDRAWN]
    if one.row["png"] is None:
        return "its picture had been removed when this was said"
    if not one.group:
        return "the product that it shows is not known"
    if one.imaging is None:
        return "the inspection that saw it is not known"
    if imaging and one.imaging != imaging:
        return f"was imaged otherwise ({one.imaging})"
    return ""


def _unlike(found: list[Correction]) -> list[Correction]:
    """The same, of equal pictures only the last: a picture has one label."""
    last: dict[str, str] = {}
    for one in found:
        if not one.left_out:
            last[_digest(one)] = one.name
    kept = []
    for one in found:
        twin = None if one.left_out else last[_digest(one)]
        reason = "" if twin in (None, one.name) else f"shows the same as {twin}"
        kept.append(dataclasses.replace(one, left_out=one.left_out or reason))
    return kept


def _digest(one: Correction) -> str:
    return hashlib.sha256(one.row["png"]).hexdigest()


def imaging_json(imaging: BeltImaging) -> str:
    """What `imaging.json` says of a folder of crops."""
    said = {"crop": imaging.side, "window": list(imaging.window), "pixel_mm": imaging.pixel_mm}
    return json.dumps(said, indent=2) + "\n"
