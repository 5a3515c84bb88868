"""The one exception that a user's mistake may raise."""


class WoolError(Exception):
    """A mistake in the data, the settings or the files that a user can mend.

    The message is one line: it names the flag, file or value, the rule, and what to do. Scripts print it as it is and
    exit with status 1; anything else that is raised is a defect of this project and keeps its traceback.
    """


def first_line(error: Exception) -> str:
    """What another library says of a mistake, as far as it fits into one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
