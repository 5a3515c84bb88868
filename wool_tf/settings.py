"""Settings, each declared once, at its field of a dataclass: default, allowed values, meaning, and what it binds.

Checks, flags of the scripts, what a run's folder is bound to, and docs/settings.md come from these declarations.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

from wool_tf.errors import BadSetting, as_text

Binds = Literal["always", "choice", "hard", "asfp", "pruning"]
_BINDS = {
    "always": "every result",
    "hard": "hard pruning",
    "asfp": "ASFP",
    "pruning": "pruning of either kind",
    "choice": "nothing: it chooses what is trained",
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is declared of a setting besides its type and default.

    Attributes:
        help: its meaning, in sentences.
        at_least, above, at_most, below: bounds of a number, or of each number of a tuple; None: no bound. An infinite
            `below` allows every finite number.
        choices: all values that are allowed, or that the items of a tuple may have; empty: any.
        binds: which results in a run's folder depend on it, so that the folder cannot go on with another value: those
            that are there `always`, or only those of `hard` pruning, of `asfp`, or of `pruning` of either kind. A
            `choice` says which results there are, and may change.
    """

    help: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: tuple = ()
    binds: Binds = "always"

    @property
    def allowed(self) -> str:
        """The allowed values in words: `above 0 and below 10`, `one of adam, sgd`; empty where all are."""
        if self.choices:
            return f"one of {', '.join(map(as_text, self.choices))}"
        bounds = {"at least": self.at_least, "above": self.above, "at most": self.at_most, "below": self.below}
        told = [f"{name} {as_text(bound)}" for name, bound in bounds.items() if bound not in (None, math.inf)]
        return " and ".join([*told, "finite"] if self.below == math.inf else told)

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


def setting(
    default: object,
    help: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: Sequence = (),
    binds: Binds = "always",
) -> Any:
    """A field of a dataclass with its declaration; the arguments are those of `Setting`."""
    declaration = Setting(help, at_least, above, at_most, below, tuple(choices), binds)
    return dataclasses.field(default=default, metadata={Setting: declaration})


def declared(config: type) -> dict[str, Setting]:
    """The declarations of a dataclass by field, in order; fields without one are left out."""
    return {each.name: each.metadata[Setting] for each in dataclasses.fields(config) if Setting in each.metadata}


def binding(config: type, *kinds: Binds) -> tuple[str, ...]:
    """Names of the settings that bind results of these kinds."""
    return tuple(name for name, each in declared(config).items() if each.binds in kinds)


def check(config: object) -> None:
    """Checks every setting of an instance by itself.

    Raises:
        BadSetting: a value is not allowed.
    """
    for name, each in declared(type(config)).items():
        each.check(name, getattr(config, name))


def to_markdown(config: type, names: dict[str, str] | None = None) -> str:
    """The table of a dataclass's settings.

    Arguments:
        config: the dataclass.
        names: the flags whose names differ from those of their fields, by field.
    """
    declarations = declared(config)
    bound = {each.binds for each in declarations.values()} != {"always"}
    rows = [["setting", "default", "allowed", "meaning", *(["binds"] if bound else [])]]
    rows.append(["---"] * len(rows[0]))
    for name, each in declarations.items():
        default = as_text(getattr(config, name))
        flag = f"`--{(names or {}).get(name, name)}`"
        rows.append([flag, f"`{default}`" if default else "", each.allowed, each.help])
        rows[-1] += [_BINDS[each.binds]] if bound else []
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
