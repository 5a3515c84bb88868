"""Which stretches of the belt to throw out: defective tiles that belong together become one reject.

Tiles belong together if what they see overlaps or touches across, and along if they are of rows that overlap or follow
each other. A reject is told as soon as no later tile can extend it. One that goes on and on is told in parts, which
overlap as rows do, so that whatever takes the product off the belt need never wait for its end.
"""

import dataclasses
from collections.abc import Iterable


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


@dataclasses.dataclass(eq=False)
class _Open:
    """What has not been told yet of a reject that may grow; it has no number before something of it was told."""

    start: int
    stop: int
    left: int
    right: int
    score: float
    arrived: float
    number: int | None = None
    parts: int = 0
    joined: tuple[int, ...] = ()

    def touches(self, other: "_Open") -> bool:
        return self.left <= other.right and other.left <= self.right

    def absorb(self, other: "_Open") -> None:
        if other.start < self.start:
            self.start, self.arrived = other.start, other.arrived
        self.stop = max(self.stop, other.stop)
        self.left, self.right = min(self.left, other.left), max(self.right, other.right)
        self.score = max(self.score, other.score)
        numbers = sorted(number for number in (self.number, other.number) if number is not None)
        self.joined += other.joined + tuple(numbers[1:])
        if numbers and self.number != numbers[0]:
            self.number, self.parts = other.number, other.parts


class Rejects:
    """The rejects that may still grow.

    Arguments:
        part: lines that a reject may be long before it is told in parts, at least those that a tile sees.
    """

    def __init__(self, part: int):
        self.count = 0
        self._part, self._row_stop = part, 0
        self._open: list[_Open] = []

    def add(self, start: int, stop: int, tiles: Iterable[tuple[int, int, float]], arrived: float) -> list[Reject]:
        """Adds a row, before which `close` was called for its start.

        Arguments:
            start, stop: the lines that the row sees, the end exclusive.
            tiles: of each defective one its first and last element, the end exclusive, and its score.
            arrived: when the first of the lines did, in seconds.

        Returns:
            Parts of rejects that got too long.
        """
        self._row_stop, told = stop, []
        for left, right, score in tiles:
            new = _Open(start, stop, left, right, score, arrived)
            earlier = self._take_touching(new)
            if earlier and stop - min(earlier.start, start) > self._part:
                told.append(self._tell(earlier, last=False))
                earlier.start, earlier.arrived, earlier.score = start, arrived, score
            if earlier:
                new.absorb(earlier)
            self._open.append(new)
        return told

    def close(self, start: int | None) -> list[Reject]:
        """Tells the rejects that no row from line `start` on can extend; None: all, because there is none."""
        over = [one for one in self._open if start is None or self._is_over(one, start)]
        self._open = [one for one in self._open if one not in over]
        return [self._tell(one, last=True) for one in over]

    def _is_over(self, one: _Open, start: int) -> bool:
        # The row that follows the one which a reject ends with touches it, where rows do not overlap.
        return one.stop < start or (one.stop == start and one.stop < self._row_stop)

    def _take_touching(self, tile: _Open) -> _Open | None:
        """What was open and touches a tile, or touches what touches it, as one; it is open no longer."""
        whole, reach = None, dataclasses.replace(tile)
        while touching := [one for one in self._open if one.touches(reach)]:
            self._open = [one for one in self._open if one not in touching]
            for one in touching:
                if whole is None:
                    whole = one
                else:
                    whole.absorb(one)
                reach.absorb(one)
        return whole

    def _tell(self, one: _Open, last: bool) -> Reject:
        if one.number is None:
            self.count += 1
            one.number = self.count
        one.parts += 1
        joined, one.joined = one.joined, ()
        return Reject(
            one.number, one.parts, last, joined, one.start, one.stop, one.left, one.right, one.score, one.arrived
        )
