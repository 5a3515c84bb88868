"""What the card of a board model says: what the file is, what it reads and from which score on a crop is defective.

Whoever writes or reads a card goes by this declaration; `card_file` knows where it lies.
"""

import dataclasses
import math
import re
import sys
from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar

from wool_board.image.variants import BITS, WHITE

FORMAT = 1
MAX_SIDE = 4096
"""Pixels: some hundred times what a network that fits on a board can look at."""

MIN_PIXEL_MM, MAX_PIXEL_MM = 0.001, 100.0
"""Of what is scanned on a belt; no detector has smaller elements."""

MAX_THRESHOLD = math.nextafter(1, 2)
"""One above all scores."""

SCORE_QUANTILES = 101
"""Quantiles of the scores of a class that a card has."""

T = TypeVar("T")


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number; JSON's `true` is none, though Python takes it for one."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    # JSON has whole numbers that no float can hold.
    return abs(value) <= sys.float_info.max


def is_whole(value: object, least: int) -> bool:
    """Whether it is a whole number, and at least another one."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_window(window: object) -> bool:
    """Whether it is LOW, HIGH; a model for crops that nobody knows the window of has none."""
    if window is None:
        return True
    return isinstance(window, list) and len(window) == 2 and all(map(is_number, window)) and window[0] < window[1]


def is_length(millimetres: object) -> bool:
    """Whether it may be the distance of pixels, where that is known."""
    return millimetres is None or (is_number(millimetres) and MIN_PIXEL_MM <= millimetres <= MAX_PIXEL_MM)


def is_within(value: object, allowed: range) -> bool:
    """Whether it is one of these whole numbers, where it is known."""
    return value is None or value in allowed and not isinstance(value, bool | float)


def _field(holds: Callable[[Any], bool], default: object = dataclasses.MISSING) -> Any:
    """A field of a card, and what must hold of its value in JSON; one with a default need not be there."""
    return dataclasses.field(default=default, metadata={"holds": holds})


def _part(kind: type) -> Any:
    """A field of a card that is an object."""
    return dataclasses.field(metadata={"kind": kind})


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_count(value: object) -> bool:
    return is_whole(value, 0) and is_number(value)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value))


def _is_threshold(value: object) -> bool:
    return is_number(value) and 0 <= value <= MAX_THRESHOLD


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardDecision:
    """When a crop is called defective.

    Attributes:
        threshold: its probability of "defective" is at least this.
        rule: in words, how the threshold was chosen.
        float_threshold: what the same rule gives for the network that the file was made of; older cards have none.
    """

    threshold: float = _field(_is_threshold)
    rule: str = _field(_is_text)
    float_threshold: float | None = _field(lambda value: value is None or _is_threshold(value), None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardInput:
    """What the file reads.

    Attributes:
        side: height and width of a crop in pixels.
        margin: width of the border of a crop, in pixels, that the network does not see; something is left.
        pixels: in words, what they mean.
        window: attenuation (low, high) that is shown as 255 and 0; None where it is not known, as are the others.
        pixel_mm: distance of pixels in mm.
        white: the highest value of the samples of 16-bit images. Older cards have `bits` instead, the number of bits
            that the samples use, or neither.
    """

    side: int = _field(lambda value: is_whole(value, 1) and value <= MAX_SIDE)
    margin: float = _field(lambda value: is_number(value) and value >= 0)
    pixels: str = _field(_is_text)
    window: tuple[float, float] | None = _field(is_window, None)
    pixel_mm: float | None = _field(is_length, None)
    white: int | None = _field(lambda value: is_within(value, WHITE), None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardNetwork:
    """The network that the file was made of.

    Attributes:
        spec: config of its ResNetSpec.
        params, macs: parameters, and multiply-accumulates for one image.
        weights_sha256: of its weights.
    """

    spec: dict = _field(lambda value: _is_object(value) and is_whole(value.get("depth"), 1))
    params: int = _field(_is_count)
    macs: int = _field(_is_count)
    weights_sha256: str = _field(_is_digest)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardTraining:
    """What the network was trained on.

    Attributes:
        fingerprint: SHA-256 of the dataset of native crops, with those that the network was not trained on.
        images: number of those that it was trained on.
    """

    fingerprint: str = _field(_is_text)
    images: int = _field(_is_count)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CardModel:
    """The TFLite file before the card: size and SHA-256."""

    bytes: int = _field(lambda value: is_whole(value, 1))
    sha256: str = _field(_is_digest)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What a board model says of itself.

    Attributes:
        format: `FORMAT`.
        precision: of the file, `int8`.
        labels: names of the classes, the defective one last.
        decision, input, network, training, model: see there.
        heatmap: rows and columns of the second output, or None.
        metrics: what is achieved on images that no network judging them was trained on, for people, and `of`, in words,
            which those are; None where there are none. Programs go by `confusion` and `held_out`.
        environment: software and machine that made the file, by name.
    """

    format: int = _field(lambda value: value == FORMAT)
    precision: str = _field(_is_text)
    labels: tuple[str, str] = _field(lambda value: isinstance(value, list) and list(map(type, value)) == [str, str])
    decision: CardDecision = _part(CardDecision)
    input: CardInput = _part(CardInput)
    heatmap: tuple[int, int] | None = _field(
        lambda value: value is None or isinstance(value, list) and len(value) == 2 and all(map(_is_count, value)), None
    )
    network: CardNetwork = _part(CardNetwork)
    training: CardTraining = _part(CardTraining)
    metrics: dict | None = _field(lambda value: value is None or _is_object(value), None)
    environment: dict = _field(_is_object)
    model: CardModel = _part(CardModel)

    @property
    def confusion(self) -> list[list[int]] | None:
        """How many images of the metrics were ((passed, false alarms), (missed, found)).

        None where the card has no such figures, or where they are not what they should be.
        """
        counts: Any = (self.metrics or {}).get("confusion")
        try:
            (passed, alarms), (missed, found) = counts
        except (TypeError, ValueError):
            return None
        return counts if all(is_whole(count, 0) for count in (passed, alarms, missed, found)) else None

    @property
    def held_out(self) -> dict | None:
        """What is to be expected by the metrics.

        Returns:
            `confusion`; `score_quantiles`: of images without a defect, `SCORE_QUANTILES` numbers that do not fall, or
            None of an older card. None where the card has no figures, or where they are not what they should be.
        """
        counts = self.confusion
        if not self.metrics or not counts or not all(map(sum, counts)):
            return None
        tables = self.metrics.get("score_quantiles")
        quantiles = tables.get(self.labels[0]) if isinstance(tables, dict) else None
        return {"confusion": counts, "score_quantiles": quantiles if _are_quantiles(quantiles) else None}


