"""The JSON that the benchmarks write: what was found, with what, where and when."""

import datetime
import json
import os
import shlex
import sys
from importlib import metadata
from pathlib import Path

from absl import flags

from wool_tf import environment, files, quiet
from wool_tf.command_line import flag_values

# --help shows the flags that are defined by calls of this module as those of the benchmark that calls.
flags.disclaim_key_flags()

OTHERS = ("torch", "torchvision", "torch-pruning", "onnx", "onnxruntime", "executorch")
"""Packages that only comparisons use."""


def define(quick: str) -> tuple[flags.FlagHolder, flags.FlagHolder]:
    """Defines and returns `--json`, the file for `write`, and `--quick`, of which the words say what it measures."""
    json_flag = flags.DEFINE_string("json", None, "File for the figures.")
    return json_flag, flags.DEFINE_bool("quick", False, f"{quick}: shows that it works, and no speed.")


def write(path: str | None, **parts: object) -> None:
    """Writes what a benchmark found, if a file was given with --json.

    Arguments:
        path: of the file, or None.
        parts: JSON values by name.
    """
    if not path:
        return
    quiet.import_keras()
    document = {"command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]), **circumstances(), **parts}
    files.write(flag_values.path("json", path), (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())


def circumstances() -> dict:
    """When, with what and on which machine, and how many processes wanted to run on it in the last five minutes."""
    versions = {name: version for name in OTHERS if (version := _version(name))}
    return {
        "date": datetime.date.today().isoformat(),
        "load": round(os.getloadavg()[1], 1),
        "environment": environment.describe() | versions,
    }


def heading() -> str:
    """A line for above a table: the processor, and what else it had to do."""
    cores = len(os.sched_getaffinity(0))
    return f"{environment.processor()}, {cores} cores; {os.getloadavg()[1]:.1f} processes wanted to run on them before"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
