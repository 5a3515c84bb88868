"""The exceptions that are one line for the user: `WoolError` is that of the programs on a board, too."""

from collections.abc import Callable, Mapping, Sequence

from wool_board.errors import LONGEST, WoolError

__all__ = ["BadSetting", "Divergence", "Unwritable", "WoolError", "as_text", "first_line", "quoted", "shortened"]


class BadSetting(WoolError):
    """A setting, or a combination of settings, breaks its rule.

    The message is `cost_ratio=0: must be above 0`. Flags have the names of settings, so scripts put `--` in front.

    Attributes:
        fields: names of the settings or parameters, usually one.
        value: of the setting, or None where the rule says all there is to say.
        rule: what must hold, and what to do.
    """

    def __init__(self, field: str | Sequence[str], value: object, rule: str):
        # All arguments go to the base class: processes exchange exceptions by pickling them.
        super().__init__(field, value, rule)
        self.fields = (field,) if isinstance(field, str) else tuple(field)
        self.value, self.rule = value, rule

    def __str__(self) -> str:
        return self.told(str)

    def told(self, name: Callable[[str], str]) -> str:
        """The message, with the names of the settings as the given function writes them."""
        *others, last = map(name, self.fields)
        named = f"{', '.join(others)} and {last}" if others else last
        return f"{named}: {self.rule}" if self.value is None else f"{named}={as_text(self.value)}: {self.rule}"

    def renamed(self, names: Mapping[str, str]) -> "BadSetting":
        """The same mistake, with some of the settings called by other names."""
        return BadSetting([names.get(field, field) for field in self.fields], self.value, self.rule)


class Unwritable(WoolError):
    """A file cannot be written: no work can go on in that folder, whatever it is."""


class Divergence(WoolError):
    """A training diverged: its numbers are not finite. With other random numbers it may converge."""


def first_line(error: Exception) -> str:
    """What another library says of a mistake, as far as it fits into one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def quoted(value: object) -> str:
    """What stands in a file, as Python writes it; of what is too long for a message its beginning and end."""
    return shortened(repr(value), LONGEST)


def shortened(text: str, most: int) -> str:
    """A text, or its beginning and end where it has more characters than these."""
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-(most // 2) :]}"


def as_text(value: object) -> str:
    """The value of a setting as a flag takes it: `0.001`, `1`, `adam,sgd`; empty for None."""
    if isinstance(value, tuple | list):
        return ",".join(map(as_text, value))
    if isinstance(value, float):
        return repr(float(value)).removesuffix(".0")
    return "" if value is None else str(value)
