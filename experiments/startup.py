"""Imported before anything else: a Python without the environment, and Ctrl-C while modules load, are one line each.

It needs little of the standard library alone: nothing may take time before Ctrl-C is heeded.
"""

import os
import sys
from types import TracebackType

INTERRUPTED = 130
GRACE_SECONDS = 5.0
"""How long a program may take to end, once it was asked to, before it is left at once."""

_asked = False


def _is_interruption(error: BaseException | None) -> bool:
    """Whether it is Ctrl-C, or came of it: modules in C that load say that they cannot be imported."""
    if _asked:
        return True
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _leave() -> None:
    print("\ninterrupted", file=sys.stderr)
    sys.stderr.flush()
    os._exit(INTERRUPTED)


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if _is_interruption(error):
        _leave()
    if isinstance(error, ModuleNotFoundError) and error.name:
        repository = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
        private = os.path.join(repository, ".venv", "bin", "python")
        if not os.path.exists(private):
            use = f"run make demo in {repository} first, which makes .venv"
        elif os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(repository, ".venv")):
            # After an update that needs more than before; -B, for the dates of files need not tell.
            use = f"run make -B .venv/.ready in {repository}, which brings it up to date"
        else:
            use = f"use {private}"
        print(f"error: this Python, {sys.executable}, has no {error.name}: {use}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _told


def _heed() -> None:
    """Has Ctrl-C remembered: modules in C drop it, or raise what does not tell of it.

    `console.run` takes it over.
    """
    import signal
    import threading

    def ask(_number: int, _frame: object) -> None:
        global _asked
        _asked = True
        timer = threading.Timer(GRACE_SECONDS, _leave)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, ask)


_heed()
