"""A tile as the station knows it, before it is in the store and after."""

import dataclasses


@dataclasses.dataclass(kw_only=True)
class Tile:
    """A tile.

    Attributes:
        time: when it was looked at, in seconds since 1970.
        inspection, product: numbers.
        start_mm, stop_mm, left_mm, right_mm: where it is, along and across.
        score, defective: what the network said.
        grid: rows and columns of the heatmap, or None.
        heatmap: their uint8, or None.
    """

    time: float
    inspection: int
    product: int
    start_mm: float
    stop_mm: float
    left_mm: float
    right_mm: float
    score: float
    defective: bool
    grid: tuple[int, int] | None = None
    heatmap: bytes | None = None


@dataclasses.dataclass(kw_only=True)
class HeardTile(Tile):
    """A tile to be kept; `png` is its picture, or None."""

    png: bytes | None = None

    @property
    def key(self) -> tuple[int, float, float]:
        """What no other tile has."""
        return self.inspection, self.start_mm, self.left_mm


@dataclasses.dataclass(kw_only=True)
class StoredTile(Tile):
    """A tile of the store; `id` is its number, and its picture may have been removed, or never kept."""

    id: int
    has_picture: bool
