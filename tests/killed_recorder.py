"""A recorder that is to be killed: it says which records it has acknowledged, and what it has forced onto the disk.

    python killed_recorder.py FOLDER FIRST

Records are numbered from FIRST on: each is a reject and the picture of a tile.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fake_feed
from wool_station.store import shifts, volumes
from wool_station.store.pictures import PictureSampling
from wool_station.store.recorder import Recorder
from wool_station.store.store import Store

BUDGET = 3 << 20
"""Few enough bytes that the oldest pictures are removed all the time."""

PER_COMMIT = 8
PAUSE_SECONDS = 0.05


def main(folder: Path, number: int) -> None:
    print("begins", flush=True)
    volumes.write = _telling(volumes.write)
    Store._checkpoint = _telling_log(Store._checkpoint)
    recorder = Recorder(folder, BUDGET, shifts.schedule("00:00"), PictureSampling(0, 1e12))
    recorder.take(fake_feed.start(fake_feed.STARTED + number), b"")
    while True:
        for _ in range(PER_COMMIT):
            for message in [*fake_feed.tile(number, defective=True), fake_feed.reject(number, number, number + 1)]:
                recorder.take(*message)
            number += 1
        if recorder.commit():
            print("acknowledged", number, flush=True)
        # Else a fast machine records so much that records alone are over the budget, and the oldest of them go.
        time.sleep(PAUSE_SECONDS)


def _telling(write: Callable[..., None]) -> Callable[..., None]:
    """Says how far a file of pictures is on the disk."""

    def telling(folder: Path, volume: int, place: int, content: bytes) -> None:
        write(folder, volume, place, content)
        print("pictures", volumes.path(folder, volume).name, place + len(content), flush=True)

    return telling


def _telling_log(checkpoint: Callable[..., None]) -> Callable[..., None]:
    """Says how far the write-ahead log is on the disk: as far as it goes whenever a transaction has ended.

    Before its pages go into the database, too: from then on the database is whole only together with them.
    """

    def telling(store: Store, most: int) -> None:
        _say_log(store._folder)
        checkpoint(store, most)
        _say_log(store._folder)

    return telling


def _say_log(folder: Path) -> None:
    print("log", os.path.getsize(folder / "station.sqlite-wal"), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
