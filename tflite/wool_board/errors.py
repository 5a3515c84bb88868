"""Mistakes of a user, as exceptions that are one line."""

import errno

DISK_FAULTS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG))
"""What a disk says that is full or broken: no defect of a program."""

LONGEST = 200
"""Characters of what another library says: some quote half of the file."""


class WoolError(Exception):
    """A mistake in the data, the settings or the files that a user can mend.

    The message is one line: it names the flag, file or value, the rule, and what to do. Programs print it as it is and
    exit with status 1; anything else that is raised is a defect of this project and keeps its traceback.
    """


class UsageError(WoolError):
    """A mistake in the options, which no other try mends; the status is 64."""


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
