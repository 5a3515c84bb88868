"""Checks of the memory: whether it is written and can be read, and which alarms of its own stand."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from wool_station.doctor.finding import Finding
from wool_station.store import lock, recorder_alarms
from wool_station.store.reader import StoreReader

RIGHTS = "are you root, or in the group wool? else see to the disk"


def check(folder: Path) -> Iterator[Finding]:
    """Findings about a store.

    Arguments:
        folder: of the recorder.
    """
    try:
        if not lock.is_taken(folder):
            advice = "is wool-record running? systemctl status wool-record; is the disk full or read-only?"
            yield Finding("memory", f"nobody writes to {folder} now", advice)
            return
        # Only for reading: what root made in the folder, the services could not write to.
        with StoreReader(folder, "ro").connection() as database:
            standing = recorder_alarms.standing(database) if database else []
    except (OSError, sqlite3.Error) as error:
        yield Finding("memory", f"{folder} cannot be read ({getattr(error, 'strerror', None) or error})", RIGHTS)
        return
    yield Finding("memory", f"is written to {folder}")
    # That the inspection is not heard of is found before.
    for alarm in standing:
        if alarm["alarm"] != recorder_alarms.FEED_LOST:
            yield Finding("alarm", f"{alarm['alarm']}: {alarm['text']}", "docs/station.md says what to do about it")
