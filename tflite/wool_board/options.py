"""Settings that are options of a program: declared as others (`wool_board.settings`), with how they are written.

`command_line.Parser` makes options of them, and docs/board_settings.md shows them.
"""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wool_board.settings import Setting, declared, table

NEEDED: Any = dataclasses.MISSING
"""In place of a default: the option must be given."""


@dataclasses.dataclass(frozen=True)
class Option(Setting):
    """A setting that is given on a command line.

    Attributes:
        form: how a value is written, such as `FROM,TO`; of a positional argument its name.
        read: makes a value of its text, or raises ArgumentTypeError; None: by the type of the field.
        name: of the option, where it is called otherwise than its field.
        positional: whether it is given by its place, without a name.
        repeated: whether it may be given several times; the field is a tuple of all values.
    """

    form: str = ""
    read: Callable[[str], Any] | None = None
    name: str = ""
    positional: bool = False
    repeated: bool = False


def option(
    default: object,
    help: str,
    *,
    choices: tuple = (),
    form: str = "",
    read: Callable[[str], Any] | None = None,
    name: str = "",
    positional: bool = False,
    repeated: bool = False,
    **bounds: float,
) -> Any:
    """A field of a dataclass with its declaration; the arguments are those of `Option`, bounds of `Setting`."""
    found = Option(
        help, choices=choices, form=form, read=read, name=name, positional=positional, repeated=repeated, **bounds
    )
    return found.field(default)


def called(*configs: type) -> Callable[[str], str]:
    """What the user of programs calls a field of their options: by its flag, and any other by its own name."""
    options = {field: each for config in configs for field, each in declared(config).items()}
    flags = {field: f"--{each.name or field}" for field, each in options.items() if not each.positional}
    return lambda field: flags.get(field, field)


def to_markdown(config: type) -> str:
    """The table of a program's options."""
    declarations, name = declared(config), called(config)

    def written(field: str) -> str:
        each = declarations[field]
        form = each.form.replace("|", "\\|")
        return form if each.positional else f"{name(field)}={form}" if form else name(field)

    return table(config, written, {})


def path(text: str) -> Path:
    """The path that an argument names: an empty one would be the folder that the program was started in."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a path")
    return Path(text)


def numbers(rule: str, kind: type, count: int | None = None) -> Callable[[str], tuple]:
    """Makes numbers of a text with commas between them.

    Arguments:
        rule: what the text must be, for whoever gives another one.
        kind: of the numbers.
        count: of them; None: any.
    """

    def read(text: str) -> tuple:
        try:
            found = tuple(map(kind, text.split(",")))
        except ValueError:
            found = ()
        if not found or count not in (None, len(found)):
            raise argparse.ArgumentTypeError(f"must be {rule}, got {text!r}")
        return found

    return read


def address(port: int) -> Callable[[str], tuple[str, int]]:
    """Makes host and port of `HOST` or `HOST:PORT`.

    Arguments:
        port: where none is given.
    """

    def read(text: str) -> tuple[str, int]:
        host, _, given = text.rpartition(":") if ":" in text else (text, "", "")
        if not host or (given and not (given.isdecimal() and 0 < int(given) < 65536)):
            raise argparse.ArgumentTypeError(f"must be HOST or HOST:PORT, got {text!r}")
        return host.strip("[]"), int(given or port)

    return read
