"""Connections that would be kept for nothing are closed: those that ask nothing, or slowly, or do not take the answer.

Otherwise a few of them, from a port scanner or a phone that went out of reach, would lock all others out.
"""

import asyncio
import ipaddress

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""Within which a request must be there as a whole, from the connection or from its first byte on."""

ANSWER_SECONDS = 30.0
"""For which a client may take nothing of what is sent to it."""

MOST_OF_ONE = 24
"""Connections from one other machine: those of four browsers."""


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, for a limited time."""

    _asking: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._is_one_too_many():
            transport.abort()
        else:
            self._asking = self.loop.call_later(REQUEST_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        if is_whole and self._asking:
            self._asking.cancel()
            self._asking = None
        elif not is_whole and not self._asking:
            self._asking = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taking:
            self._taking.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._asking, self._taking):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def _is_one_too_many(self) -> bool:
        if self.client is None or ipaddress.ip_address(self.client[0]).is_loopback:
            return False
        clients = [one.client for one in self.connections if isinstance(one, H11Protocol)]
        return sum(client is not None and client[0] == self.client[0] for client in clients) > MOST_OF_ONE
