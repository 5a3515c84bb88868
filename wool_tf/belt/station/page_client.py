"""Reads the live page as a browser does, and corrects as an operator does, to see what of it comes through."""

import dataclasses
import http.client
import json
import time

from wool_tf.belt.background import Background

RETRY_SECONDS = 0.5
PATIENCE_SECONDS = 20.0
"""A page gets a sign of life more often than this."""


@dataclasses.dataclass(frozen=True)
class PageFigures:
    """What came through to a reader of the page, see `PageClient`."""

    tiles: int
    dropped: int
    connections: int
    worst_seconds: float


class PageClient(Background):
    """A reader of the page's events, in a thread of its own; connects again whenever it is lost.

    Arguments:
        port: of the page on this machine.

    Attributes:
        tiles, dropped: tiles that came with pixels, and messages that the page says it left out.
        connections: that there have been.
        worst_seconds: from the page's hearing of something to its being read, at most.
        corrections: names of operators whose corrections were acknowledged.
    """

    def __init__(self, port: int):
        super().__init__()
        self.tiles = self.dropped = self.connections = 0
        self.worst_seconds = 0.0
        self.corrections: list[str] = []
        self._port, self._said = port, 0

    def figures(self) -> PageFigures:
        """What has come so far."""
        return PageFigures(self.tiles, self.dropped, self.connections, round(self.worst_seconds, 2))

    def correct(self) -> None:
        """Says of the newest defective tile that it was wrongly rejected, if there is one and the page answers."""
        self._said += 1
        operator = f"Operator {self._said}"
        try:
            tiles = self._call("GET", "/api/state", None)[1].get("rejects")
            if not tiles:
                return
            said = {"tile": tiles[0]["id"], "verdict": "wrongly_rejected", "operator": operator}
            if self._call("POST", "/api/corrections", said)[0] == http.client.CREATED:
                self.corrections.append(operator)
        except (OSError, ValueError, http.client.HTTPException):
            # It is away.
            pass

    def _call(self, method: str, path: str, body: dict | None) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self._port}"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._read()
            except (OSError, ValueError, http.client.HTTPException):
                # It is away, or went away in the middle of a message.
                pass
            self._ended.wait(RETRY_SECONDS)

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", "/api/events")
            answer = connection.getresponse()
            self.connections += answer.status == http.client.OK
            while not self._ended.is_set() and (line := answer.readline()):
                if line.startswith(b"data: "):
                    self._hear(json.loads(line[6:]))
        finally:
            connection.close()

    def _hear(self, events: list[dict]) -> None:
        now = time.monotonic()
        for event in events:
            self.tiles += event["event"] == "pixels"
            self.dropped += event.get("messages", 0) if event["event"] == "page_dropped" else 0
            self.worst_seconds = max(self.worst_seconds, now - event.get("sent", now))
