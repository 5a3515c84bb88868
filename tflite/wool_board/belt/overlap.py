"""How far the overlap of tiles is thinned, so that the board keeps up with the belt.

The backlog, lines that have arrived and not been looked at, decides: the fuller its limit, the thinner the overlap. The
overlap grows back by a level when the work, scaled to that level, would have left room for a while.
"""

from wool_board.belt.tiles import Level, Tiling

HOLD = 2.0
"""Seconds for which there must have been room before the overlap grows."""

ROOM = 0.85
"""Share of the time that the work at the next finer level may take."""


class OverlapControl:
    """The level of the overlap.

    Arguments:
        tiling: its levels are chosen from.
        limit: lines of backlog from which on rows have to be left out.

    Attributes:
        index: of the level at present.
    """

    def __init__(self, tiling: Tiling, limit: int):
        self.index = 0
        self._levels, self._loads, self._limit = tiling.levels, list(map(tiling.load, tiling.levels)), limit
        self._since: float | None = None
        self._busy = 0.0

    @property
    def level(self) -> Level:
        return self._levels[self.index]

    def adapt(self, backlog: int, now: float) -> bool:
        """Chooses the level before a row; returns whether it is another one.

        Arguments:
            backlog: lines that have arrived behind the row.
            now: time in seconds.
        """
        least = min(len(self._levels) * backlog // self._limit, len(self._levels) - 1)
        if least > self.index:
            return self._change(least, now)
        if self._since is None:
            self._since = now
        if self.index and now - self._since >= HOLD:
            finer = self._loads[self.index - 1] / self._loads[self.index]
            if least < self.index and self._busy * finer < ROOM * (now - self._since):
                return self._change(self.index - 1, now)
            self._since, self._busy = now, 0.0
        return False

    def worked(self, seconds: float) -> None:
        """Adds the time that a row took."""
        self._busy += seconds

    def _change(self, index: int, now: float) -> bool:
        self.index, self._since, self._busy = index, now, 0.0
        return True
