"""The feed: what it says is what the standard output says, and no reader ever holds the inspection up."""

import itertools
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rig
from checkout import environment
from rig import DEFECT, SIDE, WOOL
from wool_board.belt import feed_buffer, motion
from wool_board.belt.events import Alarms, Events
from wool_board.belt.feed import MOST_READERS, Feed, Position
from wool_board.belt.feed_buffer import DEFECTIVE, HEADER, PASSED, SPARE, VITAL, FeedBuffer, message
from wool_board.errors import BadSetting, WoolError
from wool_station.feed import LOST, SILENT, messages

DETECTOR, MM = rig.Detector(), 0.5


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return DETECTOR.references(tmp_path_factory.mktemp("references"))


def belt(lines: int, defects: tuple = ()) -> bytes:
    """Products of 200 lines every 400; defects of 4 by 4 pixels from a line and an element on."""
    attenuation = np.zeros((lines, DETECTOR.width))
    for start in range(64, lines - 100, 400):
        attenuation[start : start + 200, 10:90] = WOOL
    for line, element in defects:
        attenuation[line : line + 4, element : element + 4] = DEFECT
    return DETECTOR.expose(attenuation).tobytes()


class Listener:
    """Reads a feed with a thread until it is lost."""

    def __init__(self, path: Path, pixels: bool = True):
        self.heard: list[tuple[dict, bytes]] = []
        self.started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(path, pixels), daemon=True)
        self._thread.start()

    def _run(self, path: Path, pixels: bool) -> None:
        for event, payload in messages(path, pixels, silence=0.05):
            if event["event"] == LOST and self.started.is_set():
                return
            if event["event"] not in (LOST, SILENT):
                self.heard.append((event, payload))
                self.started.set()

    def end(self) -> list[tuple[dict, bytes]]:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.heard

    def events(self) -> list[dict]:
        return [event for event, _ in self.end()]


def write(process: subprocess.Popen, lines: bytes, count: int, seconds: float) -> None:
    """Writes lines, so many at a time, with a pause behind each time."""
    step = count * 2 * DETECTOR.width
    for start in range(0, len(lines), step):
        process.stdin.write(lines[start : start + step])
        time.sleep(seconds)


def finish(process: subprocess.Popen, lines: bytes) -> list[dict]:
    output, errors = process.communicate(lines, timeout=120)
    assert (process.returncode, errors) == (0, b"")
    return rig.events(output.decode())


