"""The feed's socket: late, slow, refused and cut-off readers, and places where there can be no socket."""

import itertools
import socket
import threading
import time

import numpy as np
import pytest
from feed_readers import Listener, connected

from wool_board.belt import feed_buffer
from wool_board.belt.events import Alarms, Events
from wool_board.belt.feed import MOST_READERS, Feed, Position
from wool_board.belt.feed_buffer import HEADER
from wool_board.errors import BadSetting, WoolError
from wool_station.feed import LOST, SILENT, messages


@pytest.fixture
def served(tmp_path):
    """A feed with a clock that stands at line 40, and the events that go to it."""
    feed, place = Feed(tmp_path / "feed"), {"position": Position(0, 40, 8)}

    class Nowhere:
        def write(self, text):
            pass

        def flush(self):
            pass

    events = Events(Nowhere(), feed=feed)
    events.tell("start", pixel_mm=0.5)
    with feed.serving(lambda: place["position"], 0.5, 0.2):
        yield feed, events, place, tmp_path / "feed"


def take(source, kinds: set) -> list[dict]:
    return [event for event, _ in itertools.takewhile(lambda item: item[0]["event"] not in kinds, source)]


def test_a_reader_that_comes_late_hears_the_start_and_the_alarms_that_stand(served):
    _, events, _, path = served
    alarms = Alarms(events)
    alarms.set("stall", True, "stands")
    alarms.set("late", True, "stands")
    alarms.once("lost_lines", "passes")
    alarms.set("stall", False, "stands")
    source = messages(path, silence=0.05)
    heard = take(source, {SILENT})
    assert [(event["event"], event.get("alarm")) for event in heard if event["event"] != "clock"] == [
        ("start", None),
        ("alarm", "late"),
    ]


def test_the_clock_comes_while_lines_do_and_only_then(served):
    _, _, place, path = served
    source = messages(path, silence=0.3)
    take(source, {SILENT})
    assert next(source)[0]["event"] == SILENT
    times, late = [], []
    for line in range(41, 90):
        place["position"] = Position(line, line, 8)
        event, _ = next(source)
        assert (event["event"], event["line"], event["decided"]) == ("clock", line, 8)
        assert abs(event["monotonic"] - time.monotonic()) < 5
        times.append(time.monotonic())
        time.sleep(0.001)
        late.append(time.monotonic() - times[-1] - 0.001)
    # A busy machine wakes every thread late, that of the feed and this one.
    assert np.median(np.diff(times)) < 0.05 + 5 * np.median(late)
    # Lines that are no step of the belt show that the detector lives.
    place["position"] = Position(1000, 89, 8)
    assert next(source)[0]["line"] == 89


def test_one_reader_too_many_is_refused(served):
    _, _, _, path = served
    full = [connected(path) for _ in range(MOST_READERS)]
    for one in full:
        assert one.recv(4) != b""
    source = messages(path, silence=0.05)
    began = time.monotonic()
    heard = [next(source)[0]["event"] for _ in range(20)]
    assert heard[:2] == ["refused", LOST] and set(heard[2:]) <= {SILENT, "refused", LOST}
    # It does not try again at once.
    assert heard.count("refused") <= 1 + (time.monotonic() - began) / 0.15
    full.pop().close()
    assert any(event["event"] == "start" for event, _ in itertools.islice(source, 10))
    for one in full:
        one.close()


def test_a_reader_that_is_too_slow_even_for_rejects_is_cut_off(served, monkeypatch):
    monkeypatch.setattr(feed_buffer, "BUFFER_BYTES", 20000)
    feed, events, _, path = served
    lame, fit = connected(path), Listener(path)
    assert fit.started.wait(10)
    end = time.monotonic() + 60
    for number in range(20000):
        events.tell("reject", reject=number, text="x" * 200)
        # The fit one must have time to read.
        while number % 20 == 0 and not feed.counts["cut_off"]:
            if number in [event.get("reject") for event, _ in fit.heard[-5:]]:
                break
            assert time.monotonic() < end
            time.sleep(0.002)
        if feed.counts["cut_off"]:
            break
    assert feed.counts["cut_off"] == 1
    lame.close()
    rejects = [event["reject"] for event, _ in fit.heard if event["event"] == "reject"]
    assert rejects == list(range(len(rejects)))


def test_what_is_no_place_for_a_socket(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(BadSetting, match="^feed=.*file: is a file already, and no socket; give another path"):
        Feed(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"
    with pytest.raises(BadSetting, match="must have at most 107 bytes"):
        Feed(tmp_path / ("long" * 40))
    with pytest.raises(WoolError, match="cannot listen there .No such file or directory."):
        Feed(tmp_path / "missing" / "feed")
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "left"))
    left.close()
    served = Feed(tmp_path / "left")
    with pytest.raises(WoolError, match="another inspection listens there"):
        Feed(tmp_path / "left")
    served.close()
    assert not (tmp_path / "left").exists()


def test_a_socket_that_speaks_otherwise_is_no_feed(tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "other"))
    listener.listen()
    for said in (b"HTTP/1.1 200 OK\r\n\r\n", HEADER.pack(4, 0) + b"nono", HEADER.pack(2, 0) + b"{}", HEADER.pack(1, 0)):
        source = messages(tmp_path / "other", silence=0.05)
        heard: list[str] = []
        thread = threading.Thread(target=lambda s=source, h=heard: h.append(next(s)[0]["event"]))
        thread.start()
        connection, _ = listener.accept()
        connection.send(said)
        connection.close()
        thread.join(10)
        assert heard == [LOST]
    listener.close()


def test_without_an_inspection_the_loss_is_told_once_and_the_wait_goes_on(tmp_path):
    heard = [event["event"] for event, _ in itertools.islice(messages(tmp_path / "none", silence=0.01), 4)]
    assert heard == [LOST, SILENT, SILENT, SILENT]
