"""From what the inspection says to the store: what is kept, when it is written, and what happens if it cannot be."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from wool_board import command_line
from wool_station.events import Pixels, Start, TileEvent, typed
from wool_station.store import schema
from wool_station.store.batch import Batch, EventRow
from wool_station.store.belt_counts import BeltCounts
from wool_station.store.pictures import PictureSampling, png
from wool_station.store.recorder_alarms import PICTURES_WITHHELD, SOURCE
from wool_station.store.shifts import Schedule, Shift
from wool_station.store.store import Store, is_damage, is_fault
from wool_station.store.tile import HeardTile

COMMIT_SECONDS = 5.0
"""What waits so long is written in one go: every commit costs a card some pages, however little is in it."""

URGENT_SECONDS = 1.0
"""The same after an alarm: it may tell why the power fails."""

RETRY_SECONDS = 5.0
MOST_WAITING_BYTES = 32 << 20
"""Of pictures, and"""
MOST_WAITING = 20000
"""events, that wait for a disk to take them."""

CLOCK_STEP = 60.0
"""Seconds by which the clock jumps if it is worth telling: a board without a battery wakes up in the past."""

COUNTED = ("tile", "air", "clock", "pixels")
"""Events that are not kept one by one: there are too many of them."""

PASSES = ("tile", "air", "unseen", "reject")
"""Events that `BeltCounts` has a method for."""


class Recorder:
    """Keeps what it hears.

    Arguments:
        folder: of the store.
        budget: bytes that it may take.
        schedule: of shifts.
        choice: of pictures.
        say: takes lines for people, which begin with the folder.

    Attributes:
        standing: names of its own alarms that stand, also from before its start.
    """

    def __init__(
        self,
        folder: Path,
        budget: int,
        schedule: Schedule,
        choice: PictureSampling,
        say: Callable[[str], None] = command_line.say,
    ):
        self._folder, self._budget, self._schedule, self._choice, self._say = folder, budget, schedule, choice, say
        self._batch, self._inspection = Batch(), 0
        self._store: Store | None = None
        self._counts, self._follows = BeltCounts(), False
        self._damage: sqlite3.Error | None = None
        self._shift: Shift | None = None
        self._due: float | None = None
        self._trouble: str | None = None
        self._lost = {"events": 0, "pictures": 0}
        self.standing: set[str] = set()
        self._clock = time.time() - time.monotonic()
        self._open()

    def take(self, message: dict, payload: bytes) -> None:
        """Takes a message of the feed."""
        kind, event = message["event"], typed(message)
        if isinstance(event, Pixels):
            self._take_pixels(event, payload)
        elif isinstance(event, Start):
            self._batch.inspections[event.inspection] = json.dumps(message)
            self._take_start(event)
        elif kind in PASSES:
            getattr(self._counts, kind)(event, self._batch)
            if isinstance(event, TileEvent) and event.defective:
                tile = self._tile(event, event.time)
                self._batch.tiles.setdefault(tile.key, tile)
        if kind not in COUNTED and kind != "start":
            self._keep(message)
        if self._batch and self._due is None:
            self._due = time.monotonic() + COMMIT_SECONDS
        if kind == "alarm" and self._due is not None and not self._trouble:
            self._due = min(self._due, time.monotonic() + URGENT_SECONDS)

    def tell(self, alarm: str, on: bool | None, text: str, **details: object) -> None:
        """An alarm of the recorder's own, in the form of those of the inspection; `on` is None of what has no
        duration."""
        if on is not None:
            if on == (alarm in self.standing):
                return
            self.standing ^= {alarm}
        state = {} if on is None else {"on": on}
        now = round(time.time(), 3)
        text = f"over: {text}" if on is False else text
        about = {"event": "alarm", "time": now, "source": SOURCE, "alarm": alarm, "text": text}
        self.take(about | state | details, b"")

    def note(self, event: dict) -> None:
        """An event of the recorder's own."""
        self.take(event | {"time": round(time.time(), 3)}, b"")

    def tick(self) -> None:
        """Writes what waits, if it is time to; must be called often."""
        self._look_at_clock()
        text = "more pictures of defective tiles than are allowed in an hour: they are left out"
        self.tell(PICTURES_WITHHELD, self._choice.is_exhausted, text, pictures=self._choice.withheld)
        if self._due is not None and time.monotonic() >= self._due:
            self.commit()

    def commit(self) -> bool:
        """Writes what waits; returns whether it is on the disk."""
        self._bound()
        try:
            if self._store is None:
                self._open_store()
            assert self._store is not None
            self._enter_shift()
            self._store.commit(self._batch)
            self._batch, self._due = Batch(), None
            self._store.shrink()
        except (OSError, sqlite3.Error) as error:
            self._fail(error)
            return False
        self._recover()
        return True

    def close(self) -> None:
        """Writes what waits, if that is possible, and ends."""
        if self._batch:
            self.commit()
        if self._store is not None:
            self._store.close()

    def _open(self) -> None:
        try:
            self._open_store()
        except (OSError, sqlite3.Error) as error:
            self._fail(error)

    def _open_store(self) -> None:
        if self._damage is not None:
            self._put_aside(self._damage)
        self._store = Store(self._folder, self._budget)
        if not self._follows:
            self._counts.follow(self._store.product, self._batch)
            self.standing |= set(self._store.standing())
            self._follows = True
            self._compare_clock(self._store.newest())

    def _put_aside(self, error: sqlite3.Error) -> None:
        """Puts a database aside that SQLite takes for damaged, with its pictures, so that recording goes on."""
        aside = self._folder / f"damaged-{time.strftime('%Y%m%dT%H%M%S')}"
        aside.mkdir(exist_ok=True)
        for name in (f"{schema.FILE}-wal", f"{schema.FILE}-shm", "pictures", schema.FILE):
            if (self._folder / name).exists():
                (self._folder / name).rename(aside / name)
        self._damage = None
        text = f"the store was damaged ({error}): it is in {aside}, and a new one begins"
        self._say(f"{self._folder}: {text}")
        self.tell("store_damaged", None, text)

    def _take_start(self, start: Start) -> None:
        self._inspection = start.inspection
        known = None
        if self._store is not None:
            with contextlib.suppress(OSError, sqlite3.OperationalError):
                known = self._store.heard_mm(self._inspection)
        self._counts.begin(self._inspection, start.first_mm if known is None else known)

    def _take_pixels(self, event: Pixels, payload: bytes) -> None:
        if not self._choice.wants(event.defective):
            return
        tile = self._tile(event, round(time.time(), 3))
        # The event of the tile came before, with its time.
        tile = self._batch.tiles.setdefault(tile.key, tile)
        size = event.height * event.width
        tile.png = png(payload[:size], event.height, event.width)
        if event.heatmap:
            tile.grid, tile.heatmap = event.heatmap, payload[size:]
        self._choice.kept(len(tile.png))

    def _tile(self, event: TileEvent | Pixels, moment: float) -> HeardTile:
        (start, stop), (left, right) = event.along_mm, event.across_mm
        return HeardTile(
            time=moment,
            inspection=self._inspection,
            product=self._counts.product,
            start_mm=start,
            stop_mm=stop,
            left_mm=left,
            right_mm=right,
            score=event.score,
            defective=event.defective,
        )

    def _keep(self, message: dict) -> None:
        if len(self._batch.events) >= MOST_WAITING:
            self._lost["events"] += 1
            return
        body = json.dumps(message)
        moment = message.get("time", round(time.time(), 3))
        self._batch.events.append(EventRow(moment, self._inspection, message["event"], message.get("alarm"), body))

    def _enter_shift(self) -> None:
        now = time.time()
        if self._shift is None or not self._shift.began <= now < self._shift.ends:
            self._shift = self._schedule.at(now)
        self._batch.shifts[self._shift.name] = self._shift.began, self._shift.ends

    def _look_at_clock(self) -> None:
        clock = time.time() - time.monotonic()
        step, self._clock = clock - self._clock, clock
        if abs(step) >= CLOCK_STEP:
            text = f"the clock was set by {step:+.0f} seconds: times before are wrong by as much"
            self.tell("clock_step", None, text, seconds=round(step))

    def _compare_clock(self, newest: float | None) -> None:
        """Tells of a clock that went back while nobody looked."""
        behind = 0.0 if newest is None else newest - time.time()
        if behind >= CLOCK_STEP:
            text = f"the clock is {behind:.0f} seconds behind what was recorded last: it was wrong then, or is now"
            self.tell("clock_step", None, text, seconds=round(-behind))

    def _bound(self) -> None:
        """Leaves pictures out that have waited for too long, but not the records of their tiles."""
        if self._batch.picture_bytes > MOST_WAITING_BYTES:
            self._lost["pictures"] += self._batch.drop_pictures()
        if len(self._batch.tiles) > MOST_WAITING:
            self._lost["events"] += len(self._batch.tiles)
            self._batch.tiles = {}

    def _fail(self, error: OSError | sqlite3.Error) -> None:
        """Tells once that nothing can be written, and tries again later."""
        if not is_fault(error):
            raise error
        trouble = getattr(error, "strerror", None) or str(error)
        self._damage = error if isinstance(error, sqlite3.Error) and is_damage(error) else None
        if not self._trouble:
            self._say(f"{self._folder}: cannot be written ({trouble}); trying again")
        self._trouble = trouble
        # After an error of the disk a connection to SQLite may be of no more use.
        if self._store is not None:
            self._store.close()
            self._store = None
        self._due = time.monotonic() + (0 if self._damage else RETRY_SECONDS)

    def _recover(self) -> None:
        if not self._trouble:
            return
        trouble, self._trouble = self._trouble, None
        self._say(f"{self._folder}: is written again")
        lost, self._lost = self._lost, dict.fromkeys(self._lost, 0)
        text = f"the store could not be written ({trouble}); what waited is in it now, but for what was lost"
        self.tell("store_unwritten", None, text, lost_events=lost["events"], lost_pictures=lost["pictures"])
