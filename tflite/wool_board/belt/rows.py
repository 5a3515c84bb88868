"""Where rows of tiles lie along the belt: from the first line of a product to its last.

A product is a stretch of lines that show something, with less than `GAP` lines of air between. Its first row begins
where it does, its last row ends where it does, and a row between follows another after a step. A product that is
shorter than a row lies in the middle of it, as far as the lines below have arrived.
"""

from collections.abc import Callable
from typing import NamedTuple

from wool_board.belt.strip import BLOCK

GAP = 2 * BLOCK
"""Lines of air that end a product: not one that a thin place in it may have."""


class TileRow(NamedTuple):
    """A row.

    Attributes:
        start, stop: lines that its tiles see, the end exclusive; beyond those of the strip there is nothing.
        first, last: those of them that belong to the product, the end exclusive.
        ends: whether the product ends with it.
    """

    start: int
    stop: int
    first: int
    last: int
    ends: bool


class RowFinder:
    """Finds rows in a run of lines.

    Arguments:
        seen: lines that a tile sees.
        margin: lines more that a tile has on either side.

    Attributes:
        air: line up to which there is nothing but air since the last row, or None within a product.
    """

    def __init__(self, seen: int, margin: int):
        self._seen, self._margin = seen, margin
        self.begin(0)

    def begin(self, line: int) -> None:
        """Begins a run; the next line is this one."""
        self._scanned, self._end, self._over = line, line, False
        self._product: int | None = None
        self._next = self._done = line
        """First line of the next row; and line before which the product has been seen."""

    @property
    def air(self) -> int | None:
        return self._scanned if self._product is None else None

    @property
    def earliest(self) -> int:
        """First line that any row to come may belong to."""
        if self._product is None:
            return self._scanned
        # The last row ends with the product, of which at least one line has not been seen yet.
        return max(self._product, min(self._next, max(self._end, self._done + 1) - self._seen))

    def find(self, stop: int, shows: Callable[[int, int], bool], final: bool) -> TileRow | None:
        """The next row; again the same one until `advance` is called.

        Arguments:
            stop: line before which all lines of the run are there.
            shows: whether some lines, from and to, the end exclusive, show product.
            final: whether the run ends there.

        Returns:
            The row, or None if more lines are needed.
        """
        while not (row := self._found(stop)):
            if not self._scan(stop, shows, final):
                return None
        return row

    def advance(self, row: TileRow, step: int) -> None:
        """Goes on behind a row: by so many lines, at most those that a tile sees, or to the end of the product."""
        if row.ends:
            self._leave()
        else:
            self._next, self._done = row.start + step, row.stop

    def _found(self, stop: int) -> TileRow | None:
        if self._product is None:
            return None
        after = self._next + self._seen
        # At the end of a run there may be no lines for the margin, in which nothing is seen anyway.
        if after <= self._end and (after + self._margin <= stop or self._over):
            return TileRow(self._next, after, self._next, after, False)
        if not self._over:
            return None
        if self._done >= self._end:
            self._leave()
            return None
        middle = (self._product + self._end - self._seen) // 2
        start = max(self._end - self._seen, min(middle, stop - self._margin - self._seen))
        return TileRow(start, start + self._seen, max(start, self._product), self._end, True)

    def _leave(self) -> None:
        """Goes on in the air behind a product."""
        self._product, self._over = None, False

    def _scan(self, stop: int, shows: Callable[[int, int], bool], final: bool) -> bool:
        """Looks at the next lines; returns whether that was of any use."""
        line = min(self._scanned + BLOCK, stop)
        if self._over or line < self._scanned + BLOCK and not final:
            return False
        if line > self._scanned and shows(self._scanned, line):
            if self._product is None:
                self._product = self._next = self._done = self._scanned
            self._end = line
        before, self._scanned = self._scanned, line
        at_end = final and line == stop
        self._over = self._product is not None and (at_end or line - self._end >= GAP)
        return self._over or line > before
