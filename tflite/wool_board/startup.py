"""Imported by the programs before anything else: a Python that lacks a package, and an early Ctrl-C, are one line each.

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
        os._exit(INTERRUPTED)
    if isinstance(error, ModuleNotFoundError) and error.name:
        use = "use that of the environment which BUILD.md makes, or install ai-edge-litert, numpy and pillow"
        print(
            f"{os.path.basename(sys.argv[0])}: this Python, {sys.executable}, has no {error.name}; {use}",
            file=sys.stderr,
        )
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _told