def test_the_feed_says_what_the_standard_output_says_and_shows_what_the_network_saw(flags, tmp_path):
    path, defects = tmp_path / "feed", ((100, 30), (150, 60), (480, 40))
    process = rig.start(*flags, "--recorded", f"--feed={path}")
    listener, plain = Listener(path), Listener(path, pixels=False)
    assert listener.started.wait(30) and plain.started.wait(30)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    told = finish(process, belt(1200, defects))
    heard = listener.end()
    assert [event for event, _ in heard if event["event"] not in ("clock", "pixels")] == told
    assert [event for event in plain.events() if event["event"] != "clock"] == told
    assert len(rig.kinds(told, "reject")) >= 2 and not path.exists()
    tiles = rig.kinds(told, "tile")
    shown = [(event, payload) for event, payload in heard if event["event"] == "pixels"]
    assert len(shown) == len(tiles) > 20
    found = set()
    for tile, (event, payload) in zip(tiles, shown, strict=True):
        for name in ("along_mm", "across_mm", "score", "defective"):
            assert event[name] == tile[name]
        assert (event["height"], event["width"], event["heatmap"]) == (SIDE, SIDE, [5, 5])
        pixels = np.frombuffer(payload[: SIDE * SIDE], np.uint8).reshape(SIDE, SIDE)
        result = rig.FakeRecognizer().recognize(pixels)
        assert round(result.score, 6) == tile["score"]
        cells = np.frombuffer(payload[SIDE * SIDE :], np.uint8).reshape(5, 5) / 255 * event["heatmap_top"]
        np.testing.assert_allclose(cells, result.heatmap, atol=0.51 * event["heatmap_top"] / 255)
        line, element = (round(mm / MM) for mm in event["corner_mm"])
        found |= {
            (line + row, element + column)
            for row, column in np.argwhere(pixels > 0).tolist()
            if pixels[row, column] < 70
        }
    # Where the pixels say that it is dark is where the defects lie on the belt.
    expected = {(line + row, element + column) for line, element in defects for row in range(4) for column in range(4)}
    assert found == {place for place in expected if place[1] != DETECTOR.width // 3} or found == expected


def test_after_decided_nothing_is_told_of_a_line_before_it(flags, tmp_path):
    rng = random.Random(3)
    defects = [(rng.randrange(60, 6000), rng.randrange(10, 85)) for _ in range(40)]
    path = tmp_path / "feed"
    process = rig.start(*flags, "--recorded", f"--feed={path}", delay=0.001)
    listener = Listener(path, pixels=False)
    assert listener.started.wait(30)
    write(process, belt(6000, tuple(defects)), 30, 0.005)
    finish(process, b"")
    decided = line = 0
    kinds, clocks = set(), 0
    for event in listener.events():
        if event["event"] == "clock":
            assert decided <= event["decided"] <= event["line"] and line <= event["line"] <= 6000
            assert event["along_mm"] == round(event["line"] * MM, 1)
            decided, line, clocks = event["decided"], event["line"], clocks + 1
        elif event["event"] in ("reject", "unseen", "tile"):
            assert event["along_mm"][0] >= decided * MM, event
            kinds.add(event["event"])
    assert kinds == {"reject", "tile"} and clocks > 20 and line > 5000 and decided > 1000


def test_lines_that_are_lost_or_too_many_are_told_before_they_are_decided(flags, tmp_path):
    """A machine that is far too slow: the belt goes on, and most of it is unseen."""
    path = tmp_path / "feed"
    process = rig.start(*flags, f"--feed={path}", "--lines_per_second=800", "--latency_mm=300", delay=0.05)
    listener = Listener(path, pixels=False)
    assert listener.started.wait(30)
    lines = belt(6000, ((300, 40), (2500, 40)))
    write(process, lines, 8, 0.005)
    finish(process, b"")
    decided, line, unseen = 0, 0, 0.0
    for event in listener.events():
        if event["event"] == "clock":
            assert line <= event["line"] <= 6000 and event["decided"] <= event["line"]
            decided, line = max(decided, event["decided"]), event["line"]
        elif event["event"] in ("reject", "unseen"):
            assert event["along_mm"][0] >= decided * MM, event
            unseen += event["along_mm"][1] - event["along_mm"][0] if event["event"] == "unseen" else 0
    assert unseen > 100


def memory_kb(process: int) -> int:
    return int(Path(f"/proc/{process}/status").read_text().split("VmRSS:")[1].split()[0])


def test_a_reader_that_never_reads_neither_slows_the_inspection_nor_grows_its_memory(flags, tmp_path):
    path, lines = tmp_path / "feed", belt(16000, ((500, 30), (9000, 30)))
    seconds, told = [], []
    for stubborn in (0, MOST_READERS):
        process = rig.start(*flags, "--recorded", f"--feed={path}")
        process.stdout.readline()
        readers = [connected(path) for _ in range(stubborn)]
        began, half = time.monotonic(), len(lines) // 2
        output = []
        reading = threading.Thread(target=lambda pipe=process.stdout, kept=output: kept.extend(pipe))
        reading.start()
        process.stdin.write(lines[:half])
        before = memory_kb(process.pid)
        process.stdin.write(lines[half:])
        after = memory_kb(process.pid)
        process.stdin.close()
        reading.join(60)
        seconds.append(time.monotonic() - began)
        assert process.wait(30) == 0 and process.stderr.read() == b""
        process.stderr.close()
        process.stdout.close()
        told.append([json.loads(line) for line in output])
        for reader in readers:
            reader.close()
    assert after - before < 8 * feed_buffer.BUFFER_BYTES // 4 // 1024
    summary = told[1][-1]["feed"]
    assert summary["readers"] == MOST_READERS and summary["dropped_pixels"] > 1000
    assert told[0][-1]["feed"] == {"readers": 0, "cut_off": 0, "dropped_pixels": 0, "dropped_events": 0}

    def what(events: list[dict]) -> list[tuple]:
        return [(e["event"], e["along_mm"], e.get("score")) for e in events if e["event"] in ("tile", "reject")]

    assert what(told[0]) == what(told[1]) and len(what(told[0])) > 1000
    # The end waits for readers to take the last messages, two seconds; the machine may be busy otherwise. One that was
    # waited for would take forever.
    assert seconds[1] < 3 * seconds[0] + 30


def connected(path: Path) -> socket.socket:
    end = time.monotonic() + 30
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            connection.close()
            assert time.monotonic() < end
            time.sleep(0.02)


def test_readers_come_and_go_and_are_killed(flags, tmp_path):
    path, lines = tmp_path / "feed", belt(8000, ((500, 30), (4000, 30)))
    process = rig.start(*flags, "--recorded", f"--feed={path}")
    steady = Listener(path)
    assert steady.started.wait(30)
    code = f"import pathlib, wool_station.feed\nfor m in wool_station.feed.messages(pathlib.Path({str(path)!r})): pass"
    output: list[bytes] = []
    reading = threading.Thread(target=lambda: output.extend(process.stdout))
    reading.start()
    rng, killed, step = random.Random(1), [], len(lines) // 20
    for number, start in enumerate(range(0, len(lines), step)):
        if number % 4 == 0:
            killed.append(subprocess.Popen([sys.executable, "-c", code], env=environment()))
        passing = connected(path)
        process.stdin.write(lines[start : start + step])
        passing.recv(rng.randrange(1, 100))
        passing.close()
        time.sleep(0.05)
        if number % 4 == 3:
            killed[-1].send_signal(signal.SIGKILL)
            killed[-1].wait()
    process.stdin.close()
    reading.join(60)
    assert process.wait(30) == 0 and process.stderr.read() == b""
    process.stderr.close()
    process.stdout.close()
    told = [json.loads(line) for line in output]
    assert [event for event in steady.events() if event["event"] not in ("clock", "pixels")] == told
    assert not rig.kinds(told, "alarm")


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


OFFERS = st.lists(st.tuples(st.sampled_from([PASSED, DEFECTIVE, SPARE, VITAL]), st.integers(1, 400)), max_size=200)


@given(OFFERS, st.lists(st.integers(0, 3000), max_size=200))
def test_a_buffer_keeps_the_order_counts_what_it_drops_and_stays_bounded(offers, reads):
    before, feed_buffer.BUFFER_BYTES = feed_buffer.BUFFER_BYTES, 4000
    try:
        buffer, sent, dropped = FeedBuffer(), b"", 0
        takes = iter(reads)
        for number, (share, size) in enumerate(offers):
            content = message(json.dumps({"event": "n", "number": number}), bytes(size))
            full = buffer.waiting + len(content) > share * 4000
            assert (buffer.offer(content, share) is not None) == full
            dropped += full
            assert buffer.is_lost or not (full and share == VITAL)
            assert buffer.waiting <= 4000 + 100
            left = next(takes, 0)
            while left and (piece := buffer.next()):
                count = min(left, len(piece))
                sent += bytes(piece[:count])
                buffer.taken(count)
                left -= count
        buffer.offer(message(json.dumps({"event": "end"})), 10.0)
        while piece := buffer.next():
            sent += bytes(piece)
            buffer.taken(len(piece))
    finally:
        feed_buffer.BUFFER_BYTES = before
    numbers, missing, at = [], 0, 0
    while at < len(sent):
        text, payload = HEADER.unpack_from(sent, at)
        event = json.loads(sent[at + HEADER.size : at + HEADER.size + text])
        at += HEADER.size + text + payload
        if event["event"] == "dropped":
            missing += event["pixels"] + event["events"]
        elif event["event"] == "n":
            # What lies between two that came is what was said to be missing by then.
            assert event["number"] == len(numbers) + missing
            numbers.append(event["number"])
    assert missing == dropped and len(numbers) + missing == len(offers)


def test_clocks_that_wait_are_one():
    buffer = FeedBuffer()
    buffer.offer(message("first"), VITAL)
    for number in range(1000):
        buffer.tick(message(f"{number}"))
    sent = b""
    while piece := buffer.next():
        sent += bytes(piece)
        buffer.taken(len(piece))
    assert sent == message("first") + message("999")


@given(st.lists(st.integers(0, 6), min_size=2, max_size=300), st.integers(0, 2**32 - 1), st.data())
def test_by_an_encoders_count_the_clock_foresees_how_many_lines_will_be_chosen(moves, first, data):
    counts = (first + np.cumsum(moves)) % 2**32
    lines = np.zeros((len(moves), 6), "<u2")
    lines[:, 4:] = counts.astype("<u4").view("<u2").reshape(-1, 2)

    class NoEvents:
        def tell(self, event, **fields):
            pass

        def flush(self):
            pass

    encoder = motion.EncoderCounts(4, 2.0, Alarms(NoEvents()))
    cut = data.draw(st.integers(1, len(moves) - 1))
    assert encoder.ahead(encoder.mark(), lines[0]) == 0
    encoder.choose(lines[:cut])
    mark = encoder.mark()
    foreseen = encoder.ahead(mark, lines[-1])
    assert foreseen == len(encoder.choose(lines[cut:]))


def test_a_feed_that_fails_is_an_alarm_and_the_inspection_goes_on(flags, tmp_path):
    code = (
        "import sys, rig\nfrom wool_board.belt import feed\n"
        "def broken(self): raise RuntimeError('no more')\n"
        "feed.Feed._tick = broken\n"
        "sys.exit(rig.main(['model', *sys.argv[1:]], 0.0))"
    )
    command = [sys.executable, "-c", code, *flags, "--recorded", f"--feed={tmp_path / 'feed'}"]
    finished = subprocess.run(
        command, input=belt(1200), capture_output=True, env=environment(Path(__file__).parents[1]), check=False
    )
    told = rig.events(finished.stdout.decode())
    assert finished.returncode == 0 and told[-1]["final"]
    (alarm,) = rig.kinds(told, "alarm")
    assert (alarm["alarm"], "no more" in alarm["text"]) == ("feed", True)
    assert not os.path.exists(tmp_path / "feed")
