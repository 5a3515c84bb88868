"""A belt with products, as a small detector sees it, and the state that an inspection of it leaves."""

import json
from pathlib import Path

import numpy as np

import rig
from rig import WOOL
from wool_board.belt.state import State

DETECTOR, MM = rig.Detector(), 0.5
"""And the millimetres between two of its lines."""

A_STATE = State(100.0, 120.0, 1000.0, -0.03, False, None, boot="one", uptime=50.0, clock_set=True)


def belt(lines: int, seed: int = 1) -> bytes:
    """Lines of products of 200 each, with air between them."""
    attenuation = np.zeros((lines, DETECTOR.width))
    for start in range(64, lines - 100, 400):
        attenuation[start : start + 200, 10:90] = WOOL
    return DETECTOR.expose(attenuation, seed).tobytes()


def left(path: Path) -> dict:
    """The state that an inspection left in a file."""
    return json.loads(path.read_text())
