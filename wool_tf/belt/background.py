"""Work in a thread of its own."""

import abc
import threading
from typing import Self


class Background(abc.ABC):
    """Runs in a thread of its own for as long as the context lasts, or until it is done."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.wait()

    def wait(self) -> None:
        """Waits until it is done."""
        self._thread.join()

    @abc.abstractmethod
    def _run(self) -> None:
        """The work; is soon done once `_ended` is set, which is at the end of the context."""
