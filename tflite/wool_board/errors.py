"""Mistakes of a user, as exceptions that are one line."""

import errno
import re
from collections.abc import Callable, Mapping, Sequence

from wool_board.exit_status import MISTAKE, WRONG_USAGE

DISK_FAULTS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG))
"""What a disk says that is full or broken: no defect of a program."""

LONGEST = 200
"""Characters of what another library says: some quote half of the file."""


_NAMED = re.compile(r"`(\w+)`")
"""A setting that is named within a message, by its field."""


class WoolError(Exception):
    """A mistake in the data, the settings or the files that a user can mend.

    The message is one line: it names the setting, file or value, the rule, and what to do. Programs print it, with
    settings as `told` names them, and exit with `status`; anything else that is raised is a defect of this project and
    keeps its traceback.

    Attributes:
        status: of the program that it ends; `MISTAKE` unless no other try mends it.
    """

    status = MISTAKE

    def told(self, name: Callable[[str], str]) -> str:
        """The message, with settings as the user knows them.

        Arguments:
            name: gives what a setting is called from the name of its field: a flag, or the field itself where the
                program has no such flag.
        """
        return named(str(self), name)


class UsageError(WoolError):
    """A mistake in the options, which no other try mends."""

    status = WRONG_USAGE


class BadSetting(WoolError):
    """A setting, or a combination of settings, breaks its rule, which no other try mends.

    The message is `cost_ratio=0: must be above 0`. Flags have the names of settings, so programs put `--` in front.

    Attributes:
        fields: names of the settings or parameters, usually one.
        value: of the setting, or None where the rule says all there is to say.
        rule: what must hold, and what to do; other settings stand in it in backticks.
    """

    status = WRONG_USAGE

    def __init__(self, field: str | Sequence[str], value: object, rule: str):
        # All arguments go to the base class: processes exchange exceptions by pickling them.
        super().__init__(field, value, rule)
        self.fields = (field,) if isinstance(field, str) else tuple(field)
        self.value, self.rule = value, rule

    def __str__(self) -> str:
        return f"{self._begun(str)}: {self.rule}"

    def told(self, name: Callable[[str], str]) -> str:
        return f"{self._begun(name)}: {named(self.rule, name)}"

    def renamed(self, names: Mapping[str, str]) -> "BadSetting":
        """The same mistake, with some of the settings called by other names."""
        return type(self)([names.get(field, field) for field in self.fields], self.value, self.rule)

    def _begun(self, name: Callable[[str], str]) -> str:
        *others, last = map(name, self.fields)
        named = f"{', '.join(others)} and {last}" if others else last
        return named if self.value is None else f"{named}={as_text(self.value)}"


class Unusable(BadSetting):
    """What a setting names cannot be used as it is now: a file, a folder, a device. Another try may be better."""

    status = MISTAKE


class BadFile(Exception):
    """Why a file cannot be used, as the rest of a sentence that begins with its name.

    Whoever reads a file knows its name and may have others to go on with; so making a line of it is for the caller.
    """


class MissingFile(BadFile):
    """The file is not there, or no longer."""


def in_one_line(error: Exception) -> str:
    """What another library says of a mistake, without line breaks, and shortened; its type if it says nothing."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= LONGEST else f"{said[:LONGEST]} …"


def named(text: str, name: Callable[[str], str]) -> str:
    """A text with the settings in it, which stand in backticks, called as `name` calls them, see `WoolError.told`.

    >>> named("give less, or `timeout_ms` or `none`", {"timeout_ms": "--timeout_ms", "none": "none"}.__getitem__)
    'give less, or --timeout_ms or `none`'
    """
    return _NAMED.sub(lambda found: found[0] if name(found[1]) == found[1] else name(found[1]), text)


def few(names: Sequence[str], most: int = 3) -> str:
    """The first of some names, and how many more there are.

    >>> few(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def as_text(value: object) -> str:
    """The value of a setting as a flag takes it: `0.001`, `1`, `1e+09`, `adam,sgd`; empty for None."""
    if isinstance(value, tuple | list):
        return ",".join(map(as_text, value))
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(float(value)).removesuffix(".0")
    return "" if value is None else str(value)
