"""What code runs, with what, and on what machine."""

import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import wool_tf
from wool_tf import devices

FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "asimddp", "i8mm", "sve")
"""Abilities of processors by which kernels are chosen, as Linux names them."""
VERSIONED = ("keras", "tensorflow", "jax", "jaxlib", "ai-edge-litert", "numpy", "pillow", "scikit-learn")


def computing(threads: int, backend: str) -> dict[str, str]:
    """Environment variables by which a backend computes the same everywhere, to be set before it is imported.

    Arguments:
        threads: that a process computes with; results depend on the number in the last digits.
        backend: of Keras.
    """
    variables = {
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": str(threads),
        "TF_DETERMINISTIC_OPS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # GPUs would multiply with 10 bits of mantissa. Masked and compact networks then differ by 0.001 and more in a
        # logit, and no longer prove each other.
        "NVIDIA_TF32_OVERRIDE": "0",
    }
    if backend == "jax":
        # What TF_DETERMINISTIC_OPS and NVIDIA_TF32_OVERRIDE are to TensorFlow.
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true"
        variables |= {"XLA_FLAGS": flags.lstrip(), "JAX_DEFAULT_MATMUL_PRECISION": "float32"}
    return variables


@functools.cache
def describe() -> dict:
    """Versions, the commit and the machine, by name; of packages those that are installed."""
    import keras

    return {
        "wool_tf": wool_tf.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **versions(VERSIONED),
        "backend": keras.backend.backend(),
        **arithmetic(),
        "processor": processor(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}",
    }


def binding(others: Iterable[str] = ()) -> dict[str, str]:
    """Versions of the packages that results depend on, by name: Keras and its backend, NumPy, which draws the random
    numbers, the interpreter of TFLite files, and others; of these those that are installed."""
    import keras

    backend = keras.backend.backend()
    names = ("wool_tf", "keras", backend, *(["jaxlib"] if backend == "jax" else []), "numpy", "ai-edge-litert")
    return versions((*names, *others))


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed, by name."""
    return {name: version for name in packages if (version := _version(name))}


def arithmetic() -> dict[str, bool | str]:
    """By which of several ways the backend computes: what results depend on, and speed."""
    import keras

    return {
        "floats": keras.config.floatx(),
        "XLA flags": os.environ.get("XLA_FLAGS", ""),
        "onednn": onednn(),
        "deterministic": _switched_on("TF_DETERMINISTIC_OPS"),
    }


def onednn() -> bool:
    """Whether TensorFlow computes with oneDNN, or will: it reads the variable once, as it is imported."""
    if "tensorflow" in sys.modules:
        # It has no public name; TensorFlow's own tests ask it.
        from tensorflow.python.util._pywrap_util_port import IsMklEnabled

        return bool(IsMklEnabled())
    return _switched_on("TF_ENABLE_ONEDNN_OPTS")


def _switched_on(variable: str) -> bool:
    """Whether TensorFlow takes an environment variable for true.

    >>> os.environ["OURS"] = "True"
    >>> _switched_on("OURS"), _switched_on("OURS_TOO")
    (True, False)
    """
    return os.environ.get(variable, "").lower() in ("1", "true")


@functools.cache
def processor() -> str:
    """Name of the processor and those of its abilities that kernels are chosen by, and of GPUs that may be used.

    As in `AMD EPYC (avx2, fma), NVIDIA H100 PCIe`.
    """
    return ", ".join([_cpu(), *_gpus()])


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = (about.get("flags") or about.get("Features") or "").split()
    name = about.get("model name") or about.get("Model") or platform.machine()
    return f"{name} ({', '.join(feature for feature in FEATURES if feature in flags) or 'no vector units'})"


def _gpus() -> list[str]:
    """Models of the GPUs of this machine, each once; empty where none may be used."""
    found = set()
    for about in devices.PROC.glob("*/information") if devices.visible() else ():
        lines = (line.partition(":") for line in about.read_text().splitlines())
        found |= {value.strip() for key, _, value in lines if key.strip() == "Model"}
    return sorted(found)


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
