"""The feed: events, the belt's clock and the pixels of tiles, for programs that run beside the inspection.

The inspection listens on a Unix stream socket. Whoever connects gets messages, each of them 4 bytes with the length of
its JSON and 4 bytes with that of its payload, both little-endian, then the JSON (UTF-8) and the payload. The first
message is `start`, then come the alarms that stand, then whatever happens.

Nothing here ever holds the inspection up: it only puts messages into buffers, and a thread of its own sends them. A
reader that is too slow loses pixels first, of passed tiles before defective ones, then tiles, air and overlaps, and is
told so (`dropped`); if even what is left does not fit into its buffer, it is cut off.
"""

import contextlib
import errno
import json
import os
import select
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from wool_board.belt.feed_buffer import DEFECTIVE, PASSED, SPARE, VITAL, FeedBuffer, message
from wool_board.errors import BadSetting, Unusable, in_one_line

WITHOUT_PIXELS = b"without pixels\n"
"""What a reader may send as soon as it has connected, to get no pixels."""

MOST_READERS = 8

CLOCK_SECONDS = 0.005
"""From one clock message to the next while lines come: at 1 m/s the belt moves 5 mm."""

IDLE_SECONDS = 0.05
LONGEST_PATH = 107
"""Bytes that Linux allows for the path of a socket."""


class Position(NamedTuple):
    """How far the belt is.

    Attributes:
        arrived: detector lines since the start; while it grows, the detector and the belt's clock are alive.
        line: of the belt, before which all lines have arrived.
        decided: line of the belt before which all is told: no later event is about a line before it, but for `air`.
    """

    arrived: int
    line: int
    decided: int


