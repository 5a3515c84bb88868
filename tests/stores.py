"""Looking into a station's folder with nothing but SQLite and Pillow."""

import io
import json
import sqlite3
from pathlib import Path

import numpy as np
from PIL import Image


def rows(folder: Path, statement: str, *values) -> list[tuple]:
    database = sqlite3.connect(folder / "station.sqlite")
    try:
        return database.execute(statement, values).fetchall()
    finally:
        database.close()


def is_made(folder: Path) -> bool:
    """Whether the recorder has made its tables."""
    return (folder / "station.sqlite").exists() and rows(folder, "PRAGMA user_version") == [(1,)]


def events(folder: Path, kind: str) -> list[dict]:
    return [json.loads(body) for (body,) in rows(folder, "SELECT body FROM events WHERE event = ? ORDER BY id", kind)]


def pictures(folder: Path) -> dict[float, np.ndarray]:
    """The pixels of all tiles that have a picture, by where along the belt they begin."""
    found = {}
    select = "SELECT start_mm, volume, place, bytes FROM tiles WHERE volume IS NOT NULL"
    for along, volume, place, count in rows(folder, select):
        with open(folder / "pictures" / f"{volume:08d}.pack", "rb") as file:
            file.seek(place)
            content = file.read(count)
        assert len(content) == count
        image = Image.open(io.BytesIO(content))
        assert image.format == "PNG" and image.mode == "L"
        found[along] = np.asarray(image)
    return found
