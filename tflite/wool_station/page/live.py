"""What passes right now: the feed, kept for a while and handed on to pages that are open.

A page that is too slow loses pixels first and is told so; nobody waits for it.
"""

import base64
import collections
import json
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wool_station import feed
from wool_station.events import Alarm, Lost, Pixels, Refused, Start, typed
from wool_station.store.corrections import Subject
from wool_station.store.pictures import png

SHRUNK = 4
"""Pixels of a tile, along and across, that are one on the page."""

MOST_PAGES = 8
PAGE_BYTES = 4 << 20
"""What may wait for a page; pixels may fill half of it."""

RECENT_BYTES = 64 << 20
"""Tiles that are kept so that one can be called missed: at 56 tiles of 244 × 244 pixels a second, those of 19 s."""


class RecentTile(NamedTuple):
    """A tile that passed a short time ago: where and what it is, pixels with heatmap, time and inspection."""

    event: Pixels
    payload: bytes
    time: float
    inspection: int


class Subscriber:
    """What waits for one page."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._clock: str | None = None
        self._bytes = self._dropped = 0

    def offer(self, text: str, spare: bool) -> None:
        """Takes a message, if there is room."""
        if self._bytes + len(text) > (PAGE_BYTES // 2 if spare else PAGE_BYTES):
            self._dropped += 1
            return
        self._texts.append(text)
        self._bytes += len(text)

    def tick(self, text: str) -> None:
        """Takes the clock of the belt; only the last one counts."""
        self._clock = text

    def take(self) -> str | None:
        """All that waits as a JSON array, or None."""
        texts, self._texts, self._bytes = self._texts, [], 0
        if self._dropped:
            texts.append(json.dumps({"event": "page_dropped", "messages": self._dropped}))
            self._dropped = 0
        if self._clock:
            # First, so that the belt of the page is where it must be for what follows.
            texts.insert(0, self._clock)
            self._clock = None
        return f"[{','.join(texts)}]" if texts else None


class Live:
    """Follows the feed in a thread of its own.

    Arguments:
        path: socket of the inspection.

    Attributes:
        inspection: number of the one that is heard, 0 before any.
    """

    def __init__(self, path: Path):
        self.inspection = 0
        self._path = path
        self._lock = threading.Lock()
        self._state: dict = {"connected": False, "start": None, "summary": None, "standing": {}}
        self._subscribers: list[Subscriber] = []
        self._recent: collections.deque[RecentTile] = collections.deque()
        self._recent_bytes = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether the thread follows the feed."""
        return self._thread.is_alive()

    @property
    def is_ended(self) -> bool:
        return self._stopped.is_set()

    def state(self) -> dict:
        """How it is: whether the inspection is heard, its start, its last summary, its alarms that stand."""
        with self._lock:
            return self._state | {"standing": list(self._state["standing"].values()), "inspection": self.inspection}

    def subscribe(self) -> Subscriber | None:
        """A new page; None if there are too many."""
        with self._lock:
            if len(self._subscribers) >= MOST_PAGES:
                return None
            self._subscribers.append(Subscriber())
            return self._subscribers[-1]

    def unsubscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._subscribers.remove(subscriber)

    def take(self, subscriber: Subscriber) -> str | None:
        """What waits for a page."""
        with self._lock:
            return subscriber.take()

    def find(self, inspection: int, along_mm: float, across_mm: float) -> Subject | None:
        """The tile of the last seconds in whose middle a place is; None if no tile there is left."""
        with self._lock:
            near = [
                tile for tile in self._recent if tile.inspection == inspection and _shows(tile, along_mm, across_mm)
            ]
        if not near:
            return None
        tile = min(near, key=lambda tile: _distance(tile, along_mm, across_mm))
        event = tile.event
        picture = png(tile.payload, event.height, event.width)
        where = tile.time, inspection, *event.along_mm, *event.across_mm
        return Subject(None, *where, event.score, event.defective, picture)

    def _run(self) -> None:
        messages = feed.messages(self._path, silence=0.5, is_stopped=self._stopped.is_set)
        for message, payload in messages:
            with self._lock:
                self._hear(message, payload)

    def _hear(self, message: dict, payload: bytes) -> None:
        kind, event = message["event"], typed(message)
        if kind == feed.SILENT:
            return
        self._state["connected"] = not isinstance(event, Lost | Refused)
        if kind == "summary":
            self._state["summary"] = message
        match event:
            case Start():
                self.inspection = event.inspection
                self._state |= {"start": message, "standing": {}}
            case Alarm(alarm=name, on=bool(on)):
                self._state["standing"].pop(name, None)
                if on:
                    self._state["standing"][name] = message
            case Pixels():
                self._remember(event, payload)
        self._hand_on(kind, message, payload)

    def _remember(self, event: Pixels, payload: bytes) -> None:
        self._recent.append(RecentTile(event, payload, round(time.time(), 3), self.inspection))
        self._recent_bytes += len(payload)
        while self._recent_bytes > RECENT_BYTES:
            self._recent_bytes -= len(self._recent.popleft().payload)

    def _hand_on(self, kind: str, message: dict, payload: bytes) -> None:
        if not self._subscribers:
            return
        sent = message | {"inspection": self.inspection, "sent": round(time.monotonic(), 3)}
        text = json.dumps(sent | _shrunk(message, payload) if kind == "pixels" else sent)
        for subscriber in self._subscribers:
            if kind == "clock":
                subscriber.tick(text)
            else:
                subscriber.offer(text, spare=kind in ("pixels", "tile", "air"))


def _shows(tile: RecentTile, along: float, across: float) -> bool:
    (start, stop), (left, right) = tile.event.along_mm, tile.event.across_mm
    return start <= along <= stop and left <= across <= right


def _distance(tile: RecentTile, along: float, across: float) -> float:
    (start, stop), (left, right) = tile.event.along_mm, tile.event.across_mm
    return abs(along - (start + stop) / 2) + abs(across - (left + right) / 2)


def _shrunk(message: dict, payload: bytes) -> dict:
    """What a page draws of a tile: means of some pixels each, and the heatmap, in base64."""
    height, width = message["height"], message["width"]
    pixels = np.frombuffer(payload, np.uint8, height * width).reshape(height, width)
    rows, columns = height // SHRUNK, width // SHRUNK
    means = pixels[: rows * SHRUNK, : columns * SHRUNK].reshape(rows, SHRUNK, columns, SHRUNK).mean(axis=(1, 3))
    small = base64.b64encode(np.rint(means).astype(np.uint8).tobytes()).decode()
    cells = base64.b64encode(payload[height * width :]).decode()
    return {"grey": small, "rows": rows, "columns": columns, "shrunk": SHRUNK, "cells": cells}
