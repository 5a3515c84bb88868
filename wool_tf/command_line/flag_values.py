"""Values of flags: paths that are there, places to write to, lists of numbers; each mistake in one line."""

from collections.abc import Sequence
from pathlib import Path

from wool_tf.errors import WoolError


def path(flag: str, value: str) -> Path:
    """The path that a flag names, `~` being the home folder."""
    if not value:
        raise WoolError(f"--{flag}=: is empty; give a path")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise WoolError(f"--{flag}={value}: has a name that is not text; rename it")
    return Path(value).expanduser()


def existing(flag: str, value: str) -> Path:
    """The file or folder that a flag names, which is there."""
    found = path(flag, value)
    if not found.exists():
        raise WoolError(f"--{flag}={value}: no such file or folder; give one that exists")
    return found


def file(flag: str, value: str) -> Path:
    """The file that a flag names, which is there: that is cheap to know before TensorFlow is imported."""
    found = path(flag, value)
    if not found.exists() or found.is_dir():
        raise WoolError(f"--{flag}={value}: {'is a folder' if found.exists() else 'no such file'}; give a file")
    return found


def folder(flag: str, value: str) -> Path:
    """The folder that a flag names, which is there."""
    found = path(flag, value)
    if not found.is_dir():
        kind = "is not a folder" if found.exists() else "no such folder"
        raise WoolError(f"--{flag}={value}: {kind}; give one that exists")
    return found


def output(flag: str, value: str, **read: Path | None) -> Path:
    """The file or folder that a flag names for what is written.

    Arguments:
        flag, value: the flag.
        read: folders that are read, by their flags; what is written must not become part of them.
    """
    found = path(flag, value)
    for other, place in read.items():
        if place is not None and found.resolve().is_relative_to(place.resolve()):
            raise WoolError(f"--{flag}={value}: must not lie in --{other}={place}, which is read; give another place")
    return found


def weights(flag: str, value: str) -> str:
    """Initial weights, as the settings want them."""
    # NumPy comes with it, for which scripts without weights need not wait.
    from wool_tf.networks import initial_weights

    return value if value in initial_weights.NAMED else str(file(flag, value))


def numbers(flag: str, values: Sequence[str], kind: type) -> tuple:
    """A list of numbers, which absl reads as words."""
    try:
        return tuple(map(kind, values))
    except ValueError:
        raise WoolError(f"--{flag}={','.join(values)}: must be numbers with commas between them") from None
