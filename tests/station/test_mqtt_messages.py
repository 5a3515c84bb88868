"""Which messages follow from events and alarms, and the outbox that they wait in."""

import json
import shutil
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import fake_feed
from wool_station.feed import LOST
from wool_station.mqtt import alarm_reader
from wool_station.mqtt.alarm_reader import AlarmReader, RecorderAlarms
from wool_station.mqtt.messages import MessageBuilder
from wool_station.mqtt.outbox import Message, Outbox
from wool_station.store.batch import Batch, EventRow
from wool_station.store.store import Store

START = fake_feed.start(1.0, sha256="ab", threshold=0.5, pixel_mm=0.8)


@given(st.lists(st.tuples(st.sampled_from(["reject", "alarm", "state", "health"]), st.booleans()), max_size=60))
def test_the_box_is_bounded_keeps_the_order_and_counts(messages):
    box, kept = Outbox(8), []
    for number, (topic, is_taken) in enumerate(messages):
        message = Message(topic, str(number), topic in ("state", "health"))
        box.put(message)
        kept = [one for one in kept if not (message.retain and one.topic == topic)] + [message]
        if len(kept) > 8:
            kept.remove(next((one for one in kept if not one.retain), kept[0]))
        assert len(box) == len(kept) <= 8
        if is_taken:
            assert box.take() == kept.pop(0)
    assert [box.take() for _ in kept] == kept and box.take() is None
    assert box.dropped <= len(messages)


def test_dropped_messages_are_the_oldest_events():
    box = Outbox(3)
    for topic, retain in (("state", True), ("a", False), ("b", False), ("c", False), ("d", False)):
        box.put(Message(topic, "", retain))
    assert [box.take().topic for _ in range(3)] == ["state", "c", "d"] and box.dropped == 2


def told(builder: MessageBuilder, event: dict) -> list[tuple[str, bool]]:
    return [(message.topic, message.retain) for message in builder.hear(event)]


def alarm(name: str, on: bool | None, at: float) -> dict:
    return {"event": "alarm", "alarm": name, "time": at, "text": ""} | ({} if on is None else {"on": on})


def test_what_is_told_and_what_is_kept():
    builder = MessageBuilder()
    assert told(builder, START) == [("start", True), ("state", True)]
    assert told(builder, fake_feed.reject(1, 0, 20)[0]) == [("reject", False)]
    assert told(builder, fake_feed.unseen(0, 20)[0]) == [("unseen", False)]
    assert told(builder, {"event": "summary"}) == [("summary", True)]
    ignored = *fake_feed.tile(1), fake_feed.air(0, 20), ({"event": "overlap"}, b""), ({"event": "dropped"}, b"")
    for event, _ in ignored:
        assert told(builder, event) == []
    assert told(builder, alarm("lost_lines", None, 2)) == [("alarm", False)]
    assert told(builder, alarm("stall", True, 3)) == [("alarm", False), ("state", True)]
    assert json.loads(builder.state().text)["alarms"] == ["stall"]
    # The feed was lost and is heard again: the same start, and the alarms that stand.
    assert told(builder, {"event": LOST, "text": ""}) == [("state", True)]
    assert json.loads(builder.state().text)["inspection"] is False
    assert told(builder, START) == [("state", True)]
    assert told(builder, alarm("stall", True, 3)) == []
    assert told(builder, alarm("stall", False, 4)) == [("alarm", False), ("state", True)]
    assert json.loads(builder.state().text)["alarms"] == []
    # Another inspection knows nothing of the alarms of the one before.
    builder.hear(alarm("stall", True, 5))
    builder.hear(START | {"time": 9.0})
    assert json.loads(builder.state().text)["alarms"] == []


def test_health_says_how_old_the_clock_is():
    builder = MessageBuilder()
    found = json.loads(builder.health(3, 4).text)
    assert (found["line"], found["clock_age_seconds"], found["waiting"], found["dropped"]) == (None, None, 3, 4)
    now = time.monotonic() - 2
    builder.hear(fake_feed.clock(50, 40.0, 2, now))
    found = json.loads(builder.health(0, 0).text)
    assert (found["line"], found["along_mm"]) == (50, 40.0) and 2 <= found["clock_age_seconds"] < 20


def put(folder: Path, *alarms: dict) -> None:
    """Writes events into a store, as a recorder does."""
    store = Store(folder, 64 << 20)
    batch = Batch()
    for one in alarms:
        batch.events.append(EventRow(one["time"], 1, "alarm", one["alarm"], json.dumps(one)))
    store.commit(batch)
    store.close()


def own(name: str, on: bool | None, at: float) -> dict:
    return alarm(name, on, at) | {"source": "recorder"}


def test_alarms_of_the_recorder_are_told_once_and_stand_until_they_end(tmp_path, monkeypatch):
    monkeypatch.setattr(alarm_reader, "LOOK_SECONDS", 0.0)
    folder = tmp_path / "store"
    looks = AlarmReader(folder)
    assert looks.look() == RecorderAlarms([], frozenset())
    put(folder, alarm("stall", True, 1), own("scores_high", True, 2), own("clock_step", None, 3))
    told = looks.look()
    assert [one["alarm"] for one in told.alarms] == ["scores_high", "clock_step"]
    assert told.standing == looks.look().standing == {"scores_high"} and looks.look().alarms == []
    # What was there before is not new.
    assert AlarmReader(folder).look() == RecorderAlarms([], frozenset({"scores_high"}))
    put(folder, own("scores_high", False, 4))
    told = looks.look()
    assert ([one["on"] for one in told.alarms], told.standing) == ([False], frozenset())
    # The store was damaged: another one is in its place, with fewer events.
    shutil.rmtree(folder)
    put(folder, own("store_damaged", None, 5))
    assert [one["alarm"] for one in looks.look().alarms] == ["store_damaged"]
    (folder / "station.sqlite").write_bytes(b"none" * 4096)
    assert looks.look() is None and looks.trouble == "file is not a database"


def test_alarms_of_the_recorder_make_messages():
    builder = MessageBuilder()
    builder.hear(START)
    builder.hear(alarm("stall", True, 3))
    found = builder.hear_recorder(RecorderAlarms([own("scores_low", True, 4)], frozenset({"scores_low"})))
    assert [message.topic for message in found] == ["alarm", "state"]
    assert json.loads(found[-1].text)["alarms"] == ["scores_low", "stall"]
    assert builder.hear_recorder(RecorderAlarms([], frozenset({"scores_low"}))) == []
    # Another inspection ends alarms of the one before, not the recorder's.
    builder.hear(START | {"time": 9.0})
    assert json.loads(builder.state().text)["alarms"] == ["scores_low"]
