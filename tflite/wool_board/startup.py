"""Imported by the programs before anything else: a Python that lacks a package, and an early Ctrl-C, are one line each.

It needs the standard library alone.
"""

import os
import sys
from types import TracebackType

INTERRUPTED = 130


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
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
