"""The work of `station.py serve`."""

import asyncio
import contextlib
import dataclasses
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from wool_board.errors import UsageError, WoolError
from wool_board.machine.interruption import Interruption
from wool_board.machine.watchdog import Watchdog
from wool_station.page import app, state
from wool_station.page.access import Gatekeeper, Hosts, Tokens
from wool_station.page.connections import ImpatientProtocol
from wool_station.page.guard import Guard
from wool_station.page.live import Live
from wool_station.store.reader import StoreReader

LOCAL = "127.0.0.1"
TICK_SECONDS = 0.5
END_SECONDS = 2
MOST_HEADER_BYTES = 16384
MOST_CONNECTIONS = 64


@dataclasses.dataclass(frozen=True)
class ServeOptions:
    """Where the page is served, and to whom.

    Attributes:
        feed: socket of the inspection.
        store: folder.
        listen: address, or None: to this machine only.
        port: of TCP; 0: any that is free.
        tokens: file of tokens, needed with `listen`.
        name: names of this machine besides its own, by which browsers call it.
        certificate, key: PEM files for TLS, or None.
    """

    feed: Path
    store: Path
    listen: str | None
    port: int
    tokens: Path | None
    name: list[str]
    certificate: Path | None
    key: Path | None


class _Server(uvicorn.Server):
    """A server that leaves signals to `Interruption`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(options: ServeOptions) -> int:
    """Serves the page until the end is asked for.

    Raises:
        WoolError: an option or a file of it is wrong, or the port is not free.
        KeyboardInterrupt: the end was asked for.
    """
    _check(options)
    interruption, live = Interruption(), Live(options.feed)
    page = app.Page(
        StoreReader(options.store),
        live,
        Gatekeeper(Tokens(options.tokens) if options.tokens else None),
        state.Machine(),
        options.certificate is not None,
    )
    guarded = Guard(app.application(page), Hosts(options.name), page.secure)
    listener = _listen(options.listen or LOCAL, options.port)
    server = _Server(_config(options, guarded))
    _say_where(listener, page.secure)
    interruption.work()
    live.begin()
    asyncio.run(_serve(server, listener, live, interruption))
    interruption.check()
    return 0


async def _serve(server: uvicorn.Server, listener: socket.socket, live: Live, interruption: Interruption) -> None:
    watchdog = Watchdog()
    watchdog.ready()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not (interruption.asked or serving.done()):
        await asyncio.wait([serving], timeout=TICK_SECONDS)
        if not live.is_alive:
            # A defect, whose traceback the thread has shown; systemd starts the page anew.
            break
        watchdog.alive()
    # Pages that are open end with it.
    await asyncio.to_thread(live.end)
    server.should_exit = True
    await serving


def _config(options: ServeOptions, guarded: Guard) -> uvicorn.Config:
    try:
        config = uvicorn.Config(
            guarded,
            loop="asyncio",
            http=ImpatientProtocol,
            ws="none",
            lifespan="off",
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=MOST_HEADER_BYTES,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=END_SECONDS,
            ssl_certfile=options.certificate,
            ssl_keyfile=options.key,
        )
        # Reads the certificate, too.
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise WoolError(f"--certificate={options.certificate}: cannot be used ({error})") from None
    return config


def _check(options: ServeOptions) -> None:
    if not 0 <= options.port <= 65535:
        raise UsageError(f"--port={options.port}: must be 0 to 65535")
    if options.listen is not None and options.tokens is None:
        raise UsageError(f"--listen={options.listen}: others may reach the page, so --tokens=FILE is needed")
    if (options.certificate is None) != (options.key is None):
        raise UsageError("--certificate and --key go together")
    for option in ("certificate", "key"):
        file = getattr(options, option)
        if file is not None and not file.is_file():
            raise WoolError(f"--{option}={file}: no such file")


def _listen(address: str, port: int) -> socket.socket:
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        raise UsageError(f"--listen={address}: must be an address of this machine, or 0.0.0.0 for all") from None
    try:
        return socket.create_server((address, port), family=socket.AF_INET6 if version == 6 else socket.AF_INET)
    except OSError as error:
        raise WoolError(f"--port={port}: cannot listen there ({os.strerror(error.errno or 0)})") from None


def _say_where(listener: socket.socket, secure: bool) -> None:
    host, port = listener.getsockname()[:2]
    print(f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/", flush=True)
