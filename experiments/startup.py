"""Imported before anything else: a Python without the environment, and Ctrl-C while modules load, are one line each.

It needs the standard library alone.
"""

import os
import sys
from pathlib import Path
from types import TracebackType

INTERRUPTED = 130
_REPOSITORY = Path(__file__).resolve().parent.parent


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("\ninterrupted", file=sys.stderr)
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    if isinstance(error, ModuleNotFoundError) and error.name:
        private = _REPOSITORY / ".venv" / "bin" / "python"
        use = f"use {private}" if private.exists() else f"run make demo in {_REPOSITORY} first, which makes .venv"
        print(f"error: this Python, {sys.executable}, has no {error.name}: {use}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _told
