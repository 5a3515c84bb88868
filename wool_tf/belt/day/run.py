"""A day of the inspection in short: the beam drifts, elements die, and the program is stopped, killed and held up.

The lines go through a FIFO, as on a board, and come at their time whether anybody takes them or not. So what each line
became is known: the program told a tile, air or unseen for it, or nothing.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from wool_tf.belt.day import account
from wool_tf.belt.day import lines as day_lines
from wool_tf.belt.day.account import DayAccount, Process
from wool_tf.belt.detector import Fifo, first_lines
from wool_tf.belt.layout import Belt
from wool_tf.belt.programs.process import Program

log = logging.getLogger(__name__)

CHUNK_SECONDS = 0.02
SLOW_SECONDS = 0.025
"""From one event that a slow reader takes to the next."""
DRAIN_SECONDS = 30.0
"""For which the end of the day waits for the last lines, at most."""


class _Reader(list):
    """Takes events, each after a while where it is slow."""

    is_slow = False

    def append(self, event: object) -> None:
        super().append(event)
        if self.is_slow:
            time.sleep(SLOW_SECONDS)


def run(belt: Belt, program: Path, model: Path, folder: Path, rate: float, passes: int) -> DayAccount:
    """Runs a day; returns its account.

    Arguments:
        belt: passes some times an hour.
        program: `tflite/inspect_line.py`, of any version.
        model: TFLite file with its card.
        folder: for the FIFO, the state, and references that are no files.
        rate: lines per second.
        passes: of the belt in an hour.

    Raises:
        WoolError: the program ends before it begins.
    """
    fifo, state = Fifo(folder / "lines"), folder / "state.json"
    command = [program, model, folder / "lines", "--reopen"]
    dark, bright = belt.references(folder)
    command += [f"--dark={dark}", f"--bright={bright}"]
    command += [f"--width={belt.width}", f"--type={belt.type}", f"--lines_per_second={rate:g}"]
    known = subprocess.run([sys.executable, program, "--help"], capture_output=True, text=True, check=False).stdout
    # Earlier versions lack them.
    command += [flag for flag in (f"--state={state}", "--position=time") if flag.partition("=")[0] in known]
    hours, number = day_lines.plan(belt.width), 0
    with Program(command, record=_Reader) as inspection:
        inspection.wait_for(bool)
        began = time.monotonic()
        for place, hour in enumerate(hours):
            log.info(f"hour {place + 1} of {len(hours)}: {hour.begins or 'goes on'}")
            _begin(hour, inspection, fifo)
            for counts in day_lines.counts(belt, hour, passes, max(1, round(rate * CHUNK_SECONDS))):
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
                if inspection.is_over:
                    _restart(inspection, fifo, signal.SIGTERM)
                fifo.write(counts.tobytes(), number)
                number += len(counts)
                inspection.sample()
        # No inspection comes after this one, to say of lines that are left in the pipe that they were not seen.
        end = time.monotonic() + DRAIN_SECONDS
        while fifo.waiting and not inspection.is_over and time.monotonic() < end:
            time.sleep(CHUNK_SECONDS)
        _end(inspection, fifo, signal.SIGTERM)
    first = first_lines(inspection.began, fifo.openings)
    processes = [Process(events, first.get(place)) for place, events in enumerate(inspection.runs)]
    return account.of(belt, processes, inspection.peak_mb, hours, number, passes)


def _begin(hour: day_lines.Hour, inspection: Program, fifo: Fifo) -> None:
    """What happens to the program at the begin of an hour."""
    inspection.runs[-1].is_slow = hour.begins == "slow reader"
    ends = {"terminate": signal.SIGTERM, "kill": signal.SIGKILL, "full disk": signal.SIGTERM}
    if hour.begins in ends:
        full = os.open("/dev/full", os.O_WRONLY) if hour.begins == "full disk" else None
        _restart(inspection, fifo, ends[hour.begins], full)
        if full is not None:
            os.close(full)


def _end(inspection: Program, fifo: Fifo, number: signal.Signals) -> None:
    """Ends the process by a signal; what it has not read is lost."""
    inspection.runs[-1].is_slow = False
    inspection.kill(number)
    fifo.close()


def _restart(inspection: Program, fifo: Fifo, number: signal.Signals, output: int | None = None) -> None:
    _end(inspection, fifo, number)
    inspection.start(output)
