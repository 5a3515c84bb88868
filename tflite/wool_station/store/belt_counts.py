"""Counts of the belt by the events of an inspection: how much was seen, and which product a tile belongs to."""

from wool_station.events import Air, RejectEvent, StretchEvent, TileEvent, Unseen
from wool_station.store.batch import CLASSES, Batch, Minute


class BeltCounts:
    """Counts what was seen and what was not, and numbers the products.

    A product goes from air to air. Where nobody knows whether there was air, after a restart or where events were left
    out, it goes on: two products of one number do no harm, one product of two numbers would be in two groups.

    Attributes:
        product: number of the product that passes, or passed last.
    """

    def __init__(self) -> None:
        self.product, self._goes_on = 1, True
        self._inspection, self._heard_mm = 0, 0.0

    def begin(self, inspection: int, first_mm: float) -> None:
        """An inspection begins, or goes on; `first_mm` is how far its events were heard, before which none is."""
        if inspection != self._inspection:
            self._inspection, self._heard_mm = inspection, first_mm

    def follow(self, product: int, batch: Batch) -> None:
        """The product that was taken for the first one is the last one of the store, with this number.

        Arguments:
            product: the highest number in the store.
            batch: what was numbered meanwhile.
        """
        self.product += product - 1
        batch.products = {(number + product - 1, of): span for (number, of), span in batch.products.items()}
        for tile in batch.tiles.values():
            tile.product += product - 1

    def tile(self, event: TileEvent, batch: Batch) -> None:
        """A tile was looked at; `product` is then its product."""
        if not self._goes_on:
            self.product += 1
            self._goes_on = True
        start, stop = event.along_mm
        key = self.product, self._inspection
        first, last = batch.products.get(key, (start, stop))
        batch.products[key] = min(first, start), max(last, stop)
        minute = self._minute(event, batch)
        minute.tiles += 1
        minute.defective += event.defective
        minute.scores[min(int(event.score * CLASSES), CLASSES - 1)] += 1
        minute.seen_mm += self._newly(event, batch)

    def air(self, event: Air, batch: Batch) -> None:
        """There was nothing to look at."""
        self._goes_on = False
        self._minute(event, batch).air_mm += self._newly(event, batch)

    def unseen(self, event: Unseen, batch: Batch) -> None:
        """Nobody looked at this."""
        self._minute(event, batch).unseen_mm += self._newly(event, batch)

    def reject(self, event: RejectEvent, batch: Batch) -> None:
        """Something is to be thrown out."""
        self._minute(event, batch).rejects += event.last

    def _minute(self, event: TileEvent | StretchEvent | RejectEvent, batch: Batch) -> Minute:
        return batch.minute(event.time, self._inspection)

    def _newly(self, event: TileEvent | StretchEvent, batch: Batch) -> float:
        """Millimetres of the belt that no event before was about; rows overlap.

        Each line is in a tile, an air or an unseen, so where one is missing nothing was heard of the belt.
        """
        start, stop = event.along_mm
        if start > self._heard_mm:
            self._minute(event, batch).untold_mm += round(start - self._heard_mm, 1)
        new = max(0.0, stop - max(start, self._heard_mm))
        self._heard_mm = batch.heard_mm[self._inspection] = max(self._heard_mm, stop)
        return round(new, 1)
