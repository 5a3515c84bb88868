"""Imported before anything else: a Python without the environment, and Ctrl-C while modules load, are one line each."""

import os
import sys


def _lacks(package: str) -> str:
    repository = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    private = os.path.join(repository, ".venv", "bin", "python")
    if not os.path.exists(private):
        use = f"run make demo in {repository} first, which makes .venv"
    elif os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(repository, ".venv")):
        # After an update that needs more than before; -B, for the dates of files need not tell.
        use = f"run make -B .venv/.ready in {repository}, which brings it up to date"
    else:
        use = f"use {private}"
    return f"error: this Python, {sys.executable}, has no {package}: {use}"


try:
    from wool_board import startup
except ModuleNotFoundError as error:
    sys.exit(_lacks(error.name or "wool_board"))
startup.say(_lacks, "interrupted")
