"""Outputs that take nothing, or take it late: one line, or an event that counts what was left out."""

import fcntl
import os
import subprocess
import time

import numpy as np
import pytest
from product_belt import DETECTOR, MM, belt

import rig
from rig import DEFECT, WOOL, accounted, kinds
from wool_board.belt.events import MUCH, Events


def test_a_broken_output_is_one_line_and_the_next_inspection_says_what_was_not_told(flags, tmp_path):
    state = tmp_path / "state.json"
    process = rig.start(*flags, f"--state={state}", "--recorded")
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(belt(2000))
    process.stdin.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 1
    assert errors.splitlines() == ["inspect_line.py: standard output: cannot be written (Broken pipe)"]
    _, found, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert found[0]["event"] == "start" and accounted(found)[0] == 0


def started(flags, *more, stdout, **options) -> subprocess.Popen:
    settings = rig.checkout.environment(rig.checkout.TESTS) | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        rig.command(*flags, *more, **options),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=settings,
    )


@pytest.mark.parametrize("more", [[], ["--recorded"]])
def test_a_full_disk_is_one_line(flags, more, monkeypatch):
    with open("/dev/full", "w") as full:
        process = started(flags, *more, stdout=full)
        _, errors = process.communicate(belt(500), timeout=60)
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert line.startswith("inspect_line.py: standard output: cannot be written (No space left on device)")


def test_a_closed_output_is_one_line(flags):
    command = rig.command(*flags)
    code = "import os, sys; os.close(1); os.execv(sys.argv[1], sys.argv[1:])"
    settings = rig.checkout.environment(rig.checkout.TESTS)
    ran = subprocess.run(
        [command[0], "-c", code, *command], input=belt(100), stderr=subprocess.PIPE, env=settings, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines() == ["inspect_line.py: standard output: is closed; give a file or a pipe"]


def test_a_pipe_that_does_not_block_gets_all(flags, tmp_path):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl.fcntl(writing, 1031, 4096)
    process = started(flags, "--recorded", stdout=writing)
    os.close(writing)
    process.stdin.write(belt(4000))
    process.stdin.close()
    time.sleep(1.5)
    with open(reading) as pipe:
        found = rig.events(pipe.read())
    assert (process.wait(30), process.stderr.read()) == (0, b"")
    process.stderr.close()
    assert accounted(found) == [0, 4000 * MM] and found[-1]["final"]


def test_a_slow_reader_holds_nothing_up_and_hears_how_much_it_missed(flags):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, 1031, 4096)
    process = started(flags, "--latency_mm=200000", stdout=writing)
    os.close(writing)
    lines, sent = belt(4000), 0
    attenuation = np.full((2000, DETECTOR.width), WOOL)
    attenuation[1000:1010, 40:50] = DEFECT
    product = DETECTOR.expose(attenuation).tobytes()
    head = b""
    while b"\n" not in head:
        head += os.read(reading, 4096)
    for _ in range(60):
        process.stdin.write(product)
        sent += 2000
        head += os.read(reading, 512)
    process.stdin.write(lines)
    sent += 4000
    process.stdin.flush()
    # Until all has been looked at; a reader that takes nothing for long would be given up.
    idle = 0
    while idle < 10:
        head += os.read(reading, 512)
        time.sleep(0.05)
        idle = 0 if rig.is_busy(process) else idle + 1
    with open(reading) as pipe:
        process.stdin.close()
        found = rig.events(head.decode() + pipe.read())
    assert (process.wait(30), process.stderr.read()) == (0, b"")
    process.stderr.close()
    untold = kinds(found, "untold")
    assert untold and sum(sum(event["events"].values()) for event in untold) > 100
    assert set().union(*(event["events"] for event in untold)) <= {"tile", "air", "overlap"}
    # Whatever calls for action is told, and what is missing is named.
    assert found[-1]["lost_lines"] == 0 and sum(r["last"] for r in kinds(found, "reject")) == found[-1]["rejects"] == 60
    told = [event | {"event": "unseen"} if event["event"] == "untold" else event for event in found]
    spans = sorted(e["along_mm"] for e in told if e["event"] in ("tile", "air", "unseen"))
    assert accounted([{"event": "air", "along_mm": span} for span in spans]) == [0, sent * MM]


def test_what_calls_for_action_is_told_while_much_waits():
    class Slow:
        waiting, text = 0, ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    stream = Slow()
    events = Events(stream, lambda: stream.waiting)
    stream.waiting = MUCH + 1
    for line in range(5):
        events.tell("tile", along_mm=[10.0 * line, 10.0 * line + 15])
    events.tell("reject", along_mm=[0.0, 10.0])
    stream.waiting = MUCH // 2
    events.tell("tile", along_mm=[50.0, 60.0])
    events.tell_untold()
    found = rig.events(stream.text)
    assert [event["event"] for event in found] == ["reject", "untold", "tile"]
    assert (found[1]["events"], found[1]["along_mm"]) == ({"tile": 5}, [0.0, 55.0])
