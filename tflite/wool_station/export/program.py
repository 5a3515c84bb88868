"""The work of `station.py export`."""

import collections
import csv
import datetime
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from wool_board import atomic_file
from wool_board.errors import Unusable, WoolError
from wool_station.export.crops import Correction, collect, imaging_json
from wool_station.options import ExportOptions
from wool_station.store import schema
from wool_station.store.corrections import VERDICTS

MANIFEST = ("path", "label", "group", "defect")
CHANGES = (
    "time",
    "operator",
    "said",
    "defect",
    "path",
    "group",
    "network",
    "score",
    "along_mm",
    "across_mm",
    "left_out",
)


def run(options: ExportOptions) -> int:
    """Makes a folder of crops that `reproduce.py --data` takes, and says what is in it.

    Raises:
        WoolError: there is no store, or nothing to export, or the folder is there already or cannot be written.
    """
    schema.check_store(options.store)
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise WoolError(f"{options.out}: is there already; give another folder, or an empty one")
    if flaw := atomic_file.folder_flaw(options.out):
        raise WoolError(f"{options.out}: {flaw}")
    try:
        found = collect(options.store)
    except (OSError, sqlite3.Error) as error:
        raise Unusable("store", options.store, f"cannot be read ({error})") from None
    crops = [one for one in found if not one.left_out]
    if not crops:
        raise Unusable("store", options.store, _nothing(found))
    try:
        _write(options.out, found, crops)
    except OSError as error:
        raise WoolError(f"{options.out}: cannot be written ({error.strerror or error})") from None
    print(_told(options.out, found, crops))
    return 0


def _nothing(found: list[Correction]) -> str:
    if not found:
        return "nobody has corrected anything; say on the page what was wrong"
    reasons = collections.Counter(one.left_out for one in found).most_common(1)
    return f"none of its {len(found)} corrections is a crop (most often: {reasons[0][0]})"


def _told(out: Path, found: list[Correction], crops: list[Correction]) -> str:
    labels = collections.Counter(one.label for one in crops)
    counts = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
    left = len(found) - len(crops)
    more = f"; {left} corrections are left out, changes.csv says why" if left else ""
    return f"{out}: {counts}, of {len({one.group for one in crops})} products{more}"


def _write(out: Path, found: list[Correction], crops: list[Correction]) -> None:
    """Writes the folder whole or not at all."""
    with atomic_file.folder(out) as beside:
        for one in crops:
            (beside / one.name).write_bytes(one.row["png"])
        _write_table(beside / "manifest.csv", MANIFEST, map(_manifest_row, crops))
        _write_table(beside / "changes.csv", CHANGES, map(_change, found))
        imaging = crops[-1].imaging
        assert imaging is not None
        (beside / "imaging.json").write_text(imaging_json(imaging))


def _write_table(file: Path, header: tuple[str, ...], rows: Iterable[tuple]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _manifest_row(one: Correction) -> tuple:
    return one.name, one.label, one.group, one.row["defect"]


def _change(one: Correction) -> tuple:
    row = one.row
    moment = datetime.datetime.fromtimestamp(row["time"]).astimezone().isoformat(timespec="seconds")
    said = row["operator"], VERDICTS[row["verdict"]], row["defect"], "" if one.left_out else one.name
    where = [f"{row[f'{begin}_mm']:g}-{row[f'{end}_mm']:g}" for begin, end in (("start", "stop"), ("left", "right"))]
    return moment, *said, one.group, one.network, row["score"], *where, one.left_out
