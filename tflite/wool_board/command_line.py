"""What the programs have in common: one line for a mistake, and the status at the end."""

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from wool_board.errors import WoolError

MISTAKE, WRONG_USAGE, INTERRUPTED = 1, 2, 130
"""Exit statuses: of a mistake in a file or a value, of arguments that cannot be understood, and after Ctrl-C."""


class Parser(argparse.ArgumentParser):
    """Tells of wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"{self.prog}: {message}; --help tells more\n")


def run(name: str, work: Callable[[], int]) -> int:
    """Runs a program; returns its exit status.

    Arguments:
        name: of the program, which begins the line that a mistake gets.
        work: returns the exit status; may raise WoolError or KeyboardInterrupt.
    """
    try:
        return work()
    except WoolError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        return INTERRUPTED


def one_line(path: Path | str) -> str:
    """A path whose control characters cannot start a line or speak to a terminal."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match[0]):02x}", os.fspath(path))
