"""Connections to the page that ask nothing, or slowly, or do not take what they asked for."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
import uvicorn

from wool_station.page import connections
from wool_station.page.connections import ImpatientProtocol

SECONDS = 0.5
ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


async def answer(scope, receive, send):
    """Says how long the body is; of /much sends 64 MB before."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000 if scope["path"] == "/much" else 0):
        await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
    await send({"type": "http.response.body", "body": str(length).encode()})


@pytest.fixture
def server(monkeypatch):
    """A server that is impatient, and its port."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", SECONDS)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", SECONDS)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(answer, loop="asyncio", http=ImpatientProtocol, ws="none", lifespan="off",
                            log_level="critical", timeout_graceful_shutdown=0)  # fmt: skip
    made = Quiet(config)
    thread = threading.Thread(target=lambda: asyncio.run(made.serve([listener])))
    thread.start()
    made.port = listener.getsockname()[1]
    yield made
    made.should_exit = True
    thread.join()
    listener.close()


@contextlib.contextmanager
def connected(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        yield connection


def answered(connection) -> bytes:
    """A whole answer in chunks."""
    found = b""
    while not found.endswith(b"0\r\n\r\n"):
        piece = connection.recv(1 << 16)
        assert piece, found
        found += piece
    return found


def ended_after(connection) -> float:
    """Seconds until the server closes the connection."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while connection.recv(1 << 16):
            pass
    return time.monotonic() - began


@pytest.mark.parametrize("begun", [b"", b"GET / HTT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody"])
def test_a_request_that_does_not_come_is_not_waited_for(server, begun):
    with connected(server) as connection:
        connection.sendall(begun)
        assert SECONDS - 0.2 < ended_after(connection) < 10
    assert not server.server_state.connections


def test_bytes_that_trickle_in_do_not_help(server):
    with connected(server) as connection, contextlib.suppress(OSError):
        for byte in ASK[:1] * 200:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
        pytest.fail("it is still open after ten seconds")


def test_an_answer_that_is_not_taken_is_not_kept(server):
    with connected(server) as connection:
        connection.sendall(ASK.replace(b"/ ", b"/much "))
        end = time.monotonic() + 10
        while not server.server_state.connections:
            time.sleep(0.01)
        while server.server_state.connections and time.monotonic() < end:
            time.sleep(0.05)
        assert not server.server_state.connections


def test_whoever_asks_in_time_is_answered_again_and_again(server):
    with connected(server) as connection:
        for _ in range(3):
            connection.sendall(ASK[:9])
            time.sleep(SECONDS / 5)
            connection.sendall(ASK[9:])
            assert b"200 OK" in answered(connection)
            # Longer than a request may take; between two of them that does not count.
            time.sleep(2 * SECONDS)


def test_one_machine_has_a_limited_number_of_connections(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST_OF_ONE", 2)
    monkeypatch.setattr(connections.ipaddress.IPv4Address, "is_loopback", False)
    with connected(server) as one, connected(server) as two, connected(server) as three:
        assert ended_after(three) < SECONDS
        for connection in (one, two):
            connection.sendall(ASK)
            assert b"200 OK" in answered(connection)
