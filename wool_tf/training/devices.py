"""One GPU for each process that trains."""

import fcntl
import os
import platform
from pathlib import Path

PROC = Path("/proc/driver/nvidia/gpus")
VISIBLE = "CUDA_VISIBLE_DEVICES"

_held = []


def visible() -> list[str]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes; empty where there is none."""
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(PROC.iterdir())))] if PROC.is_dir() else []


def take(folder: Path) -> None:
    """Gives the calling process a GPU of its own for as long as it lives, where there are several.

    Must be called before anything looks for GPUs; a second call changes nothing. Processes beyond the number of GPUs
    share the last one.

    Arguments:
        folder: writable; processes of a machine that name the same one agree by locks in it, which end with their
            holder.
    """
    names = visible()
    if len(names) < 2:
        return
    for name in names:
        # Other machines of a cluster see the same folder, and have GPUs of the same names.
        path = folder / f".gpu-{platform.node()}-{name.replace('/', '-')}.lock"
        try:
            lock = open(path, "w")
        except OSError:
            # A folder that cannot be written ends the work with a message of its own.
            break
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            _held.append(lock)
            break
    os.environ[VISIBLE] = name
