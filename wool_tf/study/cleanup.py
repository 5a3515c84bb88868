"""What processes that were killed have left in the folder of a run: temporary files, and notes of progress.

Everything that writes there takes a temporary name that ends with the number of its process, so that it is known whose
a file is. What belongs to a process that still runs, perhaps a worker that has not noticed yet, stays.
"""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from wool_tf.data import arrays
from wool_tf.study import progress, units

PLACES = (".", "model", "cache", "simulated")
"""Folders in that of a run, besides the records, in which files are written."""
_TEMPORARY = re.compile(
    r"\.(?:.*\.)?(?:run|json|safetensors|keras|tflite|html|md|csv|npy|cfg|journal)\.(\d+)|"
    rf"{arrays.TEMPORARY}|\.(?:scans|crops)\.(\d+)\.partial"
)


def clear(out: Path) -> None:
    """Removes what is left in the folder of a run, which the caller holds; what is in `units/` is not looked at.

    Raises:
        Unwritable: something cannot be removed.
    """
    for place in PLACES:
        if (out / place).is_dir():
            _clear(out / place, os.listdir(out / place))


def clear_records(folder: Path) -> None:
    """Removes what is left among the records of a run, which the caller holds; nothing of it may be at work.

    Raises:
        Unwritable: something cannot be removed.
    """
    for place, _, names in os.walk(folder):
        _clear(Path(place), names)
        for name in names:
            if name.endswith((progress.SUFFIX, f"{progress.SUFFIX}-new")):
                units.remove(Path(place, name))


def _clear(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        found = _TEMPORARY.fullmatch(name)
        if not found or _runs(next(int(process) for process in found.groups() if process)):
            continue
        if name.endswith(".partial"):
            shutil.rmtree(folder / name, ignore_errors=True)
        else:
            units.remove(folder / name)


def _runs(process: int) -> bool:
    """Whether another process of this number runs; in a container the next one often gets the same number."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
