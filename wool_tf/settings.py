"""Settings of the training side: declared as those of a board (`wool_board.settings`), with what they bind besides.

What a run's folder is bound to, and docs/settings.md, come from these declarations.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from wool_board.settings import Setting, check, declared, same, table, types_of

__all__ = [
    "BindingSetting", "Binds", "Setting", "binding", "check", "declared", "same", "setting", "to_markdown", "types_of"
]  # fmt: skip

Binds = Literal["always", "choice", "hard", "asfp", "pruning"]
_BINDS = {
    "always": "every result",
    "hard": "hard pruning",
    "asfp": "ASFP",
    "pruning": "pruning of either kind",
    "choice": "nothing: it chooses what is trained",
}


@dataclasses.dataclass(frozen=True)
class BindingSetting(Setting):
    """A setting of which results depend.

    Attributes:
        binds: which results in a run's folder depend on it, so that the folder cannot go on with another value: those
            that are there `always`, or only those of `hard` pruning, of `asfp`, or of `pruning` of either kind. A
            `choice` says which results there are, and may change.
    """

    binds: Binds = "always"


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
    """A field of a dataclass with its declaration; the arguments are those of `BindingSetting`."""
    return BindingSetting(help, at_least, above, at_most, below, tuple(choices), binds).field(default)


def binding(config: type, *kinds: Binds) -> tuple[str, ...]:
    """Names of the settings that bind results of these kinds."""
    return tuple(name for name, each in declared(config).items() if each.binds in kinds)


def to_markdown(config: type, names: Mapping[str, str] | None = None) -> str:
    """The table of a dataclass's settings.

    Arguments:
        config: the dataclass.
        names: the flags whose names differ from those of their fields, by field.
    """
    bound = {each.binds for each in declared(config).values()} != {"always"}
    columns = {"binds": lambda each: _BINDS[each.binds]} if bound else {}
    return table(config, lambda field: f"--{(names or {}).get(field, field)}", columns)
