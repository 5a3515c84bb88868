"""Which crops are cut from scans, so that nothing but the defect tells the class of a crop.

A frame is a piece of a scan, as wide as it and some lines long. At most one crop is cut from a frame, as Rafiei et al.,
section III, have one of each source image.

A defective crop shows a box of a visible defect, drawn at random among those of its frame, at a place drawn at random
among all that hold the box whole, with a margin around it as far as the frame reaches. A box larger than the crop along
an axis spans the crop along it. A box that a border of frames cuts belongs to the frame of its middle, which holds half
of it or more, and counts as that part; where the middle is within a margin of a border it belongs to none, and only
keeps non-defective crops away.

A non-defective crop touches no visible box. It comes from a frame to which none belongs, and is placed by the same
rule around a phantom: the box of a defective crop drawn at random, moved to the same relative place of the wool that
the frame shows. For each phantom, the frame is the one of many drawn at random whose wool lies most like that of the
phantom's own frame: otherwise small products, of whose frames a larger share has a defect, would be more frequent among
the defective crops, and a crop with an edge of the product in it likely a defective one.
"""

import collections
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from wool_board.image.flat_field import AIR
from wool_tf import seeds
from wool_tf.data.annotations.scans import Box, Scan
from wool_tf.errors import WoolError

EDGE = 0.2
"""Lines and columns belong to the product if they attenuate on average more than this share of what the densest tenth
does, so that a corner or a skewed edge counts."""

MARGIN = 20 / 244
"""Share of a crop's side that is kept around a box where the frame has it: training takes random parts of 224 pixels of
crops of 244, and judging the middle one, and a defect that these leave out would be a wrong label."""

DRAWN = 100
"""Frames among which the most similar one is taken for a phantom."""

PHANTOMS = 20
"""Phantoms that are tried in a frame which boxes of its neighbours reach into, before it is given up."""

NO_WOOL, NO_ROOM, NOT_DRAWN = "no wool in it", "no place that is free of its neighbours' boxes", "not drawn"


@dataclasses.dataclass(frozen=True)
class Frame:
    """A piece of a scan: its number, its area and the extent of the wool in it, None if it shows none."""

    scan: Scan
    number: int
    area: Box
    wool: Box | None


@dataclasses.dataclass(frozen=True)
class Crop:
    """A crop.

    Attributes:
        frame: Frame that it is cut from.
        area: in the scan.
        label: index into `dataset.CLASSES`.
        defect: the types that it shows, joined by +: those that make it defective, or, if there are none, others.
    """

    frame: Frame
    area: Box
    label: int
    defect: str


@dataclasses.dataclass(frozen=True)
class FrameChoice:
    """The crops, sorted by scan and frame; and why other frames gave none, with their number."""

    crops: tuple[Crop, ...]
    without: dict[str, int]


@dataclasses.dataclass(frozen=True)
class _Phantom:
    """Where a box lies in the wool of a frame."""

    box: Box
    wool: Box


@dataclasses.dataclass(frozen=True)
class _Free:
    """A frame to which no visible box belongs, its wool, and the visible boxes of its scan."""

    frame: Frame
    wool: Box
    boxes: list[Box]


def areas(scan: Scan, frame_lines: int, side: int) -> Iterator[Box]:
    """The frames of a scan from its first line on; the last one has at least `side` lines."""
    for start in range(0, scan.lines - side + 1, frame_lines):
        yield Box(0, start, scan.width, min(start + frame_lines, scan.lines))


def wool(attenuation: np.ndarray, area: Box) -> Box | None:
    """The extent of the product in a frame, in pixels of the scan, or None if there is only air.

    Arguments:
        attenuation: (lines, width) of the frame.
        area: where the frame lies in its scan.
    """
    columns = _extent(attenuation.mean(axis=0))
    if columns is None:
        return None
    lines = _extent(attenuation[:, slice(*columns)].mean(axis=1))
    return lines and Box(columns[0], area.y0 + lines[0], columns[1], area.y0 + lines[1])


def _extent(profile: np.ndarray) -> tuple[int, int] | None:
    inside = np.flatnonzero(profile > max(AIR, EDGE * np.percentile(profile, 90)))
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else None


