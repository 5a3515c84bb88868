"""What code runs, with what, and on what machine."""

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import wool_tf

VERSIONED = ("keras", "tensorflow", "jax", "ai-edge-litert", "numpy", "scikit-learn")


@functools.cache
def describe() -> dict:
    """Versions, the commit and the machine, by name; of packages those that are installed."""
    import keras

    return {
        "wool_tf": wool_tf.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: version for name in VERSIONED if (version := _version(name))},
        "backend": keras.backend.backend(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}",
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit that the code is at, where it runs from its own checkout; "-dirty" where that was changed."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return finished.stdout.strip() or None
