"""Shows a run: what the library logs, and how far a training is."""

import logging
import time
from typing import TYPE_CHECKING

from wool_tf.cells import duration
from wool_tf.command_line import console

if TYPE_CHECKING:
    from rich.live import Live

    from wool_tf.study.progress import Status
    from wool_tf.study.results import Study

FAILED = 2
"""Exit status of a run that has come to its end without some of its networks."""
LINE_SECONDS = 15
"""Where the output is no terminal, a line this often is enough."""


class Display(logging.Handler):
    """Shows a run: the steps that the library logs, and a live block on a terminal or a line now and then elsewhere.

    Arguments:
        aside: shown on standard error, where what a script finds goes to standard output.
    """

    def __init__(self, aside: bool = False) -> None:
        from rich.console import Console

        super().__init__(logging.INFO)
        self.console = Console(highlight=False, stderr=aside)
        self.live: Live | None = None
        self.next = 0.0
        logger = logging.getLogger("wool_tf")
        logger.setLevel(logging.INFO)
        # absl has a handler of its own at the root, which would write every line once more.
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """One step of the library, in a line."""
        self.say(console.told(record.getMessage()))

    def say(self, text: str) -> None:
        """One step, in a line."""
        self.close()
        self._line(text)

    def show(self, status: "Status") -> None:
        """The status of the training."""
        if self.console.is_terminal:
            self._update(status)
        elif time.monotonic() >= self.next or status.finished == status.units:
            self.next = time.monotonic() + LINE_SECONDS
            running = "; ".join(f"{name} {note}" for name, _, note in status.running)
            self._line(f"{_overall(status)}  {running}")

    def ended(self, study: "Study") -> int:
        """The units that failed, in a line each; the exit status."""
        for failure in study.failures:
            self.say(f"failed: {failure.unit}: {failure.reason}")
        return FAILED if study.failures else 0

    def close(self) -> None:
        """Ends the live block and leaves it on the screen."""
        if self.live:
            self.live.stop()
            self.live = None

    def _line(self, text: str) -> None:
        self.console.print(f"[{time.strftime('%H:%M:%S')}] {text}", markup=False, soft_wrap=True)

    def _update(self, status: "Status") -> None:
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


def _overall(status: "Status") -> str:
    left = "" if status.remaining is None else f", {duration(status.remaining)} left"
    return f"{status.share:4.0%}, {status.finished} of {status.units} units done{left}"
