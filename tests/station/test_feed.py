"""The feed beside an inspection: it says what the standard output says, and no reader ever holds the inspection up."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from feed_readers import Listener, connected

import rig
from checkout import environment
from rig import DEFECT, SIDE, WOOL
from wool_board.belt import feed_buffer
from wool_board.belt.feed import MOST_READERS

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


def test_a_feed_that_fails_is_an_alarm_and_the_inspection_goes_on(flags, tmp_path):
    code = (
        "import sys, rig\nfrom wool_board.belt import feed\n"
        "def broken(self): raise RuntimeError('no more')\n"
        "feed.Feed._tick = broken\n"
        # Long enough for the thread of the feed to begin.
        "sys.exit(rig.main(['model', *sys.argv[1:]], 0.02))"
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
