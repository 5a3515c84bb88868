"""What an inspection would say on its feed, made by rule, so that tests know what must come out."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SIDE, SEEN, PIXEL_MM, WIDTH = 48, 40, 0.5, 100
STARTED = 1_764_136_800.0
"""When the inspection of `start` began."""

GRID = (5, 5)


def start(started: float = STARTED, first_mm: float = 0.0, side: int = SIDE, **fields) -> dict:
    """The first event of an inspection."""
    return {
        "event": "start", "time": started, "model": "models/current.tflite", "sha256": "ab" * 32, "precision": "int8",
        "threshold": 0.6, "live": True, "width": WIDTH, "window": [0.0, 1.0], "pixel_mm": PIXEL_MM, "side": side,
        "seen": side - SIDE + SEEN, "levels_mm": [[10.0, 10.0], [20.0, 20.0]], "first_mm": first_mm, "resumed": None,
        "position": "encoder", "lines_per_second": 1250.0, "stated_latency": None, "reference_days": 1.0,
    } | fields  # fmt: skip


def pixels(number: int, side: int = SIDE) -> np.ndarray:
    """(side, side) uint8 that are those of tile `number` and of no other."""
    return np.random.default_rng(number).integers(0, 256, (side, side), np.uint8)


def heatmap(number: int) -> bytes:
    return bytes((number + cell) % 256 for cell in range(GRID[0] * GRID[1]))


def tile(
    number: int, defective: bool = False, along: float | None = None, left: float = 0.0, moment: float | None = None
):
    """Event and `pixels` of a tile, (dict, bytes) each; it begins at `along` mm, by default 20 times its number."""
    along = number * 20.0 if along is None else along
    where = {"along_mm": [along, along + 20.0], "across_mm": [left, left + 20.0]}
    said = where | {"score": 0.9 if defective else 0.1, "defective": defective}
    event = {"event": "tile", "time": STARTED + number if moment is None else moment, **said, "latency_ms": 5.0}
    about = {"corner_mm": [along - 2.0, left - 2.0], "height": SIDE, "width": SIDE, "heatmap": list(GRID)}
    shown = {"event": "pixels", **said, **about, "heatmap_top": 2.0}
    return [(event, b""), (shown, pixels(number).tobytes() + heatmap(number))]


def clock(line: int, along_mm: float = 0.0, decided: int = 0, monotonic: float = 0.0) -> dict:
    return {"event": "clock", "line": line, "along_mm": along_mm, "decided": decided, "monotonic": monotonic}


def air(begin: float, end: float, moment: float = STARTED) -> tuple[dict, bytes]:
    return {"event": "air", "time": moment, "along_mm": [begin, end]}, b""


def unseen(begin: float, end: float, moment: float = STARTED) -> tuple[dict, bytes]:
    return {"event": "unseen", "time": moment, "along_mm": [begin, end], "reason": "too_slow"}, b""


def reject(number: int, begin: float, end: float, moment: float = STARTED) -> tuple[dict, bytes]:
    event = {"event": "reject", "time": moment, "reject": number, "part": 1, "last": True, "joined": []}
    event |= {"along_mm": [begin, end], "across_mm": [0.0, 20.0], "score": 0.9, "latency_mm": 60.0, "latency_ms": 75.0}
    return event, b""


def alarm(name: str, on: bool | None = None, moment: float = STARTED) -> tuple[dict, bytes]:
    state = {} if on is None else {"on": on}
    return {"event": "alarm", "time": moment, "alarm": name, "text": f"text of {name}", **state}, b""


def framed(message: dict, payload: bytes = b"") -> bytes:
    """A message as it goes over the socket: both lengths, little-endian, JSON, payload."""
    text = json.dumps(message).encode()
    return struct.pack("<II", len(text), len(payload)) + text + payload


@contextlib.contextmanager
def served(path: Path, messages: list[tuple[dict, bytes]]) -> Iterator[None]:
    """A socket on which whoever connects gets these messages, and nothing more until the end."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    ended = threading.Event()

    def say(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            for message in messages:
                connection.sendall(framed(*message))
            ended.wait()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=say, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        path.unlink()


def wait_until(holds, seconds: float = 20.0) -> None:
    """Waits until something holds; fails if it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come to hold"
        time.sleep(0.02)
