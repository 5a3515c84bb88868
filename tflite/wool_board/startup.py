"""Imported by the programs before anything else: a Python that lacks a package, and an early Ctrl-C, are one line each.

It needs nothing but a little of the standard library: nothing may take time before Ctrl-C is heeded.
"""

import os
import sys
from collections.abc import Callable
from types import TracebackType

from wool_board.exit_status import GRACE_SECONDS, INTERRUPTED

_asked = False


def _lacking(package: str) -> str:
    use = "use that of the environment which BUILD.md makes, or install ai-edge-litert, numpy and pillow"
    return f"{os.path.basename(sys.argv[0])}: this Python, {sys.executable}, has no {package}; {use}"


_lacks: Callable[[str], str] = _lacking
_farewell = ""


def say(lacks: Callable[[str], str], farewell: str) -> None:
    """What programs of other folders say instead.

    Arguments:
        lacks: gives the line for a package that this Python lacks, from its name.
        farewell: the line for Ctrl-C; empty for none.
    """
    global _lacks, _farewell
    _lacks, _farewell = lacks, farewell


def _is_interruption(error: BaseException | None) -> bool:
    """Whether it is Ctrl-C, or came of it: modules in C that load say that they cannot be imported."""
    if _asked:
        return True
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _leave() -> None:
    if _farewell:
        print(f"\n{_farewell}", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if _is_interruption(error):
        _leave()
    if isinstance(error, ModuleNotFoundError) and error.name:
        print(_lacks(error.name), file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _told


def _heed() -> None:
    """Has Ctrl-C remembered: modules in C drop it, or raise what does not tell of it.

    `wool_board.machine.interruption`, and the `console` of the experiments, take it over where there is work to end.
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
