"""tflite/inspect_line.py as a process: signals, FIFOs, readers that go away, memory, and wrong use."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from belt_pieces import DEFECTS, DETECTOR, MM, PRODUCT, alarms, belt

import checkout
import rig
from checkout import PROGRAMS
from rig import DEFECT, WOOL, accounted, kinds


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_all_that_is_known(flags, number):
    process = rig.start(*flags)
    first = process.stdout.readline()
    process.stdin.write(DETECTOR.expose(belt(330, PRODUCT, *DEFECTS)).tobytes())
    process.stdin.flush()
    # The first tile means that the lines have come.
    head = [process.stdout.readline() for _ in range(3)]
    time.sleep(0.3)
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, b"")
    found = rig.events(b"".join([first, *head, output]).decode())
    assert found[-1]["event"] == "summary" and found[-1]["final"]
    assert len(kinds(found, "reject")) == 1
    assert accounted(found) == [0, 330 * MM]


def test_another_writer_of_the_fifo_is_waited_for(flags, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = rig.start(fifo, *flags, "--reopen")
    lines = [process.stdout.readline()]
    for _ in range(2):
        fifo.write_bytes(DETECTOR.expose(belt(200, (slice(50, 80), slice(0, 100), DEFECT))).tobytes())
        while '"no_writer"' not in (line := process.stdout.readline().decode()) or '"on": false' in line:
            lines.append(line.encode())
        lines.append(line.encode())
    process.terminate()
    output, _ = process.communicate(timeout=30)
    found = rig.events((b"".join(lines) + output).decode())
    assert alarms(found) == [("no_writer", True), ("no_writer", False), ("no_writer", True)]
    assert [event["along_mm"] for event in kinds(found, "reject")] == [[48 * MM, 80 * MM], [248 * MM, 280 * MM]]
    assert accounted(found) == [0, 400 * MM]


def test_whoever_reads_the_events_may_go_away(flags, tmp_path):
    path = tmp_path / "belt.raw"
    path.write_bytes(DETECTOR.expose(belt(20000, (slice(0, 20000), slice(0, 100), WOOL))).tobytes())
    process = rig.start(path, *flags)
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stdin.close()
    process.stderr.close()
    assert process.wait(30) == 1
    assert errors.splitlines() == ["inspect_line.py: standard output: cannot be written (Broken pipe)"]


@pytest.mark.slow
def test_memory_stays_as_it_is(flags):
    """A million lines, an eighth of which are product."""
    lines = DETECTOR.expose(belt(4000, (slice(100, 600), slice(0, 100), WOOL), (slice(300, 304), slice(9, 12), DEFECT)))
    process = rig.start(*flags, "--recorded", "--report_seconds=2")
    status = Path(f"/proc/{process.pid}/status")
    samples = []

    def feed():
        for _ in range(250):
            process.stdin.write(lines.tobytes())
            samples.append(int(status.read_text().split("VmRSS:")[1].split()[0]))
        process.stdin.close()

    import threading

    feeder = threading.Thread(target=feed)
    feeder.start()
    summary = None
    for line in process.stdout:
        if b'"summary"' in line:
            summary = json.loads(line)
    feeder.join()
    process.stdout.close()
    process.stderr.close()
    assert process.wait() == 0 and summary["lines"] == 10**6
    # The first rounds fill the arrays.
    assert max(samples[125:]) <= max(samples[10:60]) + 512


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--bright=b"], 64, "required: --dark"),
        (["--dark=d"], 64, "required: --bright"),
        (["--window=1"], 64, "argument --window: must be LOW,HIGH, for example 0,1.5, got '1'"),
        (["--type=float"], 64, "--type=float: must be one of uint8, uint16le, uint16be"),
        (["--widt=3"], 64, "unrecognized arguments: --widt=3"),
        (["--window=2,1"], 64, "--window=2,1: must be LOW,HIGH in attenuation"),
        (["--width=99"], 1, "dark.png: is 100 elements wide, but --width=99"),
        (["--width=0"], 64, "--width=0: must be at least 1"),
        (["--threads=0"], 64, "--threads=0: must be 1 to"),
        (["--overlap=1"], 64, "--overlap=1: must be at least 0 and below 1"),
        (["--pixel_mm=nan"], 64, "--pixel_mm=nan: must be at least 0.001"),
        (["--pixel_mm=1e-320"], 64, "--pixel_mm=9.99989e-321: must be at least 0.001 and"),
        (["--spacing_mm=1e300"], 64, "--spacing_mm=1e+300: must be above 0 and at most 1e+09"),
        (["--lines_per_second=inf"], 64, "--lines_per_second=inf: must be above 0 and at most 1e+09"),
        # Twice as many lines of 200 bytes as pass within the latency, and lines of four seconds.
        (
            ["--pixel_mm=0.001"],
            64,
            "--latency_mm=1200: 2,400,000 lines that may wait take 457 MB of memory, 256 at most; give less, or check "
            "--pixel_mm, which is 0.001",
        ),
        (
            ["--lines_per_second=1e6"],
            64,
            "--lines_per_second=1e+06: 4,000,000 lines that may wait take 762 MB of memory, 256 at most; give less",
        ),
        (["--part_mm=19"], 64, "--part_mm=19: must be at least 20, the length that a tile shows"),
        (["--latency_mm=60"], 64, "--latency_mm=60: must be at least"),
        (["no.raw"], 1, "no.raw: cannot be opened (No such file or directory)"),
        (["--reopen"], 64, "--reopen: - is no FIFO"),
    ],
)
def test_wrong_use_gets_one_line(arguments, status, said, flags):
    references = [] if "required" in said else flags
    code, found, errors = rig.run(*references, *arguments)
    assert (code, found) == (status, [])
    (line,) = errors.splitlines()
    assert line.startswith("inspect_line.py: ") and said in line


def test_a_closed_input_is_one_line(flags):
    command = ["sh", "-c", '"$@" <&-', "sh", *rig.command(*flags)]
    environment = checkout.environment(checkout.TESTS)
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    said = "inspect_line.py: standard input: is closed; give a pipe, a FIFO or a file with detector lines\n"
    assert ran.stderr == said


def test_a_model_that_was_changed_is_refused(board_model, flags, tmp_path):
    changed = tmp_path / "changed.tflite"
    content = bytearray(board_model.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    ran = subprocess.run(
        [sys.executable, PROGRAMS / "inspect_line.py", changed, *flags], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"inspect_line.py: {changed}: is not the model that its card describes")
