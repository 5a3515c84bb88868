"""Test pieces: which reject is theirs, what is due, and what is told; judged as the recorder does it."""

import sqlite3
import threading
import time

import pytest

import fake_feed
import station_programs
import stores
from wool_board.errors import BadSetting, WoolError
from wool_station import events
from wool_station.challenge import monitor, records
from wool_station.challenge.monitor import ChallengeMonitor
from wool_station.challenge.records import Challenge
from wool_station.store import shifts
from wool_station.store.pictures import PictureSampling
from wool_station.store.reader import StoreReader
from wool_station.store.recorder import Recorder

BALL = "steel ball 3 mm"


class Station:
    """A recorder that hears an inspection which began just now, and judges test pieces at once when it is asked to."""

    def __init__(self, folder, monkeypatch, pieces=None):
        monkeypatch.setattr(monitor, "POLL_SECONDS", 0.0)
        monkeypatch.setattr(monitor, "GRACE_SECONDS", 0.0)
        self.folder, self.now = folder, time.time()
        # In its own way each part asks for the time; here it stands still until a test moves it.
        for module in (records, monitor):
            monkeypatch.setattr(module.time, "time", lambda: self.now)
        self.recorder = Recorder(folder, 10**9, shifts.schedule("06:00"), PictureSampling(0, 1e9))
        self.challenges = ChallengeMonitor(folder, {BALL: 60.0} if pieces is None else pieces, self.recorder.tell)
        self.hear(fake_feed.start(self.now), fake_feed.air(0, 1000, self.now)[0])
        self.recorder.commit()
        self.challenges.tick()

    def hear(self, *messages):
        for message in messages:
            self.recorder.take(message, b"")
            self.challenges.take(events.typed(message))

    def reject(self, start=1200.0, left=0.0, after=5.0):
        event = fake_feed.reject(1, start, start + 20, round(self.now + after, 3))[0]
        self.hear(event | {"across_mm": [left, left + 20.0]})

    def put(self, piece=BALL, across=None, seconds=30.0):
        return records.begin(self.folder, Challenge("Anna", piece, seconds, across))

    def tile(self):
        self.hear(fake_feed.tile(1, along=1300.0, moment=self.now)[0][0])

    def outcome(self, number):
        self.challenges.tick()
        return stores.rows(self.folder, "SELECT outcome, start_mm, score FROM challenges WHERE id = ?", number)[0]

    def alarms(self):
        self.recorder.commit()
        return [(event["alarm"], event["on"]) for event in stores.events(self.folder, "alarm")]


@pytest.fixture
def station(tmp_path, monkeypatch):
    station = Station(tmp_path, monkeypatch)
    yield station
    station.recorder.close()


def test_a_reject_in_time_behind_the_belt_that_was_heard_of_is_the_pieces(station):
    number = station.put()
    station.challenges.tick()
    assert station.challenges.is_open
    station.reject()
    assert station.outcome(number) == ("found", 1200.0, 0.9)
    assert not station.challenges.is_open


@pytest.mark.parametrize(
    ("reject", "across"),
    [
        ({"start": 980.0}, None),  # This had passed before the piece was put onto the belt.
        ({"after": -1.0}, None),
        ({"after": 31.0}, None),
        ({"left": 40.0}, (0.0, 30.0)),
    ],
)
def test_other_rejects_are_not_and_a_piece_that_has_none_is_missed(station, reject, across):
    number = station.put(across=across)
    station.reject(**reject)
    assert station.outcome(number) == (None, None, None)
    station.now += 30.5
    assert station.outcome(number) == ("missed", None, None)
    assert ("challenge_failed", True) in station.alarms()


def test_where_the_piece_lies_across_is_enough_if_the_reject_touches_it(station):
    number = station.put(across=(15.0, 30.0))
    station.reject()
    assert station.outcome(number)[0] == "found"


def test_each_piece_needs_a_reject_of_its_own(station):
    first = station.put()
    station.reject()
    assert station.outcome(first)[0] == "found"
    second = station.put()
    station.now += 31
    assert station.outcome(second)[0] == "missed"


def test_a_place_before_a_restart_of_the_inspection_says_nothing_of_one_behind_it(station):
    number = station.put()
    station.hear(fake_feed.start(station.now + 2))
    station.reject(start=300.0)
    assert station.outcome(number)[0] == "found"


def test_one_piece_at_a_time_and_only_those_that_there_are(station):
    with pytest.raises(WoolError, match="piece: must be one of steel ball 3 mm"):
        station.put("steel ball 3mm")
    station.put()
    with pytest.raises(WoolError, match="steel ball 3 mm is still awaited"):
        station.put()


def test_a_failure_stands_until_the_piece_is_found_and_says_since_when_all_is_in_doubt(station):
    first = station.put()
    station.reject()
    station.outcome(first)
    station.now += 600
    second = station.put()
    station.now += 31
    station.outcome(second)
    assert station.alarms()[-1] == ("challenge_failed", True)
    (event,) = [event for event in stores.events(station.folder, "alarm") if event["alarm"] == "challenge_failed"]
    found = time.strftime("%Y-%m-%d %H:%M", time.localtime(station.now - 631))
    assert f"steel ball 3 mm, found last at {found}" in event["text"]
    third = station.put()
    station.reject(start=2000.0)
    assert station.outcome(third)[0] == "found"
    assert station.alarms()[-1] == ("challenge_failed", False)


