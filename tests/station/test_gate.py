"""tflite/gate.py beside an inspection, as on a board, and its options."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import pytest

import gate
import rig
from checkout import PROGRAMS, TESTS, environment
from rig import DEFECT, WOOL, kinds
from wool_station.gate.timeline import GateGeometry
from wool_tf.belt.gate import edges
from wool_tf.belt.gate import run as gate_run

DETECTOR, MM, RATE = rig.Detector(), 0.5, 400
DEFECTS = (300, 330, 700, 1200, 1240, 1600)
"""Lines of defects; 0.2 m/s."""

PLACE = GateGeometry(150, 20, 50, 10)


class SimulatedBelt:
    """Products with defects, over and over."""

    width, type = DETECTOR.width, "uint16le"

    def references(self, folder: Path) -> tuple[Path, Path]:
        DETECTOR.references(folder)
        return folder / "dark.png", folder / "bright.png"

    def counts(self):
        attenuation = np.zeros((2400, DETECTOR.width))
        for start in range(64, 2000, 500):
            attenuation[start : start + 420, 10:90] = WOOL
        for line in DEFECTS:
            attenuation[line : line + 4, 40:44] = DEFECT
        yield DETECTOR.expose(attenuation)


INSPECTION = ["-c", "import sys, rig; sys.exit(rig.main(['model', *sys.argv[1:]]))", "--latency_mm=150", "--part_mm=40"]


def test_edges_on_simulated_lines(monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", environment(TESTS)["PYTHONPATH"])
    made = gate_run.run(SimulatedBelt(), INSPECTION, [PROGRAMS / "gate.py", "--gpio=17"], PLACE, RATE, 2400)
    told = [event["along_mm"] for event in made.inspection if event["event"] in ("reject", "unseen")]
    found = edges.judge(edges.told_outputs(made.gate), told, PLACE, made.written, MM)
    with capsys.disabled():
        print("\nerrors of edges, mm:", *(f"{'on' if edge.on else 'off'} {edge.error_mm:+.1f}" for edge in found.edges))
    assert len(kinds(made.inspection, "reject")) >= 4 and len(found.edges) >= 6
    # What has come while the machine was busy otherwise is rejected, so that nothing is missed.
    assert found.missed_mm == 0
    for edge in found.edges:
        assert -50 < edge.error_mm < PLACE.lead_mm
    assert np.median([abs(edge.error_mm) for edge in found.edges]) < 25
    summary = made.gate[-1]
    assert (summary["event"], summary["final"], summary["late"]) == ("gate_summary", True, 0)
    assert summary["rejects"] == len(kinds(made.inspection, "reject")) and summary["clocks"] > 50
    assert summary["belt_mm"][0]["pass"] > 200


class Running:
    """An inspection whose lines are written at an even speed, and a gate."""

    def __init__(self, folder: Path, *options: str):
        self.feed = folder / "feed"
        self.flags = [*DETECTOR.references(folder), f"--feed={self.feed}", "--latency_mm=150", "--part_mm=40"]
        self.flags += [f"--lines_per_second={RATE}"]
        self.said: list[dict] = []
        self._stack = contextlib.ExitStack()
        command = [sys.executable, PROGRAMS / "gate.py", f"--feed={self.feed}", "--distance_mm=160", "--width_mm=20"]
        settings = environment() | {"GPIOZERO_PIN_FACTORY": "mock"}
        self.gate = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, env=settings)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.inspection: subprocess.Popen | None = None

    def inspect(self) -> None:
        """Starts an inspection of a belt without defects, and lines for it."""
        self.inspection = rig.start(*self.flags)
        self.inspection.stdout.readline()
        threading.Thread(target=self._drain, args=(self.inspection.stdout,), daemon=True).start()
        threading.Thread(target=self._write, args=(self.inspection.stdin,), daemon=True).start()

    def _drain(self, pipe) -> None:
        with contextlib.suppress(ValueError):
            for _ in pipe:
                pass

    def _write(self, pipe) -> None:
        attenuation = np.zeros((8000, DETECTOR.width))
        attenuation[64:, 10:90] = WOOL
        counts, began = DETECTOR.expose(attenuation), time.monotonic()
        with contextlib.suppress(OSError, ValueError):
            for start in range(0, len(counts), 4):
                time.sleep(max(0.0, began + start / RATE - time.monotonic()))
                pipe.write(counts[start : start + 4].tobytes())

    def _listen(self) -> None:
        for line in self.gate.stdout:
            self.said += rig.events(line.decode())

    def wait(self, holds, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, self.said[-5:]
            time.sleep(0.005)

    def passes(self) -> bool:
        outputs = kinds(self.said, "output")
        return bool(outputs) and outputs[-1]["passing"] == [True]

    def kill_inspection(self) -> None:
        if self.inspection:
            self.inspection.kill()
            self.inspection.wait()
            for pipe in (self.inspection.stdin, self.inspection.stdout, self.inspection.stderr):
                with contextlib.suppress(OSError):
                    pipe.close()

    def end(self) -> int:
        self.gate.terminate()
        status = self.gate.wait(20)
        self._listener.join(20)
        self.gate.stdout.close()
        self.kill_inspection()
        return status


@pytest.fixture
def running(tmp_path):
    made: list[Running] = []

    def start(*options: str) -> Running:
        made.append(Running(tmp_path, *options))
        return made[-1]

    yield start
    for one in made:
        one.gate.kill()
        one.end()


def test_it_rejects_when_the_inspection_dies_hangs_or_loses_its_lines_and_passes_again_after_that(running):
    station = running("--gpio=17")
    station.wait(lambda: kinds(station.said, "output"))
    assert kinds(station.said, "output")[0]["passing"] == [False]
    station.inspect()
    station.wait(station.passes)
    station.inspection.kill()
    station.wait(lambda: not station.passes())
    assert kinds(station.said, "output")[-1]["why"][0] in ("no_feed", "silent")
    station.kill_inspection()
    station.inspect()
    station.wait(station.passes)
    began = time.monotonic()
    station.inspection.send_signal(signal.SIGSTOP)
    station.wait(lambda: not station.passes())
    assert time.monotonic() - began < 5
    assert kinds(station.said, "output")[-1]["why"] == ["silent"]
    station.inspection.send_signal(signal.SIGCONT)
    station.wait(station.passes)
    # The detector's lines end, and the inspection with them.
    station.inspection.stdin.close()
    station.wait(lambda: not station.passes())
    assert station.end() == 130
    assert station.said[-1]["event"] == "gate_summary" and station.said[-1]["feed_lost"] >= 2


def test_what_had_passed_the_detector_before_the_gate_listened_does_not_pass(running, tmp_path):
    station = running("--dry_run", "--lane=0,25", "--lane=25,50", f"--draw={tmp_path / 'gate.svg'}")
    station.inspect()
    station.wait(lambda: any(output["passing"] == [True, True] for output in kinds(station.said, "output")))
    first = next(output for output in kinds(station.said, "output") if output["passing"] == [True, True])
    heard = next(event for event in station.said if event.get("name") == "feed_heard")
    assert heard["text"] == "hears an inspection; its clock messages count for 200 ms"
    # All between the detector and the end of the gate had to pass: 160 + 20 + 20 mm.
    assert first["line"] * MM >= 200
    assert first["delay_ms"] < 250
    time.sleep(1)
    # What the picture shows is not lost with the inspection.
    station.inspection.kill()
    station.wait(lambda: any(event.get("name") == "feed_lost" for event in station.said[3:]))
    station.end()
    root = xml.parse(tmp_path / "gate.svg").getroot()
    places = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    titles = [title.split()[0] for title in places]
    assert "pass" in titles and "rejects" in titles and all(float(title.split()[1]) >= 0 for title in places)


def test_one_that_nobody_listens_to_at_all_lives(tmp_path):
    command = [
        sys.executable,
        PROGRAMS / "gate.py",
        f"--feed={tmp_path / 'feed'}",
        "--distance_mm=160",
        "--width_mm=20",
    ]
    child = subprocess.Popen(
        [*command, "--dry_run", "--report_seconds=0.05"], stdout=subprocess.PIPE, env=environment()
    )
    child.stdout.readline()
    child.stdout.close()
    time.sleep(0.5)
    assert child.poll() is None
    child.terminate()
    assert child.wait(20) == 130


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--distance_mm=0"], "--distance_mm=0: must be above 0 and finite"),
        (["--width_mm=nan"], "--width_mm=nan: must be above 0 and finite"),
        (["--lead_mm=-1"], "--lead_mm=-1: must be at least 0 and finite"),
        (["--lead_mm=0"], "--lead_mm=0: leaves no time for clock messages; give more, or --timeout_ms"),
        (["--lead_mm=160"], "--lead_mm=160: must be below --distance_mm=160"),
        (["--timeout_ms=0"], "--timeout_ms=0: must be above 0 and finite"),
        (["--lane=30,20"], "--lane=30,20: must be FROM,TO in mm across the belt, 0 <= FROM < TO"),
        (["--lane=x"], "argument --lane: must be FROM,TO, for example 0,250, got 'x'; --help tells more"),
        (["--modbus=host"], "--gpio, --modbus and --dry_run: give exactly one of them"),
        (["--gpio=a"], "argument --gpio: must be numbers of pins, for example 17,27, got 'a'; --help tells more"),
        (["--modbus=host:0"], "argument --modbus: must be HOST or HOST:PORT, got 'host:0'; --help tells more"),
        (["--active_low"], "--active_low and --heartbeat_gpio: are of --gpio; give it, or leave them out"),
        (["--coil=65536"], "--coil=65536: must be 0 to 65535, with as many coils as lanes"),
        (["--unit=256"], "--unit=256: must be at least 0 and at most 255"),
        (["--draw=/no/such/folder/a.svg"], "--draw=/no/such/folder/a.svg: its folder does not exist; make it first"),
        (["--feed="], "argument --feed: is empty; give a path; --help tells more"),
    ],
)
def test_wrong_options_are_one_line(options, text, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    given = ["--feed=feed", "--distance_mm=160", "--width_mm=20", "--dry_run", *options]
    with contextlib.suppress(SystemExit):
        assert gate.PROGRAM.main(given) == 64
    assert capsys.readouterr().err == f"gate.py: {text}\n"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--gpio=17,27"], "--gpio=17,27: must be as many pins as there are lanes, 1"),
        (["--gpio=17", "--heartbeat_gpio=17"], "--gpio=17: must be different pins, the heartbeat's too"),
        ([], "--gpio, --modbus and --dry_run: give exactly one of them"),
    ],
)
def test_wrong_pins_are_one_line(options, text, capsys):
    with pytest.raises(SystemExit) as ended:
        gate.PROGRAM.main(["--feed=feed", "--distance_mm=160", "--width_mm=20", *options])
    assert ended.value.code == 64
    assert capsys.readouterr().err == f"gate.py: {text}\n"
