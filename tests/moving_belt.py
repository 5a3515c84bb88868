"""A feed like that of a belt at 1 m/s: 640 elements of 0.8 mm, tiles of 244 pixels that overlap by half."""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import fake_feed

SIDE, SEEN, WIDTH, PIXEL_MM, STEP = 244, 224, 640, 0.8, 112
LINES_PER_SECOND = 1250.0
COLUMNS = (0, 104, 208, 312, 416)
"""Where tiles lie across: 5 in each row, which at 11.2 rows a second are 56 tiles a second."""

GRID = (7, 7)
LENGTH, PRODUCT = 8960, 1840
"""Lines of the picture of the belt, which comes again and again, and of each product on it; then 400 of air. A product
and its air are 20 rows of tiles."""

DEFECTS = ((700, 200), (1900, 520), (4100, 330), (4900, 90), (8000, 480))
"""Line and element of each defect of the picture."""


def picture() -> np.ndarray:
    """(LENGTH, WIDTH) uint8: fibres in layers, products with air between them, and dark defects."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (LENGTH, WIDTH)).astype(np.float32)
    for axis, width in ((0, 9), (1, 9), (0, 21)):
        noise = sum(np.roll(noise, shift, axis) for shift in range(width)) / np.float32(width**0.5)
    grey = 150 + 5 * noise + 4 * rng.normal(0, 1, noise.shape).astype(np.float32)
    lines = np.arange(LENGTH)
    grey[lines % (PRODUCT + 400) >= PRODUCT] = 252
    grey[:, :20] = grey[:, -20:] = 252
    y, x = np.mgrid[-40:40, -40:40]
    for line, element in DEFECTS:
        grey[line - 40 : line + 40, element - 40 : element + 40] -= 90 * np.exp(-(y**2 + x**2) / 130)
    return np.clip(grey, 0, 255).astype(np.uint8)


def start() -> dict:
    about = {"width": WIDTH, "pixel_mm": PIXEL_MM, "seen": SEEN, "threshold": 0.62, "window": [0.05, 1.4]}
    return fake_feed.start(round(time.time(), 3), side=SIDE, **about) | {"seen": SEEN}


class MovingBelt:
    """Says what passes, to one reader at a time or several; `speed` times as fast as 1 m/s."""

    def __init__(self, speed: float = 1.0):
        self._picture, self._speed, self._start = picture(), speed, start()
        self._readers: list[socket.socket] = []
        self.tiles, self._covered = 0, 0.0

    def say(self, event: dict, payload: bytes = b"") -> None:
        content = fake_feed.framed(event, payload)
        for reader in list(self._readers):
            try:
                reader.sendall(content)
            except OSError:
                self._readers.remove(reader)
                reader.close()

    def greet(self, reader: socket.socket) -> None:
        with contextlib.suppress(OSError):
            reader.sendall(fake_feed.framed(self._start))
            reader.sendall(fake_feed.framed(*fake_feed.alarm("old_references", True, self._start["time"])))
        self._readers.append(reader)

    def run(self, ended: threading.Event) -> None:
        began, row, told = time.monotonic(), 0, 0.0
        while not ended.wait(0.01):
            line = int((time.monotonic() - began) * LINES_PER_SECOND * self._speed)
            self.say(fake_feed.clock(line, round(line * PIXEL_MM, 1), row * STEP, round(time.monotonic(), 6)))
            # A row is looked at some 300 lines after its first one.
            if row * STEP + SEEN + 60 < line:
                self._row(row * STEP)
                row += 1
            if time.monotonic() - told > 2:
                told = time.monotonic()
                self._summarise(line)

    def _row(self, first: int) -> None:
        moment, last = round(time.time(), 3), first + SEEN
        within = first % (PRODUCT + 400)
        if within >= PRODUCT:
            # As far as the next row of tiles begins, if there is one.
            self._air(moment, min(first + STEP, first - within + PRODUCT + 400))
            return
        along = [round(line * PIXEL_MM, 1) for line in (first, min(last, first - within + PRODUCT))]
        found = [column for column in COLUMNS if self._tile(moment, along, first, column)]
        self._covered = max(self._covered, along[1])
        if found:
            across = [round(element * PIXEL_MM, 1) for element in (min(found), max(found) + SEEN)]
            self.say(fake_feed.reject(self.tiles, *along, moment)[0] | {"across_mm": across})

    def _air(self, moment: float, line: int) -> None:
        end = round(line * PIXEL_MM, 1)
        if end > self._covered:
            self.say({"event": "air", "time": moment, "along_mm": [self._covered, end]})
            self._covered = end

    def _tile(self, moment: float, along: list[float], first: int, column: int) -> bool:
        margin = (SIDE - SEEN) // 2
        rows = np.arange(first - margin, first - margin + SIDE) % LENGTH
        pixels = np.full((SIDE, SIDE), 252, np.uint8)
        left, right = max(column - margin, 0), min(column - margin + SIDE, WIDTH)
        pixels[:, left - column + margin : right - column + margin] = self._picture[rows, left:right]
        cells = np.zeros(GRID)
        for line, element in DEFECTS:
            y, x = (line - first % LENGTH) / SEEN * GRID[0] - 0.5, (element - column) / SEEN * GRID[1] - 0.5
            if -0.4 < y < GRID[0] - 0.6 and -0.4 < x < GRID[1] - 0.6:
                grid = np.mgrid[: GRID[0], : GRID[1]]
                cells = np.maximum(cells, np.exp(-((grid[0] - y) ** 2 + (grid[1] - x) ** 2) / 1.2))
        defective = bool(cells.max() > 0.5)
        across = [round(element * PIXEL_MM, 1) for element in (column, column + SEEN)]
        said = {"along_mm": along, "across_mm": across, "score": round(0.04 + 0.9 * float(cells.max()), 4)}
        said["defective"] = defective
        corner = [round((place - margin) * PIXEL_MM, 1) for place in (first, column)]
        about = {"corner_mm": corner, "height": SIDE, "width": SIDE, "heatmap": list(GRID), "heatmap_top": 2.0}
        self.say({"event": "tile", "time": moment, **said, "latency_ms": 9.0})
        payload = pixels.tobytes() + np.rint(255 * cells).astype(np.uint8).tobytes()
        self.say({"event": "pixels", **said, **about}, payload)
        self.tiles += 1
        return defective

    def _summarise(self, line: int) -> None:
        self.say(
            {"event": "summary", "time": round(time.time(), 3), "final": False, "lines": line, "tiles": self.tiles,
             "tiles_per_second": 55.8, "lost_lines": 0, "unseen_lines": 0, "level": 0, "beam_percent": -1.2,
             "peak_memory_mb": 81.4, "alarms": 1, "standing": ["old_references"]}
        )  # fmt: skip


@contextlib.contextmanager
def moving(path: Path, speed: float = 1.0) -> Iterator[MovingBelt]:
    """A belt that moves while the context lasts."""
    belt, ended, listener = MovingBelt(speed), threading.Event(), socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                belt.greet(listener.accept()[0])

    threads = [
        threading.Thread(target=accept, daemon=True),
        threading.Thread(target=belt.run, args=(ended,), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield belt
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join(5)
        for reader in belt._readers:
            reader.close()
        os.unlink(path)


if __name__ == "__main__":
    import sys

    with moving(Path(sys.argv[1])) as moved:
        while True:
            time.sleep(10)
            print(json.dumps({"tiles": moved.tiles}), flush=True)