class Feed:
    """Serves the feed.

    Arguments:
        path: of the socket. One that a dead inspection left is replaced.

    Attributes:
        counts: since the start: readers that were cut off, pixels and events that were left out.
        trouble: why the feed ended, or None.

    Raises:
        WoolError: there cannot be a socket.
    """

    def __init__(self, path: Path):
        self.counts = {"cut_off": 0, "dropped_pixels": 0, "dropped_events": 0}
        self.trouble: str | None = None
        self._path, self._listener = path, _listen(path)
        self._readers: dict[socket.socket, FeedBuffer] = {}
        self._start: bytes = b""
        self._standing: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._arrived = -1

    @property
    def readers(self) -> int:
        """Programs that are connected."""
        return len(self._readers)

    @property
    def wants_pixels(self) -> bool:
        with self._lock:
            return any(reader.wants_pixels for reader in self._readers.values())

    def tell(self, event: str, fields: dict, text: str, spare: bool) -> None:
        """Sends an event.

        Arguments:
            event: its name.
            fields: that it has besides.
            text: its JSON.
            spare: whether it calls for no action.
        """
        content = message(text)
        with self._lock:
            if event == "start":
                self._start = content
            elif event == "alarm" and "on" in fields:
                self._standing.pop(fields["alarm"], None)
                if fields["on"]:
                    self._standing[fields["alarm"]] = content
            self._offer(content, SPARE if spare else VITAL)

    def show(self, fields: dict, payload: bytes) -> None:
        """Sends the pixels of a tile: the fields of the event `pixels`, and what they say that follows."""
        content = message(json.dumps({"event": "pixels", **fields}), payload)
        with self._lock:
            self._offer(content, DEFECTIVE if fields["defective"] else PASSED)

    @contextlib.contextmanager
    def serving(self, position: Callable[[], Position | None], pixel_mm: float, seconds: float) -> Iterator[None]:
        """Serves readers while the context lasts; once only.

        Arguments:
            position: tells how far the belt is, None if that is not known; is called by another thread.
            pixel_mm: of the belt from line to line.
            seconds: within which readers must take what waits at the end.
        """
        self._position, self._pixel_mm = position, pixel_mm
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end = time.monotonic() + seconds
            while any(reader.waiting for reader in list(self._readers.values())) and time.monotonic() < end:
                time.sleep(CLOCK_SECONDS)
            self._stopped.set()
            thread.join()

    def close(self) -> None:
        """Listens no more."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._listener.close()

    def _offer(self, content: bytes, share: float) -> None:
        for reader in self._readers.values():
            if reader.wants_pixels or share in (SPARE, VITAL):
                self._count(reader.offer(content, share))

    def _count(self, dropped: str | None) -> None:
        if dropped:
            self.counts[f"dropped_{dropped}"] += 1

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._hear(CLOCK_SECONDS if self._readers else IDLE_SECONDS)
                self._tick()
                for connection in list(self._readers):
                    self._send(connection)
        except Exception as error:  # The inspection goes on without its feed, and says so.
            self.trouble = in_one_line(error)
        finally:
            self.close()
            for connection in list(self._readers):
                self._leave(connection)

    def _hear(self, seconds: float) -> None:
        """Waits for new readers, and for those that go away."""
        poll = select.poll()
        connections = {connection.fileno(): connection for connection in self._readers}
        for descriptor in (self._listener.fileno(), *connections):
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(1e3 * seconds):
            if descriptor in connections:
                self._listen_to(connections[descriptor])
            else:
                self._accept()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            # Too many open files, or a reader that has changed its mind.
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(IDLE_SECONDS)
            return
        connection.setblocking(False)
        if len(self._readers) >= MOST_READERS:
            text = f"the feed has {MOST_READERS} readers already"
            with contextlib.suppress(OSError):
                connection.send(message(json.dumps({"event": "refused", "text": text})))
            connection.close()
            return
        reader = FeedBuffer()
        with self._lock:
            for content in (self._start, *self._standing.values()):
                reader.offer(content, VITAL)
            self._readers[connection] = reader

    def _listen_to(self, connection: socket.socket) -> None:
        try:
            said = connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said.startswith(WITHOUT_PIXELS):
            self._readers[connection].wants_pixels = False
        elif not said:
            self._leave(connection)

    def _tick(self) -> None:
        """Sends the belt's clock, if lines have come."""
        position = self._position()
        if not self._readers or position is None or position.arrived == self._arrived:
            return
        self._arrived = position.arrived
        fields = {
            "event": "clock",
            "line": position.line,
            "along_mm": round(position.line * self._pixel_mm, 1),
            "decided": position.decided,
            "monotonic": round(time.monotonic(), 6),
        }
        content = message(json.dumps(fields))
        with self._lock:
            for reader in self._readers.values():
                self._count(reader.tick(content))

    def _send(self, connection: socket.socket) -> None:
        """Sends what a reader takes now."""
        reader = self._readers[connection]
        while not reader.is_lost:
            with self._lock:
                piece = reader.next()
            if piece is None:
                return
            try:
                count = connection.send(piece)
            except BlockingIOError:
                return
            except OSError:
                self._leave(connection)
                return
            with self._lock:
                reader.taken(count)
        self.counts["cut_off"] += 1
        self._leave(connection)

    def _leave(self, connection: socket.socket) -> None:
        with self._lock:
            del self._readers[connection]
        connection.close()


def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise BadSetting("feed", path, f"a socket's path must have at most {LONGEST_PATH} bytes; give a shorter one")
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Readers are of the group.
    mask = os.umask(0o117)
    try:
        listener.bind(os.fspath(path))
        listener.listen(MOST_READERS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise Unusable("feed", path, f"cannot listen there ({error.strerror})") from None
    finally:
        os.umask(mask)
    return listener


def _clear(path: Path) -> None:
    """Removes a socket that nobody listens on any more."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise BadSetting("feed", path, "is a file already, and no socket; give another path")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.setblocking(False)
            other.connect(os.fspath(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return
    except BlockingIOError:
        pass
    except OSError as error:
        raise Unusable("feed", path, f"cannot listen there ({error.strerror})") from None
    raise Unusable("feed", path, "another inspection listens there; end it, or give another path")
