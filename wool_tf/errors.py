"""The exceptions that are one line for the user: `WoolError` is that of the programs on a board, too."""

from wool_board.errors import WoolError

__all__ = ["Diverged", "Unwritable", "WoolError", "first_line"]


class Unwritable(WoolError):
    """A file cannot be written: no work can go on in that folder, whatever it is."""


class Diverged(WoolError):
    """A training ran off to numbers that are not finite; with other random numbers it may not."""


def first_line(error: Exception) -> str:
    """What another library says of a mistake, as far as it fits into one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
