"""The flags of a command line, and one line for what is wrong with them; absl's own words are not for everybody."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags

from wool_tf.errors import WoolError

_RULES = (
    ("invalid literal for int", "must be a whole number"),
    ("could not convert string to float", "must be a number"),
    ("('Non-boolean argument", "must be true or false"),
)
"""How absl begins to say what is wrong with a value, and what is said instead."""


def parse(arguments: Sequence[str], words: str = "") -> list[str]:
    """Parses the flags of a script, whose name comes first; returns that, and the words that are no flags.

    Arguments:
        arguments: of the process.
        words: what the script takes besides flags, at least one; nothing where it takes flags only.

    Raises:
        WoolError: a flag, its value or a flagfile is wrong, words are given that are not taken, or none that are.
    """
    if any(re.fullmatch("--?flagfile=\\s*", argument) for argument in arguments):
        raise WoolError("--flagfile=: is empty; give a file, or leave it out")
    try:
        rest = flags.FLAGS(arguments)
    except SystemExit:
        # absl has printed the help, and would call that a failure.
        sys.exit(0)
    except UnicodeDecodeError:
        raise WoolError("--flagfile: is not a text file; give one with a flag in each line") from None
    except flags.IllegalFlagValueError as error:
        raise WoolError(_illegal(" ".join(str(error).split()), arguments)) from None
    except flags.CantOpenFlagFileError as error:
        place = f"; relative paths begin at {Path.cwd()}, where this was started"
        reason = str(error).removeprefix("ERROR:: Unable to open flagfile: ")
        raise WoolError(f"--flagfile: cannot be read ({reason}){place}") from None
    except flags.UnrecognizedFlagError as error:
        raise WoolError(_unknown(error.flagname, arguments)) from None
    except flags.Error as error:
        raise WoolError(" ".join(f"{error}; --help lists the flags".split())) from None
    if words and len(rest) == 1:
        raise WoolError(f"{words}: is required; give at least one")
    if not words and len(rest) > 1:
        raise WoolError(f"{rest[1]!r}: this script takes flags only; --help lists them")
    return rest


def _unknown(name: str, arguments: Sequence[str]) -> str:
    """A line on a flag that the script does not have, or that a flagfile has without its equals sign."""
    place, (flag, *value) = _place(name, arguments), name.split(maxsplit=1)
    if place and value and flag in flags.FLAGS:
        return f"--{name}: write --{flag}={value[0]}{place}"
    return f"--{name}: this script has no such flag{place}; --help lists them"


def _illegal(told: str, arguments: Sequence[str]) -> str:
    """A line on a value that a flag does not take, from what absl tells."""
    found = re.match(r"flag --(\w+)=", told)
    if not found:
        return told
    name = found[1]
    if told.startswith(f"flag --{name}=None: "):
        return f"--{name}: is required; give a value"
    place, line = _place(name, arguments), told.removeprefix("flag ")
    for absls, ours in _RULES:
        value, begin, _ = line.partition(f": {absls}")
        if begin:
            return f"{value}: {ours}{place}"
    return line + place


def _place(name: str, arguments: Sequence[str]) -> str:
    """The flagfile that a flag stands in, in words; nothing where it stands in the command line."""
    if _sets(name, arguments):
        return ""
    for file, lines in _flagfiles(arguments, set()):
        if _sets(name, lines):
            return f" (in {file})"
    return ""


def _sets(name: str, arguments: Sequence[str]) -> bool:
    flag = re.compile(rf"--?(no)?{re.escape(name)}(=.*)?", re.DOTALL)
    return any(flag.fullmatch(argument) for argument in arguments)


def _flagfiles(arguments: Sequence[str], seen: set[Path]) -> Iterator[tuple[Path, list[str]]]:
    """The flagfiles that arguments name, and those that these name, with their lines."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        flag, equals, value = argument.partition("=")
        if flag not in ("--flagfile", "-flagfile"):
            continue
        file = Path((value if equals else following).strip()).expanduser()
        if file.is_file() and file not in seen:
            seen.add(file)
            lines = [line.strip() for line in file.read_text(errors="replace").splitlines()]
            yield file, lines
            yield from _flagfiles(lines, seen)