def test_a_piece_is_due_at_first_and_after_its_minutes_but_not_while_the_belt_stands(station):
    station.challenges.tick()
    assert station.alarms() == []
    station.tile()
    station.challenges.tick()
    assert station.alarms() == [("challenge_overdue", True)]
    number = station.put()
    station.reject(start=1400.0)
    station.outcome(number)
    assert station.alarms() == [("challenge_overdue", True), ("challenge_overdue", False)]
    station.now += 59 * 60
    station.tile()
    station.challenges.tick()
    assert len(station.alarms()) == 2
    station.now += 2 * 60
    station.challenges.tick()
    assert len(station.alarms()) == 2
    station.tile()
    station.challenges.tick()
    assert station.alarms()[2:] == [("challenge_overdue", True)]


def test_a_clock_that_was_set_back_leaves_no_piece_awaited_and_none_that_is_never_due(station):
    first = station.put()
    station.reject()
    assert station.outcome(first)[0] == "found"
    second = station.put()
    station.now -= 86400
    assert station.outcome(second)[0] == "missed" and not station.challenges.is_open
    station.tile()
    station.challenges.tick()
    # What was found tomorrow was not found.
    (piece,) = records.due(StoreReader(station.folder))
    assert piece.found is None
    assert station.alarms()[-1] == ("challenge_overdue", True)
    third = station.put()
    station.reject(start=1600.0)
    assert station.outcome(third)[0] == "found"
    assert station.alarms()[-1] == ("challenge_overdue", False)


def test_the_page_and_the_report_can_see_what_is_due(station):
    assert records.due(StoreReader(station.folder)) == [records.Piece(BALL, 60.0, None, False)]
    began = station.now
    station.put()
    station.reject()
    station.challenges.tick()
    (piece,) = records.due(StoreReader(station.folder))
    assert piece.due == pytest.approx(began + 3600, abs=0.01)


def test_without_pieces_nothing_is_due_and_any_piece_may_be_put_through(tmp_path, monkeypatch):
    station = Station(tmp_path, monkeypatch, pieces={})
    station.tile()
    number = station.put("pore 6 mm")
    station.reject()
    assert station.outcome(number)[0] == "found" and station.alarms() == []
    station.recorder.close()


def test_a_disk_that_cannot_be_written_is_no_end(station, monkeypatch):
    def broken(_):
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(monitor.schema, "connect", broken)
        station.challenges.tick()
    number = station.put()
    station.reject()
    assert station.outcome(number)[0] == "found"


@pytest.mark.parametrize("text", ["ball", "ball:", ":60", "ball:0", "ball:nan", "=x:60", "ball:1e9"])
def test_a_piece_that_is_wrong_is_one_line(text):
    with pytest.raises(BadSetting, match="^challenge=.*must be PIECE:MINUTES"):
        records.pieces([text])
    assert records.pieces(["ball, 3 mm:60", "pore:90.5"]) == {"ball, 3 mm": 60.0, "pore": 90.5}


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [({"operator": "<b>"}, "operator: give"), ({"piece": "a\nb"}, "piece: give"), ({"seconds": 0}, "seconds=0: must"),
     ({"seconds": float("nan")}, "seconds=nan: must"), ({"across_mm": (3.0, 3.0)}, "across_mm: must")],
)  # fmt: skip
def test_a_challenge_that_is_wrong_is_one_line(wrong, rule):
    with pytest.raises(WoolError, match=rule):
        Challenge(**({"operator": "Anna", "piece": BALL} | wrong))


def test_through_the_programs_a_piece_is_found_and_another_is_not(tmp_path):
    """`record` hears an inspection on a socket; `challenge` puts two pieces through, one of which is rejected."""
    now, feed, store = time.time(), tmp_path / "feed", tmp_path / "store"
    messages = [(fake_feed.start(now), b""), fake_feed.air(0, 500, now), *fake_feed.tile(1, along=500.0, moment=now)]
    # However slow this machine is, one of them is told within the time of the first piece.
    messages += [fake_feed.reject(number, 600 + 40 * number, 620, now + 30 * number) for number in range(20)]
    with fake_feed.served(feed, messages):
        with station_programs.running("record", f"--feed={feed}", f"--store={store}", f"--challenge={BALL}:60"):
            fake_feed.wait_until(lambda: stores.is_made(store) and stores.rows(store, "SELECT * FROM pieces"), 40)
            put = "challenge", f"--store={store}", f"--piece={BALL}", "--operator=Anna"
            found = station_programs.run(*put, "--seconds=60")
            assert (found.returncode, found.stderr) == (0, "")
            assert "Put steel ball 3 mm onto the belt now" in found.stdout and " m, score 0.900" in found.stdout
            missed = station_programs.run(*put, "--seconds=1", "--across_mm=80,90")
            assert missed.returncode == 1
            assert missed.stderr.startswith("station.py: steel ball 3 mm: was not found; what passed since")
            fake_feed.wait_until(lambda: "challenge_failed" in {e["alarm"] for e in stores.events(store, "alarm")})
    line = station_programs.refusal("challenge", f"--store={store}", "--piece=ball", "--operator=Anna")
    assert line == "station.py: piece: must be one of steel ball 3 mm"
    line = station_programs.refusal("challenge", f"--store={tmp_path}", "--piece=ball", "--operator=Anna")
    assert line.startswith(f"station.py: --store={tmp_path}: holds no memory of a station")
    line = station_programs.refusal(*put, "--across_mm=5", status=64)
    assert line == "station.py: --across_mm=5: must be LEFT,RIGHT, such as 100,250"


def test_two_that_begin_at_once_do_not_both_go_on(station):
    outcomes = []

    def begin():
        try:
            outcomes.append(station.put())
        except WoolError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, int) for one in outcomes) == 1
