"""What the recorder keeps of what it hears, and what it leaves out."""

import errno
import json
import os
import sqlite3

import numpy as np
import pytest

import fake_feed
import stores
from wool_board.errors import BadSetting, WoolError
from wool_station.store import recorder as recording
from wool_station.store import shifts, store, volumes
from wool_station.store.pictures import PictureSampling
from wool_station.store.recorder import Recorder

SCHEDULE = shifts.schedule("06:00,14:00,22:00")
BUDGET = 10**9


class Lines(list):
    """What the recorder said to people."""

    __call__ = list.append


def recorder(folder, budget=BUDGET, sample=0, hourly=10**9, said=None) -> Recorder:
    said = Lines() if said is None else said
    return Recorder(folder, budget, SCHEDULE, PictureSampling(sample, hourly), said.append)


def hear(target: Recorder, *messages) -> None:
    for message in messages:
        target.take(*message)


def test_every_defective_tile_is_kept_with_its_pixels_and_heatmap(tmp_path):
    heard = recorder(tmp_path)
    hear(heard, (fake_feed.start(), b""))
    for number in range(6):
        hear(heard, *fake_feed.tile(number, defective=number in (2, 5)))
    heard.close()
    found = stores.pictures(tmp_path)
    assert sorted(found) == [40.0, 100.0]
    assert np.array_equal(found[40.0], fake_feed.pixels(2)) and np.array_equal(found[100.0], fake_feed.pixels(5))
    select = "SELECT rows, columns, heatmap, score, defective, left_mm, right_mm FROM tiles WHERE start_mm = 40"
    assert stores.rows(tmp_path, select) == [(5, 5, fake_feed.heatmap(2), 0.9, 1, 0.0, 20.0)]


def test_a_picture_that_comes_after_its_record_was_written_joins_it(tmp_path):
    heard = recorder(tmp_path)
    event, shown = fake_feed.tile(3, defective=True)
    hear(heard, (fake_feed.start(), b""), event)
    assert heard.commit()
    hear(heard, shown)
    heard.close()
    assert stores.rows(tmp_path, "SELECT time FROM tiles") == [(fake_feed.STARTED + 3,)]
    assert list(stores.pictures(tmp_path)) == [60.0]


def test_a_tile_whose_pixels_the_feed_dropped_is_kept_without_a_picture(tmp_path):
    heard = recorder(tmp_path)
    hear(heard, (fake_feed.start(), b""), fake_feed.tile(1, defective=True)[0])
    hear(heard, ({"event": "dropped", "pixels": 1, "events": 0}, b""))
    heard.close()
    assert stores.rows(tmp_path, "SELECT start_mm, volume, heatmap FROM tiles") == [(20.0, None, None)]
    assert stores.events(tmp_path, "dropped") == [{"event": "dropped", "pixels": 1, "events": 0}]


def test_about_one_of_so_many_tiles_that_pass_is_kept(tmp_path):
    heard = recorder(tmp_path, sample=10)
    hear(heard, (fake_feed.start(), b""))
    for number in range(1000):
        hear(heard, *fake_feed.tile(number))
    heard.close()
    # Four standard deviations of a binomial distribution with mean 100.
    assert 62 <= len(stores.pictures(tmp_path)) <= 138


def test_what_passed_is_counted_once_though_rows_overlap(tmp_path):
    heard = recorder(tmp_path)
    hear(heard, (fake_feed.start(), b""), fake_feed.air(0, 100))
    for along in (100.0, 110.0, 120.0):
        for left in (0.0, 15.0):
            hear(heard, fake_feed.tile(0, along=along, left=left, moment=fake_feed.STARTED)[0])
    hear(heard, fake_feed.unseen(140, 165), fake_feed.air(165, 200), fake_feed.reject(1, 100, 120))
    heard.close()
    select = "SELECT tiles, defective, rejects, seen_mm, air_mm, unseen_mm, untold_mm FROM minutes"
    assert stores.rows(tmp_path, select) == [(6, 0, 1, 40.0, 135.0, 25.0, 0.0)]
    (scores,) = stores.rows(tmp_path, "SELECT scores FROM minutes")[0]
    # Six scores of 0.1 are in the third class, from 0.1 to 0.15.
    assert json.loads(scores) == [0, 0, 6] + [0] * 17


