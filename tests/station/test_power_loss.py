"""The store after its recorder was killed at random moments, and after what had not reached the disk was lost.

A killed process leaves in the files what the system still had in memory. So of everything that was written behind what
the recorder had forced onto the disk a random part is cut off, or replaced by noise, as a card leaves it.
"""

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import checkout
import fake_feed
import killed_recorder as killed
import stores
from wool_station.store import volumes
from wool_station.store.store import Store

LONGEST = 0.8
"""Seconds from the beginning of a recorder to its death, at most."""


class Death(NamedTuple):
    """What a recorder had said when it was killed.

    Attributes:
        until: number behind its acknowledged records.
        log: bytes of the write-ahead log that were on the disk then.
        volume, size: the newest file of pictures, and its bytes that were on the disk; empty and 0 without any.
    """

    until: int
    log: int
    volume: str
    size: int


def kill_one(folder: Path, first: int, rng: random.Random) -> Death:
    """Runs a recorder, which numbers records from `first` on, and kills it."""
    here = checkout.environment(checkout.TESTS)
    command = [sys.executable, killed.__file__, str(folder), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=here)
    assert process.stdout.readline() == "begins\n"
    time.sleep(rng.uniform(0, LONGEST))
    process.kill()
    output, _ = process.communicate()
    # The last line may be torn.
    said = [line.split() for line in output[: output.rfind("\n") + 1].splitlines()]
    last = {"acknowledged": [first], "log": [0], "pictures": ["", 0]} | {word: values for word, *values in said}
    return Death(int(*last["acknowledged"]), int(*last["log"]), last["pictures"][0], int(last["pictures"][1]))


def lose_power(folder: Path, death: Death, rng: random.Random) -> None:
    """Damages what was written behind what had been forced onto the disk."""
    if death.log:
        _damage(folder / "station.sqlite-wal", death.log, rng)
    if death.volume:
        for file in (folder / "pictures").iterdir():
            if file.name >= death.volume:
                _damage(file, death.size if file.name == death.volume else 0, rng)


def _damage(file: Path, kept: int, rng: random.Random) -> None:
    size = file.stat().st_size if file.exists() else 0
    if size <= kept:
        return
    at = rng.randint(kept, size)
    if rng.random() < 0.5:
        os.truncate(file, at)
    else:
        with open(file, "r+b") as opened:
            opened.seek(at)
            opened.write(rng.randbytes(size - at))


def check(folder: Path, acknowledged: set[int]) -> None:
    """Everything that must hold at any time, and then what must hold after the next start."""
    if stores.is_made(folder):
        look(folder, acknowledged)
    Store(folder, killed.BUDGET).close()
    look(folder, acknowledged)
    known = dict(stores.rows(folder, "SELECT volume, bytes FROM volumes"))
    for file in (folder / "pictures").iterdir():
        assert file.stat().st_size == known.pop(int(file.stem)), "bytes of pictures that no record knows"
    assert not known
    select = "SELECT v.bytes, sum(t.bytes) FROM volumes v LEFT JOIN tiles t USING (volume) GROUP BY volume"
    for whole, parts in stores.rows(folder, select):
        assert whole == parts


def look(folder: Path, acknowledged: set[int]) -> None:
    database = sqlite3.connect(folder / "station.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    numbers = {event["reject"] for event in stores.events(folder, "reject")}
    assert acknowledged <= numbers, "acknowledged records are lost"
    tiles = {round(along / 20) for (along,) in stores.rows(folder, "SELECT start_mm FROM tiles")}
    assert tiles == numbers, "half of a transaction is there"
    for along, pixels in stores.pictures(folder).items():
        assert np.array_equal(pixels, fake_feed.pixels(round(along / 20)))


def kill_often(folder: Path, times: int, seed: int) -> None:
    rng, acknowledged, first, heard = random.Random(seed), set(), 0, 0
    for _ in range(times):
        death = kill_one(folder, first, rng)
        acknowledged |= set(range(first, death.until))
        heard += death.until > first
        lose_power(folder, death, rng)
        check(folder, acknowledged)
        first = max([death.until, *(event["reject"] + 1 for event in stores.events(folder, "reject"))])
    assert heard >= times // 4, "recorders were killed before they had done anything"


def test_nothing_that_was_acknowledged_is_lost(tmp_path):
    kill_often(tmp_path / "store", 6, seed=1)


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost_in_a_hundred_power_cuts(tmp_path):
    kill_often(tmp_path / "store", 100, seed=2)


def test_a_store_that_forgets_to_flush_would_be_found_out(tmp_path, monkeypatch):
    """The check itself: pictures that a record names and the disk does not have."""
    folder, death = tmp_path / "store", None
    while death is None or not death.until:
        death = kill_one(folder, 0, random.Random())
    [(volume,)] = stores.rows(folder, "SELECT max(volume) FROM volumes")
    os.truncate(volumes.path(folder, volume), 1)
    with pytest.raises(AssertionError):
        look(folder, set(range(death.until)))
