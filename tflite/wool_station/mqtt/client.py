"""The connection to the broker, through paho-mqtt, whose thread connects again whenever it is lost."""

import dataclasses
import threading
from pathlib import Path
from typing import Any

from wool_board.errors import UsageError, WoolError, in_one_line
from wool_station.mqtt.messages import OFFLINE, STATE
from wool_station.mqtt.outbox import Message

MOST_UNACKNOWLEDGED = 20
"""Messages that are on their way at once; those that a broker has not acknowledged when it goes away come again."""

FIRST_DELAY, LONGEST_DELAY = 1, 30
"""Seconds from one try to connect to the next, and to that after many."""

KEEP_ALIVE = 15
"""Seconds after which both ends look whether the other is there; after half as many more the broker sends the will."""

AT_LEAST_ONCE = 1


@dataclasses.dataclass(frozen=True)
class Broker:
    """Where the broker is.

    Attributes:
        host, port: of it.
        topic: before all others.
        client: name of this client.
        user, password: or None.
        is_secure: whether to speak TLS.
        authority: file with the certificates that its own is checked by; None: those of the system.
    """

    host: str
    port: int
    topic: str
    client: str
    user: str | None
    password: str | None
    is_secure: bool
    authority: Path | None


class Client:
    """A connection.

    Attributes:
        trouble: why there is none, or None.
        connections: that there have been.

    Raises:
        WoolError: paho-mqtt is missing, or the certificates are none.
    """

    def __init__(self, broker: Broker):
        try:
            from paho.mqtt import client as paho
        except ImportError:
            raise WoolError("this needs paho-mqtt; pip install 'paho-mqtt>=2.1,<3'") from None
        self.trouble: str | None = "not connected yet"
        self.connections = 0
        self._broker, self._lock = broker, threading.Lock()
        self._unacknowledged = 0
        self._is_connected = False
        self._paho: Any = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=broker.client)
        self._paho.on_connect, self._paho.on_disconnect = self._connected, self._disconnected
        self._paho.on_connect_fail, self._paho.on_publish = self._failed, self._acknowledged
        self._paho.reconnect_delay_set(FIRST_DELAY, LONGEST_DELAY)
        self._paho.will_set(f"{broker.topic}/{STATE}", OFFLINE, AT_LEAST_ONCE, retain=True)
        if broker.user is not None:
            self._paho.username_pw_set(broker.user, broker.password)
        if broker.is_secure:
            self._secure(broker.authority)

    def start(self) -> None:
        """Connects, and again whenever that is needed."""
        self._paho.connect_async(self._broker.host, self._broker.port, KEEP_ALIVE)
        self._paho.loop_start()

    @property
    def unacknowledged(self) -> int:
        """Messages on their way."""
        with self._lock:
            return self._unacknowledged

    @property
    def has_room(self) -> bool:
        """Whether the broker is there and takes more."""
        with self._lock:
            return self._is_connected and self._unacknowledged < MOST_UNACKNOWLEDGED

    def publish(self, message: Message) -> None:
        """Sends a message, at least once."""
        with self._lock:
            self._unacknowledged += 1
        self._paho.publish(f"{self._broker.topic}/{message.topic}", message.text, AT_LEAST_ONCE, message.retain)

    def end(self) -> None:
        """Leaves; the broker then publishes no last will."""
        self._paho.disconnect()
        self._paho.loop_stop()

    def _secure(self, authority: Path | None) -> None:
        try:
            self._paho.tls_set(None if authority is None else str(authority))
        except (OSError, ValueError) as error:
            raise UsageError(f"--ca={authority}: holds no certificates in PEM ({in_one_line(error)})") from None

    def _connected(self, _client: object, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        with self._lock:
            self._is_connected = not reason.is_failure
            self.connections += self._is_connected
        self.trouble = f"the broker refuses ({reason})" if reason.is_failure else None

    def _disconnected(self, _client: object, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        with self._lock:
            self._is_connected = False
        # What a broker says as it refuses tells more than that it then leaves.
        self.trouble = self.trouble or f"the connection was lost ({reason})"

    def _failed(self, _client: object, _data: object) -> None:
        self.trouble = "the broker does not answer"

    def _acknowledged(self, *_: object) -> None:
        with self._lock:
            self._unacknowledged -= 1
