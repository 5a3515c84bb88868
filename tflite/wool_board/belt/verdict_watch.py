"""Whether the network calls more of the product defective than is believable: nothing else may look wrong.

The card has figures of crops that the network was not trained on, among which defects are far more frequent than in a
product. Where a greater share of the tiles is called defective than of those, window, references, threshold or model do
not belong to this belt, or the product is ruined.
"""

import collections

from wool_board.belt.events import Alarms
from wool_board.model.card import Card

TILES = 256
"""Tiles that are judged together."""

UNKNOWN_SHARE = 0.5
"""Share that is believable where the card has no figures: crops for training are half and half."""

OVER = 0.8
"""Part of the believable share below which the alarm ends."""


class VerdictWatch:
    """Counts what the network calls defective.

    Arguments:
        card: of the model.
        alarms: are switched on and off.
    """

    def __init__(self, card: Card, alarms: Alarms):
        self.most = believable_share(card)
        self._alarms = alarms
        self._last: collections.deque[bool] = collections.deque(maxlen=TILES)
        self._defective = 0

    def add(self, defective: bool) -> None:
        """The network has judged a tile."""
        if len(self._last) == TILES:
            self._defective -= self._last[0]
        self._last.append(defective)
        self._defective += defective
        if len(self._last) < TILES:
            return
        share = self._defective / TILES
        limit = self.most * OVER if self._alarms.is_standing("many_defects") else self.most
        text = "more tiles are called defective than the card's figures make believable: are model and window right?"
        self._alarms.set("many_defects", share > limit, text, share=round(share, 3), believable=round(self.most, 3))


def believable_share(card: Card) -> float:
    """Share of the crops behind the figures of a card that were called defective."""
    counts = card.confusion
    if not counts or not any(map(any, counts)):
        return UNKNOWN_SHARE
    (passed, alarms), (missed, found) = counts
    return (alarms + found) / (passed + alarms + missed + found)
