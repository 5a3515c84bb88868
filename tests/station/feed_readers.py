"""Readers of a feed."""

import socket
import threading
import time
from pathlib import Path

from wool_station.feed import LOST, SILENT, messages


class Listener:
    """Reads a feed with a thread until it is lost."""

    def __init__(self, path: Path, pixels: bool = True):
        self.heard: list[tuple[dict, bytes]] = []
        self.started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(path, pixels), daemon=True)
        self._thread.start()

    def _run(self, path: Path, pixels: bool) -> None:
        for event, payload in messages(path, pixels, silence=0.05):
            if event["event"] == LOST and self.started.is_set():
                return
            if event["event"] not in (LOST, SILENT):
                self.heard.append((event, payload))
                self.started.set()

    def end(self) -> list[tuple[dict, bytes]]:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.heard

    def events(self) -> list[dict]:
        return [event for event, _ in self.end()]


def connected(path: Path) -> socket.socket:
    end = time.monotonic() + 30
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            connection.close()
            assert time.monotonic() < end
            time.sleep(0.02)
