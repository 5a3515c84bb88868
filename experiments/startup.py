"""Imported before anything else: a Python without the environment, and Ctrl-C while modules load, are one line each."""

import os
import sys


def _lacks(package: str) -> str:
    repository = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    private = os.path.join(repository, ".venv", "bin", "python")
    use = f"use {private}" if os.path.exists(private) else f"run make demo in {repository} first, which makes .venv"
    return f"error: this Python, {sys.executable}, has no {package}: {use}"


try:
    from wool_board import startup
except ModuleNotFoundError as error:
    sys.exit(_lacks(error.name or "wool_board"))
startup.say(_lacks, "interrupted")
