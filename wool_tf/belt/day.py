"""A day of the inspection in short: the beam drifts, elements die, and the program is stopped, killed and held up.

The lines go through a FIFO, as on a board, and come at their time whether anybody takes them or not. So what each line
became is known: the program told a tile, air or unseen for it, or nothing.
"""

import contextlib
import dataclasses
import fcntl
import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wool_tf.belt import day_lines
from wool_tf.belt.layout import Belt
from wool_tf.data.annotations.scans import Box
from wool_tf.errors import WoolError

NOTHING, AIR, TILE, UNSEEN, UNTOLD = range(5)
"""What the program told of a line."""

CHUNK_SECONDS = 0.02
SLOW_SECONDS = 0.5
"""From one look of a slow reader at 4 KB of events to the next."""
DRAIN_SECONDS = 30.0
"""For which the end of the day waits for the last lines, at most."""


class _Process:
    """One run of the program, and what it said of which lines."""

    def __init__(self, command: list[str], fifo: Path, stdout: int | None, slow: bool):
        self.events: list[dict] = []
        self.first: int | None = None
        """Number of the first line that it was given."""
        self.memory = 0.0
        pipe = subprocess.PIPE if stdout is None else stdout
        self._child = subprocess.Popen(command, stdout=pipe, stderr=subprocess.PIPE)
        self.slow = slow
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._fifo = fifo
        self._writing: int | None = None

    def _listen(self) -> None:
        if self._child.stdout is None:
            return
        rest = b""
        while piece := os.read(self._child.stdout.fileno(), 4096):
            *lines, rest = (rest + piece).split(b"\n")
            self.events += map(json.loads, lines)
            if self.slow:
                time.sleep(SLOW_SECONDS)

    def write(self, content: bytes, number: int) -> None:
        """Gives it lines, the first of them line `number`; they are lost if it does not read."""
        try:
            if self._writing is None:
                self._writing = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK)
                os.set_blocking(self._writing, True)
            os.write(self._writing, content)
        except OSError:
            self._close()
            return
        self.first = number if self.first is None else self.first

    def _close(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
        self._writing = None

    def drain(self) -> None:
        """Waits until it has taken all lines that were written, or is over."""
        end = time.monotonic() + DRAIN_SECONDS
        while self._writing is not None and not self.is_over and time.monotonic() < end:
            (left,) = struct.unpack("i", fcntl.ioctl(self._writing, termios.FIONREAD, bytes(4)))
            if not left:
                return
            time.sleep(CHUNK_SECONDS)

    def complaint(self) -> str:
        """What a process that is over said on its standard error, and its status."""
        error = self._child.stderr.read().decode(errors="replace").strip() if self._child.stderr else ""
        return f"ended with status {self._child.wait()}: {error}"

    @property
    def is_over(self) -> bool:
        return self._child.poll() is not None

    def sample(self) -> None:
        """Looks at its memory."""
        with contextlib.suppress(OSError, IndexError):
            fields = Path(f"/proc/{self._child.pid}/status").read_text().split("VmRSS:")
            self.memory = max(self.memory, int(fields[1].split()[0]) * 1024 / 1e6)

    def end(self, number: signal.Signals) -> None:
        """Sends a signal, and waits for the end and for all that was said."""
        self.slow = False
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(number)
        self._child.wait()
        self._close()
        self._listener.join()
        for stream in (self._child.stdout, self._child.stderr):
            if stream:
                stream.close()


def run(
    belt: Belt, program: Path, model: Path, folder: Path, rate: float, passes: int, say: Callable[[str], None]
) -> dict:
    """Runs a day; returns its account as JSON values, see `_account`.

    Arguments:
        belt: passes some times an hour.
        program: `tflite/inspect_line.py`, of any version.
        model: TFLite file with its card.
        folder: for the FIFO, the state, and references that are no files.
        rate: lines per second.
        passes: of the belt in an hour.
        say: is told of each hour.

    Raises:
        WoolError: the program ends before it begins.
    """
    fifo, state = folder / "lines", folder / "state.json"
    os.mkfifo(fifo)
    command = [sys.executable, str(program), str(model), str(fifo), "--reopen"]
    dark, bright = belt.references(folder)
    command += [f"--dark={dark}", f"--bright={bright}"]
    command += [f"--width={belt.width}", f"--type={belt.type}", f"--lines_per_second={rate:g}"]
    known = subprocess.run([sys.executable, program, "--help"], capture_output=True, text=True, check=False).stdout
    # Earlier versions lack them.
    command += [flag for flag in (f"--state={state}", "--position=time") if flag.partition("=")[0] in known]
    hours, processes, number = day_lines.plan(belt.width), [_Process(command, fifo, None, False)], 0
    while not processes[0].events and not processes[0].is_over:
        time.sleep(0.1)
    if not processes[0].events:
        raise WoolError(f"{program}: {processes[0].complaint()}")
    began = time.monotonic()
    for place, hour in enumerate(hours):
        say(f"hour {place + 1} of {len(hours)}: {hour.begins or 'goes on'}")
        _begin(hour, processes, command, fifo)
        for counts in day_lines.counts(belt, hour, passes, max(1, round(rate * CHUNK_SECONDS))):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            if processes[-1].is_over:
                processes[-1].end(signal.SIGTERM)
                processes.append(_Process(command, fifo, None, False))
            processes[-1].write(counts.tobytes(), number)
            number += len(counts)
            processes[-1].sample()
    # No inspection comes after this one, which would say of lines that are left in the pipe that they were not seen.
    processes[-1].drain()
    processes[-1].end(signal.SIGTERM)
    return _account(belt, processes, hours, number, passes)


def _begin(hour: day_lines.Hour, processes: list[_Process], command: list[str], fifo: Path) -> None:
    """What happens to the program at the begin of an hour."""
    processes[-1].slow = hour.begins == "slow reader"
    ends = {"terminate": signal.SIGTERM, "kill": signal.SIGKILL, "full disk": signal.SIGTERM}
    if hour.begins in ends:
        processes[-1].end(ends[hour.begins])
        full = os.open("/dev/full", os.O_WRONLY) if hour.begins == "full disk" else None
        processes.append(_Process(command, fifo, full, False))
        if full is not None:
            os.close(full)


def _account(belt: Belt, processes: list[_Process], hours: list[day_lines.Hour], sent: int, passes: int) -> dict:
    """What became of every line, and of every defect, as JSON values.

    Returns:
        `lines`: sent; `shares_m`: metres of each kind, which sum to what was sent; `hours`: of each hour metres of each
        kind, defects marked, looked at and found, false rejects per metre of product; `alarms`: how often each began;
        `unseen_m`, by reason; `stopped_m`, for how much the belt stood and for how much the program told that it did;
        `untold`, `memory_mb` and `reject_latency_mm`.
    """
    told = np.full(sent, NOTHING, np.int8)
    rejects: list[Box] = []
    tiles: list[Box] = []
    alarms: dict[str, int] = {}
    reasons: dict[str, float] = {}
    pixel, shift, untold = 1.0, 0.0, 0
    latencies: list[float] = []
    still = 0
    for process in processes:
        events = process.events
        # One that writes to a full disk is not heard at all.
        if not events:
            continue
        pixel, before = events[0]["pixel_mm"], shift
        first = sent if process.first is None else process.first
        shift = first - events[0].get("first_mm", 0) / pixel
        still += _stood(events, pixel)
        for event in events:
            kind = event["event"]
            if kind == "alarm" and event.get("on") is not False:
                alarms[event["alarm"]] = alarms.get(event["alarm"], 0) + 1
            if kind == "unseen":
                length = (event["along_mm"][1] - event["along_mm"][0]) / 1000
                reasons[event["reason"]] = round(reasons.get(event["reason"], 0) + length, 2)
            if kind == "untold":
                untold += sum(event["events"].values())
            if not event.get("along_mm") or kind == "summary":
                continue
            start, stop = (round(mm / pixel + shift) for mm in event["along_mm"])
            if event.get("reason") == "restart":
                start, stop = round(event["along_mm"][0] / pixel + before), first
            kinds = {"air": AIR, "tile": TILE, "unseen": UNSEEN, "untold": UNTOLD}
            if kind in kinds:
                told[max(start, 0) : max(stop, 0)] = kinds[kind]
            if kind in ("tile", "reject"):
                left, right = (round(mm / pixel) for mm in event["across_mm"])
                (tiles if kind == "tile" else rejects).append(Box(left, start, right, stop))
            if kind == "reject":
                latencies.append(event["latency_mm"])
    ends = list(itertools.accumulate((hour.lines(belt, passes) for hour in hours), initial=0))
    parts = [
        _hour(belt, told, tiles, rejects, hour, first, passes, pixel) for hour, first in zip(hours, ends, strict=False)
    ]
    return {
        "lines": sent,
        "sent_m": round(sent * pixel / 1000, 2),
        "shares_m": _metres(told, pixel),
        "hours": parts,
        "alarms": dict(sorted(alarms.items())),
        "unseen_m": dict(sorted(reasons.items())),
        "stopped_m": {
            "stood": round(sum(hour.stop for hour in hours) * pixel / 1000, 2),
            "told": round(still * pixel / 1000, 2),
        },
        "untold": untold,
        "memory_mb": round(max(process.memory for process in processes), 1),
        "reject_latency_mm": max(latencies, default=None),
    }


def _stood(events: list[dict], pixel: float) -> int:
    """Lines between the beginnings and the ends of the alarms of a process that the belt stands.

    No summary tells of them where the process was killed.
    """
    lines, since = 0, None
    for event in events:
        if event["event"] == "alarm" and event["alarm"] == "belt_stopped":
            lines += 0 if since is None else event["line"] - since
            since = event["line"] if event["on"] else None
    seen = max((event["along_mm"][1] for event in events if event.get("along_mm")), default=0.0) / pixel
    return lines if since is None else lines + max(0, round(seen) - since)


def _metres(told: np.ndarray, pixel: float) -> dict:
    """Metres of each kind."""
    names = {"seen": TILE, "air": AIR, "unseen": UNSEEN, "untold": UNTOLD, "lost": NOTHING}
    return {name: round(int((told == kind).sum()) * pixel / 1000, 2) for name, kind in names.items()}


def _hour(
    belt: Belt,
    told: np.ndarray,
    tiles: list[Box],
    rejects: list[Box],
    hour: day_lines.Hour,
    first: int,
    passes: int,
    pixel: float,
) -> dict:
    """The figures of one hour, whose first line is `first`."""
    size = hour.lines(belt, passes)
    boxes = [dataclasses.replace(box, y0=box.y0 + first, y1=box.y1 + first) for box in hour.boxes(belt, passes)]
    here = [box for box in rejects if first <= box.y0 < first + size]
    near = [box for box in tiles if first - size <= box.y0 < first + size]

    def held(areas: list[Box], box: Box) -> bool:
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        return any(area.x0 <= x < area.x1 and area.y0 <= y < area.y1 for area in areas)

    metres = passes * belt.product_lines * pixel / 1000
    false = sum(not any(area.touches(box) for box in boxes) for area in here)
    by_type: dict[str, list[int]] = {}
    for box in boxes:
        entry = by_type.setdefault(box.defect or "", [0, 0, 0])
        entry[:] = np.add(entry, [1, held(near, box), held(rejects, box)]).tolist()
    return {
        "told_m": _metres(told[first : first + size], pixel),
        "defects": {
            name: dict(zip(("boxes", "looked_at", "found"), entry, strict=True)) for name, entry in by_type.items()
        },
        "false_rejects_per_m": round(false / metres, 3),
    }
