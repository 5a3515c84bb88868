"""What the page says of a store: the newest first whatever the clock was, and whether anybody writes to it."""

import sqlite3
import time

import pytest

import fake_feed
from wool_board.errors import WoolError
from wool_station.page import state
from wool_station.report.period import period
from wool_station.store import lock, shifts
from wool_station.store.pictures import PictureSampling
from wool_station.store.reader import StoreReader
from wool_station.store.recorder import Recorder

DAY = 86400.0


def recorder(folder) -> Recorder:
    return Recorder(folder, 10**9, shifts.schedule("06:00,14:00,22:00"), PictureSampling(0, 1e12))


def test_what_a_clock_put_into_the_future_hides_nothing_of_now(tmp_path, monkeypatch):
    now, real = time.time(), time.time
    written = recorder(tmp_path)
    for ahead, number in ((400 * DAY, 1), (0.0, 2)):
        monkeypatch.setattr(time, "time", lambda ahead=ahead: real() + ahead)
        moment = now + ahead
        for message in (
            (fake_feed.start(moment), b""), *fake_feed.tile(number, True, moment=moment),
            fake_feed.alarm(f"alarm{number}", True, moment), fake_feed.reject(number, 0, 20, moment),
        ):  # fmt: skip
            written.take(*message)
        assert written.commit()
    written.close()
    found = state.stored(StoreReader(tmp_path))
    assert found["shift"]["began"] <= now < found["shift"]["ends"] and found["shift"]["rejects"] == 1
    assert [tile["start_mm"] for tile in found["rejects"]] == [40.0, 20.0]
    assert [alarm["alarm"] for alarm in found["alarms"][:2]] == ["alarm2", "alarm1"]
    assert period(StoreReader(tmp_path), "current").began == found["shift"]["began"]


def test_a_shift_of_the_future_alone_is_none(tmp_path):
    written = recorder(tmp_path)
    written.take(fake_feed.start(), b"")
    written.close()
    database = sqlite3.connect(tmp_path / "station.sqlite")
    database.execute("UPDATE shifts SET began = began + ?, ends = ends + ?", (DAY, DAY))
    database.commit()
    database.close()
    assert state.stored(StoreReader(tmp_path))["shift"] is None


def test_a_store_says_whether_somebody_writes_to_it(tmp_path):
    reader = StoreReader(tmp_path / "store")
    assert state.stored(reader)["recorded"] is False
    written = recorder(tmp_path / "store")
    written.take(fake_feed.start(), b"")
    written.commit()
    assert state.stored(reader)["recorded"] is True
    with pytest.raises(WoolError, match="another recorder writes there"):
        lock.take(tmp_path / "store")
    written.close()
    assert state.stored(reader)["recorded"] is False
    # Who looks must not keep a recorder out.
    recorder(tmp_path / "store").close()
