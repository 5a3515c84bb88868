"""What programs go by of the feed: the fields that they read are those that an inspection tells."""

import dataclasses
import threading

from test_record_inspection import DETECTOR, lines

import rig
from wool_station import events
from wool_station.feed import LOST, SILENT, messages


def test_the_events_of_an_inspection_have_the_fields_that_are_read(tmp_path):
    feed = tmp_path / "feed"
    options = f"--feed={feed}", "--window=0,1", "--pixel_mm=0.5", "--recorded"
    process, heard = rig.start(*DETECTOR.references(tmp_path), *options), {}
    fed = threading.Thread(target=process.communicate, args=(lines([(200, 30), (800, 50)]),))
    for message, _ in messages(feed, silence=0.05):
        heard.setdefault(message["event"], message)
        if message["event"] == "start":
            fed.start()
        if message["event"] == LOST and "start" in heard:
            break
    fed.join()
    assert {"start", "clock", "air", "tile", "pixels", "reject", LOST} <= heard.keys()
    for kind, message in heard.items():
        event = events.typed(message)
        assert (event is None) == (kind in (SILENT, "summary", "overlap")), kind
        if event is not None:
            told = dataclasses.asdict(event)
            assert {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()} == {
                name: message[name] for name in told
            }


def test_an_alarm_without_duration_neither_begins_nor_ends():
    about = {"event": "alarm", "time": 1.0, "alarm": "late", "text": "so"}
    assert events.typed(about) == events.Alarm(time=1.0, alarm="late", text="so", on=None)
    assert events.typed(about | {"on": False, "line": 3}).on is False


def test_what_nobody_goes_by_is_no_event():
    assert events.typed({"event": "dropped", "pixels": 3, "events": 0}) is None
