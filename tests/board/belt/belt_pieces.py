"""A belt on which pieces lie, as a small detector sees it."""

import numpy as np

import rig
from rig import DEFECT, WOOL, kinds

DETECTOR, MM = rig.Detector(), 0.5
"""And the millimetres between two of its lines."""


PRODUCT = (slice(100, 500), slice(10, 90), WOOL)
DEFECTS = (slice(250, 255), slice(20, 25), DEFECT), (slice(400, 404), slice(70, 74), DEFECT)


def belt(lines: int, *pieces: tuple[slice, slice, float]) -> np.ndarray:
    """Attenuation of a belt on which pieces lie."""
    attenuation = np.zeros((lines, DETECTOR.width))
    for along, across, value in pieces:
        attenuation[along, across] = value
    return attenuation


def alarms(found) -> list[tuple]:
    return [(event["alarm"], event.get("on")) for event in kinds(found, "alarm")]
