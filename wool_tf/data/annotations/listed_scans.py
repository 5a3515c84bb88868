"""Scans and boxes as a file of annotations lists them, before anything is checked."""

import dataclasses
import math
from collections.abc import Hashable, Sequence


@dataclasses.dataclass(frozen=True)
class ListedScan:
    """A scan.

    Attributes:
        where: says what to look for in the file.
        key: what its boxes refer to.
        path: in the folder, with forward slashes.
        name: of its file as a person gave it, where the tool changed it; a sample may stand in it.
        sample: as the file has it, of any type.
        dark, bright: paths of its references, or "".
        size: width and height as the file has them, of any type; None where it does not say.
    """

    where: str
    key: Hashable
    path: str
    name: str
    sample: object = None
    dark: str = ""
    bright: str = ""
    size: tuple[object, object] | None = None


@dataclasses.dataclass(frozen=True)
class ListedBox:
    """A box.

    Attributes:
        where: says what to look for in the file.
        scan: `key` of its scan.
        numbers: x, y, width and height as the file has them.
        defect: its type as the file has it.
        flaw: why it cannot be a box at all, or "".
    """

    where: str
    scan: Hashable
    numbers: object
    defect: object
    flaw: str = ""


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a file of annotations says, with remarks for a person, in lines."""

    scans: list[ListedScan]
    boxes: list[ListedBox]
    remarks: tuple[str, ...] = ()


def whole(value: object) -> object:
    """A number that is whole as int, be it a float or a text, as some tools write them; anything else as it is.

    >>> whole(3.0), whole("640"), whole("12.0"), whole("007"), whole(0.5), whole("a")
    (3, 640, 12, '007', 0.5, 'a')
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        digits = value.strip().removesuffix(".0")
        # Not of digits that a number would not show again, for these are names.
        if digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(digits)) == digits:
            return int(digits)
    return value


def hull(points: Sequence[Sequence[object]]) -> list[float]:
    """x, y, width and height of the smallest box around polygons.

    Arguments:
        points: x and y of the corners in turn, a list for each polygon.

    Raises:
        ValueError: these are no polygons of finite numbers.

    >>> hull([[1, 2, 5, 3, 4, 8], [0, 4, 2, 5]])
    [0.0, 2.0, 5.0, 6.0]
    """
    try:
        flat = [[float(value) for value in polygon] for polygon in points]  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        raise ValueError("no numbers") from None
    across = [value for polygon in flat for value in polygon[0::2]]
    along = [value for polygon in flat for value in polygon[1::2]]
    if not across or len(across) != len(along) or not all(map(math.isfinite, (*across, *along))):
        raise ValueError("no polygons")
    x, y = min(across), min(along)
    return [x, y, max(across) - x, max(along) - y]
