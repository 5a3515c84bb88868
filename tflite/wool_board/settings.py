"""Settings, each declared once, at its field of a dataclass: default, allowed values and meaning.

Checks, flags with their help, and the tables in the documentation come from these declarations.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from wool_board.errors import BadSetting, as_text


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is declared of a setting besides its type and default.

    Attributes:
        help: its meaning, in sentences.
        at_least, above, at_most, below: bounds of a number, or of each number of a tuple; None: no bound. An infinite
            `below` allows every finite number.
        choices: all values that are allowed, or that the items of a tuple may have; empty: any.
    """

    help: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: tuple = ()

    @property
    def allowed(self) -> str:
        """The allowed values in words: `above 0 and below 10`, `one of adam, sgd`; empty where all are."""
        if self.choices:
            return f"one of {', '.join(map(as_text, self.choices))}"
        bounds = {"at least": self.at_least, "above": self.above, "at most": self.at_most, "below": self.below}
        told = [f"{name} {as_text(bound)}" for name, bound in bounds.items() if bound not in (None, math.inf)]
        return " and ".join([*told, "finite"] if self.below == math.inf else told)

    @property
    def explained(self) -> str:
        """The meaning and the allowed values, for the help of a program."""
        return f"{self.help} Allowed: {self.allowed}." if self.allowed else self.help

    def field(self, default: object) -> Any:
        """A field of a dataclass that has this declaration; without a default if that is `dataclasses.MISSING`."""
        return dataclasses.field(default=default, metadata={Setting: self})

    def check(self, name: str, value: object) -> None:
        """Raises BadSetting unless a value, or every item of a tuple, is allowed; None means that nothing is given."""
        items = value if isinstance(value, tuple) else () if value is None else (value,)
        if not all(map(self._allows, items)):
            each = "each " if isinstance(value, tuple) else ""
            raise BadSetting(name, value, f"{each}must be {self.allowed}")

    def _allows(self, item: Any) -> bool:
        # Written so that NaN, which compares as False, is refused.
        return (
            (not self.choices or item in self.choices)
            and (self.at_least is None or item >= self.at_least)
            and (self.above is None or item > self.above)
            and (self.at_most is None or item <= self.at_most)
            and (self.below is None or item < self.below)
        )


def declared(config: type) -> dict[str, Any]:
    """The declarations of a dataclass by field, in order; fields without one are left out."""
    return {each.name: each.metadata[Setting] for each in dataclasses.fields(config) if Setting in each.metadata}


def same(config: type, name: str, **changes: object) -> Any:
    """A field with the default and declaration of another dataclass's field, but for changes of the declaration."""
    return dataclasses.replace(declared(config)[name], **changes).field(getattr(config, name))


def types_of(config: type) -> dict[str, Any]:
    """Types of a dataclass's fields where they are given: `int` for `int | None`."""
    return {name: _given(kind) for name, kind in typing.get_type_hints(config).items()}


def _given(kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        (kind,) = (each for each in typing.get_args(kind) if each is not types.NoneType)
    return kind


def check(config: object) -> None:
    """Checks every setting of an instance by itself.

    Raises:
        BadSetting: a value is not allowed.
    """
    for name, each in declared(type(config)).items():
        each.check(name, getattr(config, name))


def table(config: type, written: Callable[[str], str], more: Mapping[str, Callable[[Any], str]]) -> str:
    """The table of a dataclass's settings, in Markdown.

    Arguments:
        config: the dataclass.
        written: how a field is written by a user.
        more: further columns, each with what it says of a declaration.
    """
    rows = [["setting", "default", "allowed", "meaning", *more], ["---"] * (4 + len(more))]
    defaults = {each.name: each.default for each in dataclasses.fields(config)}
    for name, each in declared(config).items():
        needed = defaults[name] is dataclasses.MISSING
        # Of a flag the default is that it is not given.
        default = "" if needed or defaults[name] is False else as_text(defaults[name])
        shown = "needed" if needed else f"`{default}`" if default else ""
        rows.append([f"`{written(name)}`", shown, each.allowed, each.help, *(column(each) for column in more.values())])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
