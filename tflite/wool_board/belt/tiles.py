"""Where tiles lie side by side, so that the network sees all of the product.

Of a tile the network sees only the middle: the model cuts a margin off on each side. All positions here are those of
what is *seen*; the tile itself begins a margin earlier, at the ends of the detector in air that is added there.

Tiles follow the product from edge to edge, as crops for training do: a network that has never seen much air calls it
all sorts of things. Neighbouring tiles overlap, so that a defect which one of them cuts lies whole in the other. Where
the board is too slow, the overlap is thinned level by level: first along the belt, then across, until what tiles see
just touches.
"""

import dataclasses
import math

OVERLAP = 0.5
"""Share of what a tile sees that the next one sees as well, where nothing else is asked for."""


@dataclasses.dataclass(frozen=True)
class Level:
    """One thinning of the overlap: lines from row to row, and elements from tile to tile, at most."""

    along: int
    across: int


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How tiles lie on the strip of a detector.

    Attributes:
        side: height and width of a tile.
        margin: what the network does not see at each side of a tile, in whole pixels.
        width: elements of the detector.
        levels: from the full overlap to the least.
    """

    side: int
    margin: int
    width: int
    levels: tuple[Level, ...]

    @property
    def seen(self) -> int:
        """Height and width of what is seen of a tile."""
        return self.side - 2 * self.margin

    def columns(self, left: int, right: int, across: int) -> list[int]:
        """The first elements that tiles see which together see some product.

        Arguments:
            left, right: elements of the product, the end exclusive.
            across: elements from tile to tile at most, at most what a tile sees.
        """
        slack = right - left - self.seen
        if slack > 0:
            count = self.count(right - left, across)
            return [left + slack * number // (count - 1) for number in range(count)]
        if self.width <= self.seen:
            return [(self.width - self.seen) // 2]
        return [min(max((left + right - self.seen) // 2, 0), self.width - self.seen)]

    def count(self, elements: int, across: int) -> int:
        """How many tiles it takes to see so many elements."""
        return 1 + max(0, math.ceil((elements - self.seen) / across))

    def load(self, level: Level) -> float:
        """Tiles per line, where product lies from end to end of the detector."""
        return self.count(self.width, level.across) / level.along

    def span(self, column: int) -> tuple[int, int]:
        """The elements of the detector that a tile sees, the end exclusive."""
        return max(column, 0), min(column + self.seen, self.width)


def tiling(side: int, margin: float, width: int, overlap: float) -> Tiling:
    """The tiling of a model.

    Arguments:
        side: height and width of a tile in pixels.
        margin: what the network does not see at each side, in pixels; less than half of the side.
        width: elements of the detector.
        overlap: 0 to below 1, the share of what a tile sees that the next one sees as well, at least.
    """
    whole = math.ceil(margin)
    seen = side - 2 * whole
    steps = [max(1, math.floor(seen * (1 - share))) for share in (overlap, overlap / 2, 0)]
    bare = Tiling(side, whole, width, ())
    levels: dict[tuple[int, int], Level] = {}
    for level in [Level(step, steps[0]) for step in steps] + [Level(seen, step) for step in steps]:
        # Fewer elements of overlap need not mean fewer tiles.
        levels.setdefault((level.along, bare.count(width, level.across)), level)
    return dataclasses.replace(bare, levels=tuple(levels.values()))