def choose(
    frames: Iterable[Frame], side: int, defects: Iterable[str], wanted: tuple[int | None, int | None], seed: int
) -> FrameChoice:
    """Chooses the crops, depending on the frames and not on their order.

    Phantoms must have frames to choose among, or the extent of the wool may tell something of the class: unless a
    number of non-defective crops is wanted, there are as many as defective ones, of half of the frames at most.

    Arguments:
        frames: all frames of all scans.
        side: of a crop in pixels, at most the height of a frame.
        defects: types of boxes that make a crop defective; others are not looked at.
        wanted: how many non-defective and defective crops to draw, in the order of the labels, or None.
        seed: int, at least 0.

    Raises:
        WoolError: there are fewer crops of a class than wanted, or none.
    """
    rng, defects = seeds.generator(seed, "crops"), frozenset(defects)
    sources, free = [], []
    without: collections.Counter[str] = collections.Counter()
    for frame in sorted(frames, key=lambda frame: (frame.scan.path, frame.number)):
        visible = [box for box in frame.scan.boxes if box.defect in defects]
        parts = [part for box in visible if (part := _part(box, frame.area, side))]
        if parts:
            sources.append((frame, parts))
        elif frame.wool:
            free.append(_Free(frame, frame.wool, visible))
        else:
            without[NO_WOOL] += 1
    crops, phantoms = [], []
    for index in sorted(rng.choice(len(sources), _enough("defective", wanted[1], len(sources)), replace=False)):
        frame, parts = sources[index]
        box = parts[rng.integers(len(parts))]
        area = _around(box, frame.area, side, rng)
        crops.append(Crop(frame, area, 1, _types(frame, area, defects)))
        phantoms.append(_Phantom(box, frame.wool or frame.area))
    fewer = max(1, min(len(crops), len(free) // 2)) if wanted[0] is None else wanted[0]
    clean, crowded = _non_defective(free, phantoms, side, fewer, rng)
    _enough("non_defective", wanted[0], len(clean))
    without += {NO_ROOM: crowded, NOT_DRAWN: len(sources) + len(free) - len(crops) - len(clean) - crowded}
    crops = sorted((*crops, *clean), key=lambda crop: (crop.frame.scan.path, crop.frame.number))
    return FrameChoice(tuple(crops), dict(without))


def _enough(name: str, wanted: int | None, found: int) -> int:
    if not found:
        raise WoolError(f"{name}: no frame can give such a crop, and both classes are needed; add scans")
    if found < (wanted or 0):
        raise WoolError(f"{name}: {wanted} crops wanted, but only {found} frames give one; add scans or ask for fewer")
    return wanted or found


def _types(frame: Frame, area: Box, among: frozenset[str] | None = None) -> str:
    touched = {box.defect for box in frame.scan.boxes if box.touches(area)}
    return "+".join(sorted(touched if among is None else touched & among))


def _part(box: Box, area: Box, side: int) -> Box | None:
    """What a frame holds of a box that belongs to it, if that is not lost in the margin of every crop."""
    margin = int(MARGIN * side)
    if not area.y0 + margin <= (box.y0 + box.y1) // 2 < area.y1 - margin:
        return None
    if not area.x0 + margin <= (box.x0 + box.x1) // 2 < area.x1 - margin:
        return None
    return Box(box.x0, max(box.y0, area.y0), box.x1, min(box.y1, area.y1))


def _around(box: Box, area: Box, side: int, rng: np.random.Generator) -> Box:
    """A crop inside a frame at random among those that hold a box of the frame and a margin, or lie in its span."""
    x = _start(box.x0, box.x1, area.x0, area.x1, side, rng)
    y = _start(box.y0, box.y1, area.y0, area.y1, side, rng)
    return Box(x, y, x + side, y + side)


def _start(first: int, stop: int, low: int, high: int, side: int, rng: np.random.Generator) -> int:
    """Where a crop begins along one axis of a box from `first` to `stop` in a frame from `low` to `high`."""
    margin = max(0, min(int(MARGIN * side), (side - (stop - first)) // 2))
    ends = np.clip(sorted((first - margin, stop + margin - side)), low, high - side)
    return int(rng.integers(ends[0], ends[1] + 1))


def _non_defective(
    free: list[_Free],
    phantoms: list[_Phantom],
    side: int,
    wanted: int,
    rng: np.random.Generator,
) -> tuple[list[Crop], int]:
    """Crops of frames to which no visible box belongs, and how many frames had no room for one."""
    free, crowded = list(free), 0
    crops: list[Crop] = []
    extents = np.array([_extents(one.wool) for one in free])
    while free and len(crops) < wanted:
        phantom = phantoms[rng.integers(len(phantoms))]
        drawn = rng.integers(len(free), size=DRAWN)
        chosen = drawn[np.abs(extents[drawn] - _extents(phantom.wool)).max(axis=1).argmin()]
        one = free[chosen]
        # The last one takes the place of the one chosen.
        free[chosen], extents[chosen] = free[-1], extents[len(free) - 1]
        free.pop()
        for _ in range(PHANTOMS):
            area = _around(_moved(phantom, one.wool), one.frame.area, side, rng)
            if not any(box.touches(area) for box in one.boxes):
                crops.append(Crop(one.frame, area, 0, _types(one.frame, area)))
                break
            phantom = phantoms[rng.integers(len(phantoms))]
        else:
            crowded += 1
    return crops, crowded


def _extents(box: Box) -> tuple[int, int, int, int]:
    return box.x0, box.x1, box.y0, box.y1


def _moved(phantom: _Phantom, wool: Box) -> Box:
    """The phantom's box at the same relative place of other wool, no larger than this."""
    box, old = phantom.box, phantom.wool
    x0, x1 = _moved_span((box.x0, box.x1), (old.x0, old.x1), (wool.x0, wool.x1))
    y0, y1 = _moved_span((box.y0, box.y1), (old.y0, old.y1), (wool.y0, wool.y1))
    return Box(x0, y0, x1, y1)


def _moved_span(span: tuple[int, int], old: tuple[int, int], new: tuple[int, int]) -> tuple[int, int]:
    slack = (old[1] - old[0]) - (span[1] - span[0])
    share = min(max((span[0] - old[0]) / slack, 0), 1) if slack > 0 else 0.5
    length = min(span[1] - span[0], new[1] - new[0])
    start = new[0] + round(share * (new[1] - new[0] - length))
    return start, start + length
