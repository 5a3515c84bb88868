"""What the programs have in common: one line for a mistake, and the status at the end."""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from wool_board.errors import DISK_FAULTS, WoolError
from wool_board.exit_status import INTERRUPTED, MISTAKE, WRONG_USAGE


class Parser(argparse.ArgumentParser):
    """Tells of wrong usage in one line, and of a help that cannot be printed, which argparse passes over."""

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


def path(text: str) -> Path:
    """The path that an argument names: an empty one would be the folder that the program was started in."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a path")
    return Path(text)


def run(name: str, work: Callable[[], int]) -> int:
    """Runs a program; returns its exit status.

    Arguments:
        name: of the program, which begins the line that a mistake gets.
        work: returns the exit status; may raise WoolError or KeyboardInterrupt.
    """
    try:
        if sys.stdout is None:
            raise WoolError("standard output: is closed; give a file or a pipe")
        status = work()
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
        say(f"{name}: {error}")
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED


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
