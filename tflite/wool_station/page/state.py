"""What the page shows besides the belt: the shift, rejects, alarms, corrections and the machine."""

import base64
import threading
import time

from wool_board.machine import board
from wool_station.challenge import records
from wool_station.store import lock, recorder_alarms
from wool_station.store.corrections import VERDICTS
from wool_station.store.reader import StoreReader
from wool_station.store.tile import StoredTile

REJECTS, ALARMS, CORRECTIONS, TYPES, CHALLENGES, MODELS = 24, 20, 30, 20, 20, 5
MACHINE_SECONDS = 5.0


class Machine:
    """How the machine is, asked for at most every few seconds."""

    def __init__(self) -> None:
        self._lock, self._asked = threading.Lock(), float("-inf")
        self._known: dict[str, object] = {}

    def state(self) -> dict:
        """Temperature in degrees Celsius, and what slows a Raspberry Pi down now and did before; None if not known."""
        with self._lock:
            if time.monotonic() - self._asked >= MACHINE_SECONDS:
                bits = board.throttled()
                self._known = {
                    "temperature": board.temperature(),
                    "hot": board.HOT,
                    "throttled": None if bits is None else _names(bits),
                    "throttled_before": None if bits is None else _names(bits >> 16),
                }
                self._asked = time.monotonic()
            return dict(self._known)


def _names(bits: int) -> list[str]:
    return [name for number, name in enumerate(board.THROTTLING) if bits >> number & 1]


def stored(reader: StoreReader) -> dict:
    """What the store says, and whether it is written; empty where there is none yet."""
    is_recorded = lock.is_taken(reader.folder)
    shift = reader.newest_shift(time.time())
    if shift is None:
        nothing: list = []
        lists = dict.fromkeys(
            ("rejects", "alarms", "corrections", "types", "standing", "pieces", "challenges"), nothing
        )
        about = {"models": nothing, "watch": None, "verdicts": VERDICTS, "recorded": is_recorded}
        return {"shift": None, **lists, **about}
    total = reader.totals(shift.began, shift.ends)
    counts = {name: value for name, value in vars(total).items() if name != "scores"}
    select = "SELECT DISTINCT defect FROM corrections WHERE defect != '' ORDER BY defect LIMIT ?"
    return {
        "shift": {"name": shift.name, "began": shift.began, "ends": shift.ends, **counts},
        "rejects": [_told(tile) for tile in reader.last_rejected(REJECTS)],
        "alarms": reader.last_events("alarm", ALARMS),
        "corrections": _corrections(reader),
        "types": [row["defect"] for row in reader.rows(select, TYPES)],
        "verdicts": VERDICTS,
        "recorded": is_recorded,
        "standing": _standing(reader),
        "pieces": [vars(piece) | {"due": piece.due} for piece in records.due(reader)],
        "challenges": [
            dict(row) for row in reader.rows("SELECT * FROM challenges ORDER BY id DESC LIMIT ?", CHALLENGES)
        ],
        "models": [dict(row) for row in reader.rows("SELECT * FROM models ORDER BY id DESC LIMIT ?", MODELS)],
        "watch": next(iter(reader.last_events("watch", 1)), None),
    }


def _standing(reader: StoreReader) -> list[dict]:
    """The recorder's own alarms that stand."""
    with reader.connection() as database:
        return recorder_alarms.standing(database) if database else []


def _corrections(reader: StoreReader) -> list[dict]:
    names = "id, time, operator, verdict, defect, tile, tile_time, start_mm, left_mm, png IS NOT NULL AS has_picture"
    return [dict(row) for row in reader.rows(f"SELECT {names} FROM corrections ORDER BY id DESC LIMIT ?", CORRECTIONS)]


def _told(tile: StoredTile) -> dict:
    cells = base64.b64encode(tile.heatmap).decode() if tile.heatmap else None
    return vars(tile) | {"heatmap": cells}