def _are_quantiles(values: object) -> bool:
    if not isinstance(values, list) or len(values) != SCORE_QUANTILES or not all(map(is_number, values)):
        return False
    return (
        0 <= values[0] and values[-1] <= 1 and all(one <= more for one, more in zip(values, values[1:], strict=False))
    )


def typed(stated: dict) -> Card:
    """A card of its JSON.

    Raises:
        ValueError: says the first of the fields that is not as it must be, or that no card of this format has.
    """
    image = stated.get("input")
    if isinstance(image, dict) and "bits" in image:
        image, bits = dict(image), image["bits"]
        if not is_within(bits, BITS):
            raise ValueError("input.bits")
        del image["bits"]
        image["white"] = image.get("white") or (2**bits - 1 if bits else None)
        stated = stated | {"input": image}
    card = _built(Card, stated)
    if 2 * math.ceil(card.input.margin) >= card.input.side:
        raise ValueError("input.margin")
    return card


def _built(kind: type[T], stated: object, prefix: str = "") -> T:
    """A card, or a part of one, of its JSON; `prefix` is what names of its fields begin with."""
    given = stated if isinstance(stated, dict) else {}
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in given:
        if name not in fields:
            raise ValueError(f"{prefix + name[:40]!r} is unknown: mistyped, or of newer programs")
    values: dict[str, object] = {}
    for name, field in fields.items():
        value, part = given.get(name), field.metadata.get("kind")
        if part:
            values[name] = _built(part, value, f"{prefix}{name}.")
        elif name in given and field.metadata["holds"](value):
            values[name] = tuple(value) if isinstance(value, list) else value
        elif name in given or field.default is dataclasses.MISSING:
            raise ValueError(f"{prefix}{name}")
    return kind(**values)