def test_what_the_recorder_did_not_hear_of_is_counted_as_such(tmp_path):
    heard = recorder(tmp_path)
    hear(heard, (fake_feed.start(), b""), fake_feed.air(0, 100), fake_feed.air(130, 200))
    heard.close()
    # It comes back to the same inspection, which has gone on.
    again = recorder(tmp_path)
    hear(again, (fake_feed.start(), b""), fake_feed.air(250, 300))
    again.close()
    found = stores.rows(tmp_path, "SELECT air_mm, untold_mm FROM minutes")
    assert found == [(220.0, 80.0)]


def test_products_go_from_air_to_air_and_over_restarts(tmp_path):
    heard = recorder(tmp_path)
    hear(heard, (fake_feed.start(), b""), fake_feed.tile(0)[0], fake_feed.tile(1)[0], fake_feed.air(40, 60))
    hear(heard, fake_feed.tile(3)[0])
    heard.close()
    again = recorder(tmp_path)
    later = fake_feed.start(fake_feed.STARTED + 50, first_mm=80)
    hear(again, (later, b""), fake_feed.tile(4)[0], fake_feed.air(100, 120), fake_feed.tile(6)[0])
    again.close()
    first, second = (round(1e3 * time) for time in (fake_feed.STARTED, fake_feed.STARTED + 50))
    select = "SELECT product, inspection, start_mm, stop_mm FROM products ORDER BY product, inspection"
    assert stores.rows(tmp_path, select) == [
        (1, first, 0, 40), (2, first, 60, 80), (2, second, 80, 100), (3, second, 120, 140)
    ]  # fmt: skip


def test_alarms_that_the_feed_repeats_are_kept_once(tmp_path):
    heard = recorder(tmp_path)
    standing = fake_feed.alarm("beam_drift", True)
    hear(heard, (fake_feed.start(), b""), standing, fake_feed.alarm("late"))
    assert heard.commit()
    hear(heard, (fake_feed.start(), b""), standing)
    heard.close()
    assert [event["alarm"] for event in stores.events(tmp_path, "alarm")] == ["beam_drift", "late"]


def test_the_oldest_pictures_go_first_and_it_is_said(tmp_path):
    budget = 1 << 20
    heard = recorder(tmp_path, budget=budget)
    hear(heard, (fake_feed.start(), b""))
    # A picture of noise is about 2.4 kB; of 16 volumes each has some 27.
    for number in range(800):
        hear(heard, *fake_feed.tile(number, defective=True))
        if number % 10 == 9:
            assert heard.commit()
    heard.close()
    kept, lost = stores.pictures(tmp_path), stores.events(tmp_path, "removed")
    taken = sum(file.stat().st_size for file in (tmp_path / "pictures").iterdir())
    assert taken < budget and len(kept) > 100
    # The newest without a gap, and the records of all.
    assert sorted(kept) == [20.0 * number for number in range(800 - len(kept), 800)]
    assert stores.rows(tmp_path, "SELECT count(*) FROM tiles WHERE defective") == [(800,)]
    assert sum(event["pictures"] for event in lost) == 800 - len(kept)
    assert stores.rows(tmp_path, "SELECT count(*) FROM tiles WHERE volume IS NULL AND heatmap IS NOT NULL") == [(0,)]


def test_records_go_only_where_they_alone_are_too_many_and_never_silently(tmp_path):
    heard = recorder(tmp_path, budget=1 << 19)
    hear(heard, (fake_feed.start(), b""))
    for number in range(4000):
        hear(heard, fake_feed.reject(number, number, number + 20, fake_feed.STARTED + number))
    assert heard.commit()
    heard.close()
    (told, *_) = [event for event in stores.events(tmp_path, "alarm") if event["alarm"] == "records_removed"]
    assert told["events"] > 0
    (oldest,) = stores.rows(tmp_path, "SELECT min(time) FROM events WHERE event = 'reject'")[0]
    assert oldest >= told["until"]
    database = sqlite3.connect(tmp_path / "station.sqlite")
    in_use = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")]
    database.close()
    assert (in_use[0] - in_use[1]) * 4096 <= 1 << 19


