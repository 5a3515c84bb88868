"""What the scripts share: parsing flags, one line for a mistake, live progress."""

import io
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from absl import app, flags

import parsing
from wool_board.errors import DISK_FAULTS, named
from wool_board.exit_status import GRACE_SECONDS, INTERRUPTED
from wool_tf import environment
from wool_tf.cells import duration
from wool_tf.errors import WoolError

LINE_SECONDS = 15
"""Where the output is no terminal, a line this often is enough."""


def run(main: Callable[[], None], resumes: bool = False) -> None:
    """Parses the flags and runs a script.

    A mistake in a flag or in what it points to is one line on standard error and exit status 1; Ctrl-C and SIGTERM end
    with status 130. Anything else is a defect and keeps its traceback.

    Arguments:
        main: the script.
        resumes: whether it goes on where it was interrupted.
    """
    end = f"\ninterrupted; the same command {'goes on from here' if resumes else 'starts again'}"

    def leave() -> None:
        print(end, file=sys.stderr)
        # Without the handlers at exit: worker processes and their pipes would print messages.
        sys.stderr.flush()
        os._exit(INTERRUPTED)

    asked = False

    def stop(number, frame) -> None:
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
        _run(main, lambda: asked)
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


def _run(main: Callable[[], None], is_asked: Callable[[], bool]) -> None:
    """Parses the flags and runs a script; whatever it raises once its end was asked for is that end."""
    try:
        app.run(lambda _: _finished(main), flags_parser=parsing.parse)
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


def _finished(main: Callable[[], None]) -> None:
    main()
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


def path(flag: str, value: str) -> Path:
    """The path that a flag names, `~` being the home folder."""
    if not value:
        raise WoolError(f"--{flag}=: is empty; give a path")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise WoolError(f"--{flag}={value}: has a name that is not text; rename it")
    return Path(value).expanduser()


def existing(flag: str, value: str) -> Path:
    """The file or folder that a flag names, which is there."""
    found = path(flag, value)
    if not found.exists():
        raise WoolError(f"--{flag}={value}: no such file or folder; give one that exists")
    return found


def file(flag: str, value: str) -> Path:
    """The file that a flag names, which is there: that is cheap to know before TensorFlow is imported."""
    found = path(flag, value)
    if not found.exists() or found.is_dir():
        raise WoolError(f"--{flag}={value}: {'is a folder' if found.exists() else 'no such file'}; give a file")
    return found


def folder(flag: str, value: str) -> Path:
    """The folder that a flag names, which is there."""
    found = path(flag, value)
    if not found.is_dir():
        kind = "is not a folder" if found.exists() else "no such folder"
        raise WoolError(f"--{flag}={value}: {kind}; give one that exists")
    return found


def output(flag: str, value: str, **read: Path | None) -> Path:
    """The file or folder that a flag names for what is written.

    Arguments:
        flag, value: the flag.
        read: folders that are read, by their flags; what is written must not become part of them.
    """
    found = path(flag, value)
    for other, place in read.items():
        if place is not None and found.resolve().is_relative_to(place.resolve()):
            raise WoolError(f"--{flag}={value}: must not lie in --{other}={place}, which is read; give another place")
    return found


def weights(flag: str, value: str) -> str:
    """Initial weights, as the settings want them."""
    # NumPy comes with it, for which scripts without weights need not wait.
    from wool_tf.networks import initial_weights

    return value if value in initial_weights.NAMED else str(file(flag, value))


def numbers(flag: str, values: Sequence[str], kind: type) -> tuple:
    """A list of numbers, which absl reads as words."""
    try:
        return tuple(map(kind, values))
    except ValueError:
        raise WoolError(f"--{flag}={','.join(values)}: must be numbers with commas between them") from None


def told(text: str) -> str:
    """What the library says, with settings as the user knows them."""
    return named(text, _flag)


def _flag(field: str) -> str:
    """A setting as the user knows it: as a flag, if the script has one of that name."""
    return f"--{field}" if field in flags.FLAGS else field


class Display(logging.Handler):
    """Shows a run: the steps that the library logs, and a live block on a terminal or a line now and then elsewhere.

    Arguments:
        aside: shown on standard error, where what a script finds goes to standard output.
    """

    def __init__(self, aside: bool = False) -> None:
        from rich.console import Console

        super().__init__(logging.INFO)
        self.console = Console(highlight=False, stderr=aside)
        self.live = None
        self.next = 0.0
        logger = logging.getLogger("wool_tf")
        logger.setLevel(logging.INFO)
        # absl has a handler of its own at the root, which would write every line once more.
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """One step of the library, in a line."""
        self.say(told(record.getMessage()))

    def say(self, text: str) -> None:
        """One step, in a line."""
        self.close()
        self._line(text)

    def show(self, status) -> None:
        """The status of the training."""
        if self.console.is_terminal:
            self._update(status)
        elif time.monotonic() >= self.next or status.finished == status.units:
            self.next = time.monotonic() + LINE_SECONDS
            running = "; ".join(f"{name} {note}" for name, _, note in status.running)
            self._line(f"{_overall(status)}  {running}")

    def close(self) -> None:
        """Ends the live block and leaves it on the screen."""
        if self.live:
            self.live.stop()
            self.live = None

    def _line(self, text: str) -> None:
        self.console.print(f"[{time.strftime('%H:%M:%S')}] {text}", markup=False, soft_wrap=True)

    def _update(self, status) -> None:
        from rich.live import Live
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        for name, share, note in status.running:
            table.add_row(name, ProgressBar(1.0, share, width=24), note)
        table.add_row("all", ProgressBar(1.0, status.share, width=24), _overall(status))
        if self.live is None:
            self.live = Live(console=self.console, auto_refresh=False)
            self.live.start()
        self.live.update(table, refresh=True)


def _overall(status) -> str:
    left = "" if status.remaining is None else f", {duration(status.remaining)} left"
    return f"{status.share:4.0%}, {status.finished} of {status.units} units done{left}"
