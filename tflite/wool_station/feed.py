"""Reads the feed of an inspection (`wool_board.belt.feed`), and connects anew whenever it is lost."""

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wool_board.belt.feed import WITHOUT_PIXELS
from wool_board.belt.feed_buffer import HEADER
from wool_board.errors import WoolError, in_one_line

LOST, SILENT = "feed_lost", "feed_silent"
"""Events that the feed itself does not have: there is no connection (any more), with the reason in `text`; and nothing
has come for some time, with or without a connection."""

RETRY_SECONDS = 0.2
MOST_BYTES = 64 << 20
"""A message that claims to be longer is none."""

RECEIVED = 1 << 18


def messages(
    path: Path, pixels: bool = True, silence: float = 0.5, is_stopped: Callable[[], bool] = lambda: False
) -> Iterator[tuple[dict, bytes]]:
    """What the feed says, each with its payload, as long as this is asked for more.

    Whoever connects hears `start` first, again after each loss. The alarms that stand follow it, as they were told.

    Arguments:
        path: of the socket.
        pixels: whether tiles are to come with their pixels.
        silence: seconds without a message after which SILENT comes, so that whoever asks can do something else.
        is_stopped: whether to end; is asked after each message, SILENT included.
    """
    is_told = False
    while not is_stopped():
        try:
            connection = _connected(path, pixels)
        except (OSError, WoolError) as error:
            text = f"{path}: no inspection listens there ({getattr(error, 'strerror', None) or error})"
            yield {"event": SILENT if is_told else LOST, "text": text}, b""
        else:
            with contextlib.closing(connection):
                for event, payload in _received(connection, silence):
                    yield event, payload
                    if is_stopped():
                        return
        # It was told, by the last message of that connection at the latest.
        is_told = True
        end = time.monotonic() + RETRY_SECONDS
        while not is_stopped() and time.monotonic() < end:
            time.sleep(min(RETRY_SECONDS, silence))
            yield {"event": SILENT}, b""


def _connected(path: Path, pixels: bool) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.connect(os.fspath(path))
        if not pixels:
            connection.send(WITHOUT_PIXELS)
    except OSError:
        connection.close()
        raise
    return connection


def _received(connection: socket.socket, silence: float) -> Iterator[tuple[dict, bytes]]:
    """Messages until the connection ends, LOST the last of them."""
    poll, buffer = select.poll(), bytearray()
    poll.register(connection, select.POLLIN)
    while True:
        if not poll.poll(1e3 * silence):
            yield {"event": SILENT}, b""
            continue
        try:
            content = connection.recv(RECEIVED)
            if not content:
                raise WoolError("the inspection ended, or cut this reader off")
            buffer += content
            yield from _taken(buffer)
        except BlockingIOError:
            continue
        except (OSError, WoolError) as error:
            yield {"event": LOST, "text": in_one_line(error)}, b""
            return


def _taken(buffer: bytearray) -> Iterator[tuple[dict, bytes]]:
    """The whole messages at the beginning of a buffer, which are taken out of it."""
    start = 0
    while len(buffer) - start >= HEADER.size:
        text, payload = HEADER.unpack_from(buffer, start)
        if text + payload > MOST_BYTES:
            raise WoolError("what comes there is no feed of an inspection")
        begin = start + HEADER.size
        stop = begin + text + payload
        if len(buffer) < stop:
            break
        try:
            event = json.loads(buffer[begin : begin + text])
            assert isinstance(event["event"], str)
        except (ValueError, TypeError, KeyError, AssertionError):
            raise WoolError("what comes there is no feed of an inspection") from None
        yield event, bytes(buffer[begin + text : stop])
        start = stop
    del buffer[:start]
