"""Imported before anything else: a Python without the environment, and Ctrl-C while modules load, are one line each.

It needs little of the standard library alone: nothing may take time before Ctrl-C is heeded.
"""

import os
import sys
from types import TracebackType

INTERRUPTED = 130


def _is_interruption(error: BaseException | None) -> bool:
    """Whether it is Ctrl-C, or came of it: modules in C that load say that they cannot be imported."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if _is_interruption(error):
        print("\ninterrupted", file=sys.stderr)
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    if isinstance(error, ModuleNotFoundError) and error.name:
        repository = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
        private = os.path.join(repository, ".venv", "bin", "python")
        use = f"use {private}" if os.path.exists(private) else f"run make demo in {repository} first, which makes .venv"
        print(f"error: this Python, {sys.executable}, has no {error.name}: {use}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _told
