"""Runs a script: parses its flags, makes one line of a mistake, ends it by Ctrl-C."""

import io
import os
import select
import shlex
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TextIO

from absl import app, flags

from wool_board.errors import DISK_FAULTS, named
from wool_board.exit_status import GRACE_SECONDS, INTERRUPTED
from wool_tf import environment
from wool_tf.command_line import parsing
from wool_tf.errors import WoolError


def run(main: Callable[..., None], resumes: bool = False, words: str = "") -> None:
    """Parses the flags and runs a script.

    A mistake in a flag or in what it points to is one line on standard error and exit status 1; Ctrl-C and SIGTERM end
    with status 130. Anything else is a defect and keeps its traceback.

    Arguments:
        main: the script; gets the words besides flags, where it takes some.
        resumes: whether it goes on where it was interrupted.
        words: what these are, for messages.
    """
    end = f"\ninterrupted; the same command {'goes on from here' if resumes else 'starts again'}"

    def leave() -> None:
        print(end, file=sys.stderr)
        # Without the handlers at exit: worker processes and their pipes would print messages.
        sys.stderr.flush()
        os._exit(INTERRUPTED)

    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        # What is torn down may fail in threads of libraries, which would print tracebacks.
        threading.excepthook = lambda _: None
        # An exception that is raised in a finalizer or a callback of C++ code is lost; the timer is not.
        timer = threading.Timer(GRACE_SECONDS, leave)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal need not know all characters that are printed.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _run(main, words, lambda: asked)
    except BrokenPipeError:
        if not _is_closed(sys.stdout):
            raise
        # The reader of the output, head perhaps, has closed it; nothing is left to be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        print(f"error: {error.filename or 'standard output'}: cannot be written ({error.strerror})", file=sys.stderr)
        sys.stderr.flush()
        # What is left in the buffer of the standard output would fail once more.
        os._exit(1)
    except WoolError as error:
        sys.exit(f"error: {error.told(_flag)}")
    except flags.Error as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        leave()


def command() -> str:
    """The command line that started the script: it can be given again in the same folder."""
    here, python = os.path.join(os.getcwd(), ""), os.path.abspath(sys.executable)
    return shlex.join([python.removeprefix(here) if python.startswith(here) else "python", *sys.argv])


def _run(main: Callable[..., None], words: str, is_asked: Callable[[], bool]) -> None:
    """Parses the flags and runs a script; whatever it raises once its end was asked for is that end."""
    try:
        app.run(lambda found: _finished(main, found[1:]), flags_parser=lambda given: parsing.parse(given, words))
    except Exception:
        # Libraries that lose their processes raise what they like on the way out.
        if is_asked():
            raise KeyboardInterrupt from None
        raise


def _is_closed(output: TextIO) -> bool:
    """Whether nobody reads what is written; another pipe, to a process that has died perhaps, may be broken, too."""
    watched = select.poll()
    watched.register(output.fileno(), 0)
    return bool(watched.poll(0))


def _finished(main: Callable[..., None], words: list[str]) -> None:
    main(*words)
    # Here a full disk is an exception, at the exit of Python only a message.
    sys.stdout.flush()


def set_computing_environment(threads: int) -> None:
    """Sets the environment variables that results depend on; to be called before TensorFlow is imported.

    Results depend on the number of threads in the last digits, so it is a setting and does not follow the machine.

    Arguments:
        threads: of every process that computes.
    """
    os.environ |= environment.computing(threads, os.environ.get("KERAS_BACKEND", "tensorflow"))
    # Several processes may share a GPU, whose whole memory the first one would take.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def told(text: str) -> str:
    """What the library says, with settings as the user knows them."""
    return named(text, _flag)


def _flag(field: str) -> str:
    """A setting as the user knows it: as a flag, if the script has one of that name."""
    return f"--{field}" if field in flags.FLAGS else field
