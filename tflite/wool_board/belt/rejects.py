"""Which stretches of the belt to throw out: defective tiles that belong together become one reject.

Tiles belong together if what they see overlaps or touches across, and along if they are of rows that overlap or follow
each other. A reject is told as soon as no later tile can extend it. One that goes on and on is told in parts, so that
whatever takes the product off the belt need never wait for its end. A reject, and each part of one, is as long and as
wide as its own tiles; parts overlap as rows do.
"""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple


@dataclasses.dataclass(frozen=True)
class Reject:
    """A reject, or a part of one.

    Attributes:
        number: counts the rejects from 1.
        part: counts its parts from 1.
        last: whether no part follows.
        joined: numbers of rejects, told in part, that go on as this one.
        start, stop: its lines, the end exclusive.
        left, right: its elements, the end exclusive.
        score: highest score of its tiles.
        arrived: when its first line did, in seconds.
    """

    number: int
    part: int
    last: bool
    joined: tuple[int, ...]
    start: int
    stop: int
    left: int
    right: int
    score: float
    arrived: float


class _Tile(NamedTuple):
    """A defective tile: the lines and elements that it sees, the ends exclusive."""

    start: int
    stop: int
    left: int
    right: int

    def touches(self, other: "_Tile") -> bool:
        """Whether it overlaps or touches another one across."""
        return self.left <= other.right and other.left <= self.right


@dataclasses.dataclass(eq=False)
class _Open:
    """A reject that may grow.

    Attributes:
        tiles: those of its tiles that a later one may belong to.
        start, stop, left, right, score, arrived: of what has not been told yet, as in `Reject`.
        number: None before something of it was told.
        parts: told.
        joined: numbers of rejects that go on as this one, since the last part.
    """

    tiles: list[_Tile]
    start: int
    stop: int
    left: int
    right: int
    score: float
    arrived: float
    number: int | None = None
    parts: int = 0
    joined: tuple[int, ...] = ()

    def touches(self, tile: _Tile) -> bool:
        return any(tile.touches(one) for one in self.tiles)

    def absorb(self, other: "_Open") -> None:
        self.tiles += other.tiles
        if other.start < self.start:
            self.start, self.arrived = other.start, other.arrived
        self.stop = max(self.stop, other.stop)
        self.left, self.right = min(self.left, other.left), max(self.right, other.right)
        self.score = max(self.score, other.score)
        numbers = sorted(number for number in (self.number, other.number) if number is not None)
        self.joined += other.joined + tuple(numbers[1:])
        if numbers and self.number != numbers[0]:
            self.number, self.parts = other.number, other.parts

    def inherit(self, earlier: "_Open") -> None:
        """Goes on as a reject of which all has been told."""
        self.tiles += earlier.tiles
        self.number, self.parts = earlier.number, earlier.parts


class Rejects:
    """The rejects that may still grow.

    Arguments:
        part: lines that a reject may be long before it is told in parts, at least those that a tile sees.
    """

    def __init__(self, part: int):
        self.count = 0
        self._part, self._row_stop = part, 0
        self._open: list[_Open] = []

    @property
    def earliest(self) -> int | None:
        """First line of what has not been told yet, or None if all has been."""
        return min((one.start for one in self._open), default=None)

    def add(self, start: int, stop: int, tiles: Iterable[tuple[int, int, float]], arrived: float) -> list[Reject]:
        """Adds a row, before which `close` was called for its start.

        Arguments:
            start, stop: the lines that the row sees, the end exclusive.
            tiles: of each defective one its first and last element, the end exclusive, and its score.
            arrived: when the first of the lines did, in seconds.

        Returns:
            Parts of rejects that got too long.
        """
        for one in self._open:
            one.tiles = [tile for tile in one.tiles if not self._is_behind(tile.stop, start)]
        self._row_stop, told = stop, []
        for new, earlier in self._grouped([(_Tile(start, stop, *across), score) for *across, score in tiles], arrived):
            if earlier and stop - earlier.start > self._part:
                told.append(self._tell(earlier, last=False))
                new.inherit(earlier)
            elif earlier:
                new.absorb(earlier)
            self._open.append(new)
        return told

    def close(self, start: int | None) -> list[Reject]:
        """Tells the rejects that no row from line `start` on can extend; None: all, because there is none."""
        over = [one for one in self._open if start is None or self._is_behind(one.stop, start)]
        self._open = [one for one in self._open if one not in over]
        return [self._tell(one, last=True) for one in over]

    def _is_behind(self, stop: int, start: int) -> bool:
        """Whether a row from line `start` on neither overlaps nor follows what ends before line `stop`."""
        # The row that follows the one which a reject ends with touches it, where rows do not overlap.
        return stop < start or (stop == start and stop < self._row_stop)

    def _grouped(self, tiles: list[tuple[_Tile, float]], arrived: float) -> list[tuple[_Open, _Open | None]]:
        """The tiles of a row that belong together, as one, and what was open and belongs to them, as one.

        What was open and belongs to a tile is open no longer.
        """
        groups: list[tuple[_Open, _Open | None]] = []
        for tile, score in tiles:
            new, earlier = _Open([tile], *tile, score, arrived), [one for one in self._open if one.touches(tile)]
            self._open = [one for one in self._open if one not in earlier]
            near = [group for group in groups if any(one and one.touches(tile) for one in group)]
            groups = [group for group in groups if group not in near]
            for row, before in near:
                new.absorb(row)
                earlier += [before] if before else []
            for one in earlier[1:]:
                earlier[0].absorb(one)
            groups.append((new, earlier[0] if earlier else None))
        return groups

    def _tell(self, one: _Open, last: bool) -> Reject:
        if one.number is None:
            self.count += 1
            one.number = self.count
        one.parts += 1
        joined, one.joined = one.joined, ()
        return Reject(
            one.number, one.parts, last, joined, one.start, one.stop, one.left, one.right, one.score, one.arrived
        )
