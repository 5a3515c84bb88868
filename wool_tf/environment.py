"""What code runs, with what, and on what machine."""

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import wool_tf

FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "asimddp", "i8mm", "sve")
"""Abilities of processors by which kernels are chosen, as Linux names them."""
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
        **arithmetic(),
        "processor": processor(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}",
    }


def arithmetic() -> dict[str, bool]:
    """By which of several ways TensorFlow computes: what the last digits of a result depend on, and speed."""
    return {
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1",
        "deterministic": os.environ.get("TF_DETERMINISTIC_OPS") == "1",
    }


@functools.cache
def processor() -> str:
    """Name of the processor, and those of its abilities that kernels are chosen by: `AMD EPYC (avx2, fma)`."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = (about.get("flags") or about.get("Features") or "").split()
    name = about.get("model name") or about.get("Model") or platform.machine()
    return f"{name} ({', '.join(feature for feature in FEATURES if feature in flags) or 'no vector units'})"


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