def test_more_pictures_than_an_hour_allows_are_withheld_counted_and_told(tmp_path):
    # In ten minutes 60 kB, which are some 25 pictures of 2.4 kB.
    heard = recorder(tmp_path, hourly=360_000)
    hear(heard, (fake_feed.start(), b""))
    for number in range(100):
        hear(heard, *fake_feed.tile(number, defective=True))
    heard.tick()
    heard.close()
    assert 20 <= len(stores.pictures(tmp_path)) <= 30
    assert stores.rows(tmp_path, "SELECT count(*) FROM tiles") == [(100,)]
    (told,) = stores.events(tmp_path, "alarm")
    assert (told["alarm"], told["on"]) == ("pictures_withheld", True)
    assert told["pictures"] == 100 - len(stores.pictures(tmp_path))


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EROFS, "Read-only file system"),
              sqlite3.OperationalError("database or disk is full")]
)  # fmt: skip
def test_a_disk_that_takes_nothing_is_one_line_and_it_goes_on_when_there_is_room(tmp_path, monkeypatch, fault):
    said = Lines()
    heard = recorder(tmp_path, said=said)
    hear(heard, (fake_feed.start(), b""))
    for number in range(3):
        hear(heard, *fake_feed.tile(number, defective=True))
        with monkeypatch.context() as broken:
            broken.setattr(volumes, "write", _raising(fault))
            assert not heard.commit()
    reason = getattr(fault, "strerror", None) or str(fault)
    assert said == [f"{tmp_path}: cannot be written ({reason}); trying again"]
    assert heard.commit()
    heard.close()
    assert said[1:] == [f"{tmp_path}: is written again"]
    assert len(stores.pictures(tmp_path)) == 3
    (told,) = stores.events(tmp_path, "alarm")
    assert (told["alarm"], told["lost_events"], told["lost_pictures"]) == ("store_unwritten", 0, 0)


def _raising(fault):
    def raising(*_):
        raise fault

    return raising


def test_pictures_that_no_disk_takes_are_given_up_before_their_records(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "MOST_WAITING_BYTES", 5000)
    heard = recorder(tmp_path, said=Lines())
    hear(heard, (fake_feed.start(), b""))
    with monkeypatch.context() as broken:
        broken.setattr(volumes, "write", _raising(OSError(errno.ENOSPC, "full")))
        for number in range(4):
            hear(heard, *fake_feed.tile(number, defective=True))
            heard.commit()
    assert heard.commit()
    heard.close()
    told = stores.events(tmp_path, "alarm")
    assert sum(event["lost_pictures"] for event in told) == 3
    assert stores.rows(tmp_path, "SELECT start_mm, volume FROM tiles ORDER BY start_mm") == [
        (0.0, None), (20.0, None), (40.0, None), (60.0, 1)
    ]  # fmt: skip


def test_a_folder_that_cannot_be_made_is_one_line_and_is_made_when_it_can(tmp_path):
    (tmp_path / "disk").write_text("in the way")
    said = Lines()
    heard = recorder(tmp_path / "disk" / "store", said=said)
    hear(heard, (fake_feed.start(), b""), *fake_feed.tile(7, defective=True))
    assert not heard.commit() and len(said) == 1
    (tmp_path / "disk").unlink()
    assert heard.commit()
    heard.close()
    assert list(stores.pictures(tmp_path / "disk" / "store")) == [140.0]


def test_products_that_were_heard_before_the_store_could_be_opened_follow_the_last_one(tmp_path, monkeypatch):
    before = recorder(tmp_path)
    hear(before, (fake_feed.start(), b""), fake_feed.air(0, 20), fake_feed.tile(1)[0])
    before.close()
    with monkeypatch.context() as broken:
        broken.setattr(recording, "Store", _raising(OSError(errno.EROFS, "Read-only file system")))
        heard = recorder(tmp_path)
        hear(heard, (fake_feed.start(), b""), fake_feed.tile(2)[0], fake_feed.air(60, 80))
        hear(heard, *fake_feed.tile(4, defective=True))
    heard.close()
    assert stores.rows(tmp_path, "SELECT product, start_mm, stop_mm FROM products") == [(2, 20, 60), (3, 80, 100)]
    assert stores.rows(tmp_path, "SELECT product FROM tiles") == [(3,)]


