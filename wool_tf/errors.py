"""The exceptions that are one line for the user."""


class WoolError(Exception):
    """A mistake in the data, the settings or the files that a user can mend.

    The message is one line: it names the flag, file or value, the rule, and what to do. Scripts print it as it is and
    exit with status 1; anything else that is raised is a defect of this project and keeps its traceback.
    """


class Unwritable(WoolError):
    """A file cannot be written: no work can go on in that folder, whatever it is."""


class Diverged(WoolError):
    """A training ran off to numbers that are not finite; with other random numbers it may not."""


def first_line(error: Exception) -> str:
    """What another library says of a mistake, as far as it fits into one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
