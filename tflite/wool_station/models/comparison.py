"""Two models on the same pictures: what each finds, and where they differ."""

import base64
import collections
import dataclasses
import io
from collections.abc import Iterable, Mapping

import numpy as np
from PIL import Image

from wool_board.errors import WoolError
from wool_board.mcnemar import p_value
from wool_board.model.recognizer import Recognizer
from wool_station.events import Start
from wool_station.models.samples import CORRECTED, PASSED, REJECTED, Sample

SHOWN = 60
"""Pictures of each kind that are shown, those that the models disagree on the most."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A picture that the models judge differently, in base64, with their scores and whether each calls it defective."""

    sample: Sample
    png: str
    scores: tuple[float, float]
    called: tuple[bool, bool]


@dataclasses.dataclass
class Group:
    """Pictures of one kind, and of one truth.

    Attributes:
        kind, truth: of its samples.
        images: how many there are.
        called: how many each model calls defective.
        only: how many the first model alone calls defective, and the second alone.
        products: of each product, by how many pictures the second model calls more of it defective.
        differences: the pictures that they judge differently.
    """

    kind: str
    truth: bool | None
    images: int = 0
    called: tuple[int, int] = (0, 0)
    only: tuple[int, int] = (0, 0)
    products: collections.Counter[int | None] = dataclasses.field(default_factory=collections.Counter)
    differences: list[Difference] = dataclasses.field(default_factory=list)

    def add(self, sample: Sample, scores: tuple[float, float], called: tuple[bool, bool]) -> None:
        self.images += 1
        first, second = called
        self.called = self.called[0] + first, self.called[1] + second
        if first != second:
            self.only = self.only[0] + first, self.only[1] + second
            self.products[sample.product] += second - first
            png = base64.b64encode(sample.png).decode()
            self.differences.append(Difference(sample, png, scores, called))
            self.differences.sort(key=lambda each: -abs(each.scores[1] - each.scores[0]))
            del self.differences[SHOWN:]


@dataclasses.dataclass(frozen=True)
class McNemarTest:
    """Whether two models differ: how many judgements changed to each side, and how likely by chance.

    Attributes:
        changed: to one side, and to the other.
        p: McNemar's, over pictures.
        products: how many products changed to each side, on balance.
        p_products: McNemar's over products. Pictures of a product resemble each other, and tiles overlap, which the
            test over pictures does not know: where they disagree, this one is right.
    """

    changed: tuple[int, int]
    p: float
    products: tuple[int, int]
    p_products: float


class ModelComparison:
    """The judgements of two models.

    Arguments:
        models: both, which must read crops of one kind.
        starts: the start events of inspections, by number.

    Attributes:
        groups: by kind and truth.
        left_out: pictures of crops of another kind than the models read.
        damaged: pictures that the disk has damaged.

    Raises:
        WoolError: the models read crops of different kinds.
    """

    def __init__(self, models: tuple[Recognizer, Recognizer], starts: Mapping[int, Start]):
        self._models, self._starts = models, starts
        kinds = [(model.side, model.card.input.window) for model in models]
        if kinds[0] != kinds[1]:
            text = " and ".join(f"{side} pixels, window {window}" for side, window in kinds)
            raise WoolError(f"the models read different crops ({text}): no picture can be judged by both")
        self._side, self._window = kinds[0]
        self.left_out = self.damaged = 0
        orders: tuple[tuple[str, bool | None], ...] = (
            (CORRECTED, True),
            (CORRECTED, False),
            (REJECTED, None),
            (PASSED, None),
        )
        self.groups = {order: Group(*order) for order in orders}

    def add(self, samples: Iterable[Sample]) -> None:
        """Has pictures judged by both models."""
        for sample in samples:
            try:
                pixels = self._pixels(sample)
            except (OSError, SyntaxError, ValueError):  # All that Pillow says of a damaged PNG.
                self.damaged += 1
                continue
            if pixels is None:
                self.left_out += 1
                continue
            first, second = (model.recognize(pixels) for model in self._models)
            called = first.defective, second.defective
            self.groups[sample.kind, sample.truth].add(sample, (first.score, second.score), called)

    def _pixels(self, sample: Sample) -> np.ndarray | None:
        start = self._starts.get(sample.inspection)
        if start is None or start.side != self._side:
            return None
        if self._window is not None and start.window != tuple(self._window):
            return None
        pixels = np.asarray(Image.open(io.BytesIO(sample.png)))
        return pixels if pixels.shape == (self._side, self._side) and pixels.dtype == np.uint8 else None

    @property
    def images(self) -> int:
        return sum(group.images for group in self.groups.values())

    def corrected(self) -> McNemarTest:
        """Whether one model is right more often than the other, where operators said what is true."""
        bad, good = self.groups[CORRECTED, True], self.groups[CORRECTED, False]
        # Of wool without a defect, a model that calls it defective is wrong.
        changed = bad.only[0] + good.only[1], bad.only[1] + good.only[0]
        balance = bad.products.copy()
        balance.subtract(good.products)
        return _test(changed, balance)

    def uncorrected(self) -> McNemarTest:
        """Whether one model calls more defective than the other, where nobody said what is true."""
        groups = self.groups[REJECTED, None], self.groups[PASSED, None]
        changed = sum(group.only[0] for group in groups), sum(group.only[1] for group in groups)
        balance = groups[0].products.copy()
        balance.update(groups[1].products)
        return _test(changed, balance)


def _test(changed: tuple[int, int], balance: collections.Counter[int | None]) -> McNemarTest:
    products = sum(each < 0 for each in balance.values()), sum(each > 0 for each in balance.values())
    return McNemarTest(changed, p_value(*changed), products, p_value(*products))
