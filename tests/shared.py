"""What is made once for all processes of a test run."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def folder(factory: pytest.TempPathFactory, name: str, write: Callable[[Path], None]) -> Path:
    """A folder that the first process to ask for it fills, while the others wait; nobody changes it.

    Arguments:
        factory: the fixture `tmp_path_factory`.
        name: of the folder, the same in all processes.
        write: writes into an empty folder.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / name).exists():
            # A folder of its own until it is whole, in case that writing fails.
            made = factory.mktemp(name)
            write(made)
            made.rename(root / name)
    return root / name