def test_a_damaged_database_is_put_aside_and_a_new_one_begins(tmp_path):
    (tmp_path / "station.sqlite").write_bytes(b"no database" * 1000)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "00000001.pack").write_bytes(b"pictures")
    said = Lines()
    heard = recorder(tmp_path, said=said)
    hear(heard, (fake_feed.start(), b""), *fake_feed.tile(1, defective=True))
    heard.tick()
    heard.close()
    (aside,) = tmp_path.glob("damaged-*")
    assert (aside / "station.sqlite").read_bytes() == b"no database" * 1000
    assert (aside / "pictures" / "00000001.pack").read_bytes() == b"pictures"
    assert list(stores.pictures(tmp_path)) == [20.0]
    assert "store_damaged" in {event["alarm"] for event in stores.events(tmp_path, "alarm")}
    assert any(str(aside) in line for line in said)


def test_a_volume_that_somebody_removed_is_told_and_its_tiles_have_no_picture(tmp_path):
    heard = recorder(tmp_path)
    hear(heard, (fake_feed.start(), b""), *fake_feed.tile(1, defective=True))
    heard.close()
    os.remove(tmp_path / "pictures" / "00000001.pack")
    again = recorder(tmp_path)
    hear(again, (fake_feed.start(), b""), *fake_feed.tile(2, defective=True))
    again.close()
    assert stores.rows(tmp_path, "SELECT start_mm FROM tiles WHERE volume IS NULL") == [(20.0,)]
    assert [event["alarm"] for event in stores.events(tmp_path, "alarm")] == ["pictures_missing"]
    assert list(stores.pictures(tmp_path)) == [40.0]


def test_a_second_recorder_of_one_folder_is_refused(tmp_path):
    first = recorder(tmp_path)
    with pytest.raises(WoolError, match="another recorder writes there"):
        recorder(tmp_path)
    first.close()
    recorder(tmp_path).close()


def test_a_store_of_newer_programs_is_refused_in_one_line(tmp_path):
    recorder(tmp_path).close()
    database = sqlite3.connect(tmp_path / "station.sqlite")
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(WoolError, match="is of format 99, newer than 1; update these programs"):
        store.Store(tmp_path, BUDGET)


def test_a_clock_that_is_set_is_told(tmp_path, monkeypatch):
    heard = recorder(tmp_path)
    now = recording.time.time
    monkeypatch.setattr(recording.time, "time", lambda: now() + 3600)
    heard.tick()
    heard.close()
    (told,) = stores.events(tmp_path, "alarm")
    assert (told["alarm"], told["seconds"]) == ("clock_step", 3600)


def test_a_clock_that_went_back_while_the_recorder_was_off_is_told(tmp_path, monkeypatch):
    heard = recorder(tmp_path)
    now = recording.time.time
    with monkeypatch.context() as patch:
        patch.setattr(recording.time, "time", lambda: now() + 3600)
        heard.note({"event": "mark"})
        heard.close()
    for _ in range(2):
        recorder(tmp_path).close()
    # Once: it is behind that event, and no more behind this one.
    (told,) = stores.events(tmp_path, "alarm")
    assert told["alarm"] == "clock_step" and -3600 <= told["seconds"] <= -3590


@pytest.mark.parametrize("text", ["", "6:00", "24:00", "06:00,06:00", "06:00;14:00", "noon", "06:00,"])
def test_times_of_shifts_that_are_none_are_refused(text):
    with pytest.raises(BadSetting, match="^shifts=.*must be times of day"):
        shifts.schedule(text)


@pytest.mark.parametrize(
    ("time", "name", "hours"),
    [("2026-11-26T06:00", "2026-11-26T06:00", 8), ("2026-11-26T05:59", "2026-11-25T22:00", 8),
     ("2026-11-26T23:30", "2026-11-26T22:00", 8),
     # Clocks are put back in the night of 25 October, forward in that of 29 March.
     ("2026-10-25T05:00", "2026-10-24T22:00", 9), ("2026-03-29T05:00", "2026-03-28T22:00", 7)],
)  # fmt: skip
def test_shifts_begin_in_local_time(time, name, hours, monkeypatch):
    import datetime
    import time as clock

    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    try:
        shift = SCHEDULE.at(datetime.datetime.fromisoformat(time).timestamp())
        assert (shift.name, (shift.ends - shift.began) / 3600) == (name, hours)
    finally:
        monkeypatch.undo()
        clock.tzset()
