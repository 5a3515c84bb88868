"""Board models whose cards are changed at random are read as they should be, or refused in one line."""

import hashlib
import io
import json
import math
import random
import zipfile

import pytest

import card_sample
import mutations
from wool_board.belt.tiles import tiling
from wool_board.errors import WoolError
from wool_board.model import card_file
from wool_board.model.card import Card

pytestmark = pytest.mark.slow
NETWORK = b"\x1c\0\0\0TFL3" + bytes(range(256)) * 4
MODEL = {"bytes": len(NETWORK), "sha256": hashlib.sha256(NETWORK).hexdigest()}
DOCUMENT = card_sample.DOCUMENT | {"model": MODEL}


def attached(content: bytes, rng: random.Random) -> bytes:
    """The network with an archive behind it, in which the content is the card, or perhaps something else."""
    stream = io.BytesIO(NETWORK)
    stream.seek(0, io.SEEK_END)
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name in rng.choice((["card.json"],) * 9 + (["card.json", "other"], ["other"], [])):
            archive.writestr(name, content)
    return stream.getvalue()


def check(found: Card) -> None:
    """What programs go by must hold, whatever the check of the card itself looks at."""
    image, threshold = found.input, found.decision.threshold
    assert isinstance(image.side, int) and 1 <= image.side <= 4096
    assert 0 <= image.margin < image.side / 2
    assert isinstance(threshold, int | float) and 0 <= threshold < 2
    assert all(isinstance(label, str) for label in found.labels) and len(found.labels) == 2
    if image.window is not None:
        low, high = image.window
        assert math.isfinite(low) and math.isfinite(high) and low < high
    assert image.pixel_mm is None or 0.001 <= image.pixel_mm <= 100
    said = found.held_out
    if said:
        json.dumps(said, allow_nan=False)
        assert all(count >= 0 for row in said["confusion"] for count in row)


def attempt(rng: random.Random, path) -> str:
    content = json.dumps(DOCUMENT).encode()
    how = rng.randrange(4)
    if how in (0, 1):
        content = mutations.as_json(mutations.reshaped(DOCUMENT, rng))
    elif how == 2:
        content = rng.choice((mutations.changed(content, [content], rng), b"[" * 10**5, b"1" * 10**5, b'{"a":' * 10**5))
    whole = attached(content, rng)
    if how == 3:
        # The archive is where the card is, and the network is as long as it says.
        cut = rng.choice((0, len(NETWORK)))
        whole = whole[:cut] + mutations.changed(whole[cut:], [whole], rng)
    path.write_bytes(whole)
    try:
        found = card_file.read(path)
    except WoolError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000 and str(error).startswith(str(path)), str(error)
        return "refused"
    check(found)
    try:
        cut = tiling(found.input.side, found.input.margin, 640, 0.5)
        assert 1 <= cut.seen <= cut.side
        return "read"
    except WoolError as error:
        assert "\n" not in str(error)
        return "read, but too wide for the belt"


def test_cards(tmp_path):
    mutations.fuzz("cards", lambda rng: attempt(rng, tmp_path / "model.tflite"))
