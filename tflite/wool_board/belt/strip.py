"""The piece of the belt that tiles are cut from: the latest lines, corrected, in an array that never grows."""

import collections

import numpy as np

from wool_board.image.flat_field import AIR

BLOCK = 16
"""Side of the blocks in pixels: their mean is hardly noisy, and a drop of melt of 3 by 3 pixels still shows in it."""

WHITE = 255


class Strip:
    """The latest lines of a run without gaps.

    Arguments:
        width: elements of the detector.
        most: lines that are kept, at least.

    Attributes:
        start: number of the first line of the run.
        stop: number of the line that comes next.
    """

    def __init__(self, width: int, most: int):
        self.start = self.stop = 0
        self._width, self._most = width, most
        # Twice the room, so that what is kept seldom moves.
        self._grey = np.empty((2 * most, width), np.uint8)
        self._arrived = np.empty(2 * most)
        self._edges = np.arange(0, max(width - BLOCK // 2, 1), BLOCK)
        self._sizes = np.diff([*self._edges, width])
        self._share = np.full((BLOCK, 1), 1 / BLOCK, np.float32)
        self._means = np.empty((2 * most, len(self._edges)), np.float32)
        self._first, self._count = 0, 0
        self._judged: collections.deque[tuple[int, int, np.ndarray]] = collections.deque()
        """Blocks of lines, from and to, the end exclusive, and which blocks side by side show something in them."""

    def begin(self, line: int) -> None:
        """Begins a run; what was before is forgotten."""
        self.start = self.stop = self._first = line
        self._count = 0
        self._judged.clear()

    def append(self, grey: np.ndarray, attenuation: np.ndarray, arrived: np.ndarray) -> None:
        """Adds lines, at most as many as are kept.

        Arguments:
            grey: (n, width) uint8.
            attenuation: (n, width) float32.
            arrived: (n,) seconds.
        """
        if self._count + len(grey) > len(self._grey):
            kept = slice(self._count - self._most + len(grey), self._count)
            moved = kept.stop - kept.start
            for array in (self._grey, self._arrived, self._means):
                array[:moved] = array[kept]
            self._first, self._count = self._first + kept.start, moved
            while self._judged and self._judged[0][1] <= self._first:
                self._judged.popleft()
        rows = slice(self._count, self._count + len(grey))
        self._grey[rows], self._arrived[rows] = grey, arrived
        self._means[rows] = self._blocks(attenuation)
        self._count += len(grey)
        self.stop += len(grey)

    def _blocks(self, attenuation: np.ndarray) -> np.ndarray:
        """(n, blocks) means of lines over the blocks side by side, all of `BLOCK` elements but for the last one."""
        count, last = len(attenuation), int(self._edges[-1])
        means = np.empty((count, len(self._edges)), np.float32)
        # A product of matrices is several times as fast as a sum along a short axis.
        pixels = attenuation[:, :last].reshape(count * (len(self._edges) - 1), BLOCK)
        means[:, :-1] = (pixels @ self._share).reshape(count, len(self._edges) - 1)
        means[:, -1] = attenuation[:, last:].mean(axis=1)
        return means

    def tile(self, line: int, element: int, side: int) -> np.ndarray:
        """A square of the strip, (side, side) uint8; white where it reaches beyond the strip.

        Arguments:
            line, element: of its first corner; may lie outside.
        """
        top, bottom = max(line, self.start), min(line + side, self.stop)
        left, right = max(element, 0), min(element + side, self._width)
        pixels = self._grey[top - self._first : bottom - self._first, left:right]
        if pixels.shape == (side, side):
            return pixels.copy()
        tile = np.full((side, side), WHITE, np.uint8)
        tile[top - line : bottom - line, left - element : right - element] = pixels
        return tile

    def shows(self, start: int, stop: int) -> bool:
        """Whether lines, from one to another, the end exclusive, show anything but air in any place.

        What is found is kept for `products`, block by block, so that a row finds all that made it a row.
        """
        shown = False
        for first in range(start, stop, BLOCK):
            found = self._shown(first, min(first + BLOCK, stop))
            self._judged.append((first, min(first + BLOCK, stop), found))
            shown |= bool(found.any())
        return shown

    def products(self, start: int, stop: int, gap: int) -> list[tuple[int, int]]:
        """The elements in which lines show something, in stretches from and to, the end exclusive.

        Arguments:
            start, stop: of the lines, the end exclusive; `shows` must have looked at them.
            gap: elements of air between two stretches, at least; with less, they are one.
        """
        shown = np.zeros(len(self._edges), bool)
        for first, last, found in self._judged:
            if first < stop and start < last:
                shown |= found
        stretches: list[tuple[int, int]] = []
        for block in np.flatnonzero(shown).tolist():
            left, right = self._span(block)
            if stretches and left - stretches[-1][1] < gap:
                stretches[-1] = stretches[-1][0], right
            else:
                stretches.append((left, right))
        return stretches

    def _span(self, block: int) -> tuple[int, int]:
        left = int(self._edges[block])
        return left, left + int(self._sizes[block])

    def _shown(self, start: int, stop: int) -> np.ndarray:
        """Which of the blocks side by side show something in lines of one block at most."""
        # Fewer lines than a block are too noisy alone.
        start = max(min(start, stop - BLOCK), self.start)
        return np.add.reduce(self._means[start - self._first : stop - self._first]) > AIR * (stop - start)

    def arrived(self, line: int) -> float:
        """When a line that is kept arrived, in seconds."""
        return float(self._arrived[line - self._first])
