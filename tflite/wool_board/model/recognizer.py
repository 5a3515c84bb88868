"""A board model: its network, and the card that says how its scores are to be taken."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from wool_board.errors import BadFile, WoolError
from wool_board.model import card_file
from wool_board.model.network import TfliteNetwork


class Recognition(NamedTuple):
    """What a model says of a crop.

    Attributes:
        score: probability that the crop is defective.
        defective: whether the score reaches the threshold.
        heatmap: (rows, columns) of float32, what each cell adds to the margin between both classes: above 0 it speaks
            for a defect. The score is the logistic function of the mean. None of a model without a heatmap.
    """

    score: float
    defective: bool
    heatmap: np.ndarray | None


class Recognizer:
    """A board model, ready to look at crops.

    Arguments:
        path: of a TFLite file with a card.
        threads: CPU threads, at least 1.

    Attributes:
        card: what the file says of itself.
        side: height and width of a crop in pixels.
        white: the highest value of samples in 16-bit images, or None, see `decoding.read`.
        margin: width of the border of a crop, in pixels, that the network does not see.
        threshold: score from which on a crop is defective.
        heatmap_shape: rows and columns of the heatmap, or None of a model without one.

    Raises:
        WoolError: the file is no board model, is damaged, or does not run here.
    """

    def __init__(self, path: Path, threads: int = 1):
        self.card = card_file.read(path)
        self.side, self.margin, self.white = self.card.input.side, float(self.card.input.margin), self.card.input.white
        self.threshold = float(self.card.decision.threshold)
        try:
            self._network = TfliteNetwork(path, threads)
        except BadFile as bad:
            raise WoolError(f"{path}: {bad}") from None
        if self._network.input_shapes != [(1, self.side, self.side, 1)] or self._network.logits_shape != (1, 2):
            raise WoolError(f"{path}: its network does not fit its card; {card_file.ADVICE}")
        self.heatmap_shape = self._network.heatmap_shape

    def recognize(self, pixels: np.ndarray) -> Recognition:
        """Looks at a crop.

        Arguments:
            pixels: (side, side) of uint8, 255 where there is nothing but air.
        """
        if pixels.shape != (self.side, self.side) or pixels.dtype != np.uint8:
            expected = f"({self.side}, {self.side}) of uint8"
            raise ValueError(f"pixels: must be {expected}, got {pixels.shape} of {pixels.dtype}")
        score = self._network.run(pixels)
        return Recognition(score, score >= self.threshold, self._network.heatmap())
