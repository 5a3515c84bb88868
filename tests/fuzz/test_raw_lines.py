"""Raw lines that are changed at random are read as they stand or refused, and an inspection accounts for each."""

import json
import random

import numpy as np
import pytest

import mutations
import rig
from wool_board.belt.motion import POSITIONS
from wool_board.errors import BadFile
from wool_board.image import scan_files
from wool_board.image.scan_files import TYPES, LineFormat

pytestmark = pytest.mark.slow
MM = 0.5


def test_raw_files(tmp_path):
    def attempt(rng: random.Random) -> str:
        path = tmp_path / f"a{rng.choice(scan_files.RAWS)}"
        content = rng.randbytes(rng.choice((0, 1, 2, 60, 600, 601, 6000)))
        path.write_bytes(content)
        layout = LineFormat(rng.choice((1, 2, 3, 30, 50, 301, 10**9)), rng.choice(tuple(TYPES)))
        white = rng.choice((None, 1023, 60000))
        try:
            found = scan_files.read(path, layout)
            assert scan_files.size(path, layout) == found.shape[::-1]
            assert (np.frombuffer(content, TYPES[layout.type]).reshape(-1, layout.width) == found[:]).all()
            assert scan_files.top(path, layout, white) in (255, white or 65535)
            return "read"
        except BadFile as flaw:
            assert "\n" not in str(flaw) and len(str(flaw)) < 300
            return "refused"

    mutations.fuzz("raw files", attempt)


def belt(detector: rig.Detector, rng: random.Random) -> np.ndarray:
    """Counts of a belt with a few products, and perhaps of something that no detector gives."""
    attenuation = np.zeros((rng.choice((1, 40, 200, 600)), detector.width))
    for _ in range(rng.randrange(4)):
        start, left = rng.randrange(len(attenuation)), rng.randrange(detector.width)
        attenuation[start : start + 150, left : left + 80] = rng.choice((rig.WOOL, rig.DEFECT, 0.02, 9.0, -1.0))
    counts = detector.expose(attenuation, rng.randrange(1000))
    if rng.random() < 0.2:
        counts[rng.randrange(len(counts)) :] = rng.choice((0, 1000, 65535))
    return counts


def counted(lines: np.ndarray, rng: random.Random) -> np.ndarray:
    """The lines with an encoder's counts behind them."""
    moves = [rng.choice((0, 1, 1, 1, 2, -1, 10**6 if rng.random() < 0.01 else 1)) for _ in lines]
    counts = (np.cumsum(moves) + rng.choice((0, 2**32 - 30))) % 2**32
    return np.hstack([lines, counts.astype("<u4").view("<u2").reshape(len(lines), 2)])


def test_lines_on_a_belt(tmp_path):
    detector, path = rig.Detector(), tmp_path / "lines.raw"
    detector.references(tmp_path)

    def attempt(rng: random.Random) -> str:
        position, lines = rng.choice(POSITIONS), belt(detector, rng)
        width = detector.width
        if position == "count":
            lines, width = counted(lines, rng), width + 2
        content = lines.tobytes()
        if rng.random() < 0.7:
            content = mutations.changed(content, [content], rng)
        path.write_bytes(content)
        found = rig.inspect(path, tmp_path, detector, overlap=rng.choice((0, 0.5)), position=position)
        json.dumps(found, allow_nan=False)
        whole, stray = divmod(len(content), 2 * width)
        assert (found[-1]["event"], found[-1]["final"], found[-1]["lines"]) == ("summary", True, whole)
        assert any(event.get("alarm") == "partial_line" for event in found) == bool(stray)
        covered = (
            rig.accounted(found) if any(event["event"] in ("tile", "air", "unseen") for event in found) else [0, 0]
        )
        assert covered == [0, found[-1]["along_mm"]]
        assert position == "count" or covered[1] == whole * MM
        return position

    mutations.fuzz("lines on a belt", attempt)
