"""What the programs have in common: one line for a mistake, and the status at the end."""

import argparse
import contextlib
import dataclasses
import os
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from wool_board.errors import DISK_FAULTS, WoolError, as_text
from wool_board.exit_status import INTERRUPTED, MISTAKE, WRONG_USAGE
from wool_board.options import NEEDED, Option, called, path
from wool_board.settings import declared, types_of

T = TypeVar("T")
_READ: dict[Any, Callable[[str], Any]] = {int: int, float: float, str: str, Path: path}


class Parser(argparse.ArgumentParser):
    """Makes options of settings, and tells of wrong usage in one line.

    Of a help that cannot be printed it tells, too, which argparse passes over.
    """

    def add_options(self, config: type) -> None:
        """Adds an option for every declared setting of a dataclass, which has the defaults and checks the values."""
        kinds, defaults = types_of(config), {each.name: each.default for each in dataclasses.fields(config)}
        for field, each in declared(config).items():
            self._add_option(field, each, kinds[field], defaults[field])

    def _add_option(self, field: str, declaration: Option, kind: Any, default: object) -> None:
        how: dict[str, Any] = {"help": _help(declaration, default)}
        if not declaration.positional:
            how |= {"dest": field, "default": argparse.SUPPRESS, "required": default is NEEDED}
        if kind is bool:
            how["action"] = "store_true"
        else:
            item = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind
            how["type"] = declaration.read or _READ[item]
            how["metavar"] = declaration.form or None
        if declaration.repeated and declaration.positional:
            how["nargs"] = "+" if default is NEEDED else "*"
        elif declaration.repeated:
            how["action"] = "append"
        elif declaration.positional and default is not NEEDED:
            how |= {"nargs": "?", "default": default}
        self.add_argument(field if declaration.positional else f"--{declaration.name or field}", **how)

    def options(self, config: type[T], given: argparse.Namespace) -> T:
        """The dataclass with what was given; leaves with one line, and its status, if a value breaks its rule."""
        values = {field: tuple(value) if isinstance(value, list) else value for field, value in vars(given).items()}
        try:
            return config(**values)
        except WoolError as error:
            say(f"{self.prog}: {error.told(called(config))}")
            sys.exit(error.status)

    def print_help(self, file: Any = None) -> None:
        try:
            print(self.format_help(), end="", file=file, flush=True)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                _tell_of_output(self.prog, error)
            _drop_output()
            sys.exit(0 if isinstance(error, BrokenPipeError) else MISTAKE)

    def error(self, message: str) -> NoReturn:
        say(f"{self.prog}: {message}; --help tells more")
        sys.exit(WRONG_USAGE)


@dataclasses.dataclass(frozen=True)
class BoardProgram(Generic[T]):
    """A program that has no commands.

    Attributes:
        name: which begins the line that a mistake gets.
        about: what it is, in the first line.
        options: dataclass of its options.
        work: does the work, see `run`.
        alone: values of options that may stand without one, by option: argparse would take the argument that follows.
    """

    name: str
    about: str
    options: type[T]
    work: Callable[[T], int]
    alone: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def parse(self, arguments: Sequence[str]) -> T:
        """The options; leaves with status 64 if they are wrong."""
        parser = Parser(prog=self.name, description=self.about.splitlines()[0], allow_abbrev=False)
        parser.add_options(self.options)
        given = [f"{each}={self.alone[each]}" if each in self.alone else each for each in arguments]
        # What is given by its place may stand behind the options, too.
        return parser.options(self.options, parser.parse_intermixed_args(given))

    def main(self, arguments: Sequence[str]) -> int:
        """Runs it; returns its exit status."""
        return run(self.name, self.work, self.parse(arguments))


def run(name: str, work: Callable[[T], int], options: T) -> int:
    """Runs a program; returns its exit status.

    Arguments:
        name: of the program, which begins the line that a mistake gets.
        work: returns the exit status; may raise WoolError or KeyboardInterrupt.
        options: of the program, which `work` gets.
    """
    try:
        if sys.stdout is None:
            raise WoolError("standard output: is closed; give a file or a pipe")
        status = work(options)
        # Here a full disk is an exception, at the exit of Python only a message.
        sys.stdout.flush()
        return status
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        _tell_of_output(name, error)
        _drop_output()
        return MISTAKE
    except WoolError as error:
        say(f"{name}: {error.told(called(type(options)))}")
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED


def _help(declaration: Option, default: object) -> str:
    has_default = default is not NEEDED and default is not False and as_text(default)
    text = f"{declaration.explained} Default: {as_text(default)}." if has_default else declaration.explained
    # argparse takes what follows a % for a name.
    return text.replace("%", "%%")


def _tell_of_output(name: str, error: OSError) -> None:
    say(f"{name}: {error.filename or 'standard output'}: cannot be written ({error.strerror})")


def _drop_output() -> None:
    """What is left in the buffer would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def say(line: str) -> None:
    """A line on the standard error, if anybody takes it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def one_line(path: Path | str) -> str:
    """A path whose control characters cannot start a line or speak to a terminal."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match[0]):02x}", os.fspath(path))
