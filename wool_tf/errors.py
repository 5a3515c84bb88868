"""The exceptions that are one line for the user; the programs on a board raise some of them, too."""

from wool_board.errors import LONGEST, BadSetting, WoolError, as_text, in_one_line

__all__ = [
    "BadSetting",
    "Divergence",
    "Unwritable",
    "WoolError",
    "as_text",
    "extra",
    "in_one_line",
    "quoted",
    "shortened",
]


class Unwritable(WoolError):
    """A file cannot be written: no work can go on in that folder, whatever it is."""


class Divergence(WoolError):
    """A training diverged: its numbers are not finite. With other random numbers it may converge."""


def extra(name: str) -> str:
    """How an optional part of the dependencies is installed; nothing of the project is on a package index.

    >>> extra("search")
    "in the project's folder: .venv/bin/pip install -c constraints.txt -e '.[search]'"
    """
    return f"in the project's folder: .venv/bin/pip install -c constraints.txt -e '.[{name}]'"


def quoted(value: object) -> str:
    """What stands in a file, as Python writes it; of what is too long for a message its beginning and end."""
    return shortened(repr(value), LONGEST)


def shortened(text: str, most: int) -> str:
    """A text, or its beginning and end where it has more characters than these."""
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-(most // 2) :]}"
