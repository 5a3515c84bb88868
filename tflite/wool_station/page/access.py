"""Who may do what: tokens, sessions, and from which pages of which hosts requests may come."""

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from wool_board.errors import Unusable

READ, WRITE = "read", "write"
LEAST_LENGTH = 12
"""Characters of a token."""

SESSION_SECONDS = 12 * 3600
MOST_SESSIONS = 64
FAILURES, FAILURE_SECONDS = 10, 60.0
"""So many wrong tokens from an address within this time, and nobody there can log in until it is over."""

MOST_ADDRESSES = 1000
HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::\d{1,5})?", re.ASCII)


class Tokens:
    """The tokens of a file, each of which gives a right.

    Each line of the file is `read TOKEN` or `write TOKEN`; who may write may read. Empty lines and those that begin
    with # do not count.

    Raises:
        WoolError: the file cannot be read, is open to everybody, or a line of it is wrong.
    """

    def __init__(self, file: Path):
        try:
            mode, text = file.stat().st_mode, file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable("tokens", file, f"cannot be read ({getattr(error, 'strerror', error)})") from None
        if stat.S_IMODE(mode) & 0o007:
            raise Unusable("tokens", file, f"every user of this machine may use it; chmod o= {file}")
        lines = [line.strip() for line in text.splitlines()]
        self._rights = [_right(file, number, line) for number, line in enumerate(lines, 1) if line and line[0] != "#"]
        if not self._rights:
            raise Unusable("tokens", file, f"has no token; add a line such as: write {secrets.token_urlsafe(16)}")

    def right(self, token: str) -> str | None:
        """The right that a token gives, or None; takes as long for every token."""
        digest, found = _digest(token), None
        for right, known in self._rights:
            if hmac.compare_digest(digest, known):
                found = right
        return found


def _right(file: Path, number: int, line: str) -> tuple[str, bytes]:
    right, _, token = line.partition(" ")
    token = token.strip()
    if right not in (READ, WRITE) or len(token) < LEAST_LENGTH or " " in token:
        rule = f"must be `read TOKEN` or `write TOKEN`, a token of {LEAST_LENGTH} characters or more without spaces"
        raise Unusable("tokens", file, f"line {number} {rule}")
    return right, _digest(token)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


class Gatekeeper:
    """Knows who has logged in.

    Arguments:
        tokens: that give rights; None: everybody who reaches the server may read and write.
    """

    def __init__(self, tokens: Tokens | None):
        self._tokens = tokens
        self._sessions: dict[bytes, tuple[str, float]] = {}
        self._failures: dict[str, list[float]] = {}

    @property
    def asks(self) -> bool:
        """Whether it asks for tokens."""
        return self._tokens is not None

    def right(self, session: str, bearer: str, address: str) -> str | None:
        """The right of a request from an address, by its cookie or its token."""
        if self._tokens is None:
            return WRITE
        if bearer:
            return self._by_token(bearer, address)
        right, until = self._sessions.get(_digest(session), (None, 0.0))
        return right if time.monotonic() < until else None

    def is_locked(self, address: str) -> bool:
        """Whether too many tokens from an address were wrong lately."""
        now = time.monotonic()
        recent = [moment for moment in self._failures.get(address, []) if now - moment < FAILURE_SECONDS]
        return len(recent) >= FAILURES

    def log_in(self, token: str, address: str) -> str | None:
        """A new session; None if the token is wrong."""
        right = self._by_token(token, address)
        if right is None:
            return None
        session = secrets.token_urlsafe(32)
        self._sessions[_digest(session)] = right, time.monotonic() + SESSION_SECONDS
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        return session

    def log_out(self, session: str) -> None:
        self._sessions.pop(_digest(session), None)

    def _by_token(self, token: str, address: str) -> str | None:
        if self._tokens is None or self.is_locked(address):
            return None
        right = self._tokens.right(token)
        if right is None:
            failures = self._failures.pop(address, [])
            self._failures[address] = [*failures, time.monotonic()][-FAILURES:]
            while len(self._failures) > MOST_ADDRESSES:
                self._failures.pop(next(iter(self._failures)))
        return right


class Hosts:
    """The names by which this server may be called.

    A page of another site can have its own name point to this machine (DNS rebinding); the name is then in the request.
    So a name must be one of this machine's; addresses cannot be pointed elsewhere.

    Arguments:
        names: besides localhost and this machine's own.
    """

    def __init__(self, names: Iterable[str] = ()):
        own = socket.gethostname().lower()
        self._names = {"localhost", own, f"{own.partition('.')[0]}.local", *(name.lower() for name in names)}

    def knows(self, host: str) -> bool:
        """Whether a request's `Host` names this machine."""
        found = HOST.fullmatch(host)
        if not found:
            return False
        return _is_address(found["address"] or found["name"]) or (found["name"] or "").lower() in self._names


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
