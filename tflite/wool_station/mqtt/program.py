"""The work of `mqtt.py`."""

import dataclasses
import math
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

from wool_board.errors import BadSetting, Unusable, named
from wool_board.machine.interruption import Interruption
from wool_board.machine.watchdog import Watchdog
from wool_board.options import NEEDED, address, called, option
from wool_board.settings import check
from wool_station.feed import messages
from wool_station.log import Log
from wool_station.mqtt.alarm_reader import AlarmReader
from wool_station.mqtt.client import Broker, Client
from wool_station.mqtt.messages import OFFLINE, STATE, MessageBuilder
from wool_station.mqtt.outbox import Message, Outbox
from wool_station.options import FeedOptions

PORT, SECURE_PORT = 1883, 8883
SILENCE_SECONDS = 0.1
END_SECONDS = 2.0
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MqttOptions(FeedOptions):
    """What to publish, and where, as a user says it.

    Raises:
        BadSetting: a value breaks its rule.
    """

    store: Path | None = option(
        None, "Folder of `station.py record`, whose own alarms are published as well.", form="FOLDER"
    )
    broker: tuple[str, int] = option(
        NEEDED,
        f"The broker (port {PORT} where none is given, with TLS {SECURE_PORT}).",
        form="HOST[:PORT]",
        read=address(0),
    )
    topic: str | None = option(None, "Before all topics; by default wool/ and the name of this machine.")
    client: str | None = option(
        None, "Name of this client, which no other may have; by default wool- and the name of this machine."
    )
    credentials: Path | None = option(
        None, "File with lines user=NAME and password=WORD, that others may not read.", form="FILE"
    )
    tls: bool = option(False, "Speak TLS, and check the broker by the certificates of the system.")
    ca: Path | None = option(None, "Speak TLS, and check the broker by these certificates (PEM).", form="FILE")
    most: int = option(10000, "Messages that wait while the broker is away.", at_least=1)
    health_seconds: float = option(10, "Time from one word on the board's health to the next.", above=0, below=math.inf)

    def __post_init__(self) -> None:
        check(self)
        topic = self.topic
        if topic is not None and (not topic or topic.strip("/") != topic or set(topic) & set("+#\0")):
            raise BadSetting("topic", topic, "must be one or more words with / between them, without + and #")
        if self.client == "":
            raise BadSetting("client", "", "must not be empty")

    @property
    def is_secure(self) -> bool:
        return self.tls or self.ca is not None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the broker."""
        host, port = self.broker
        return host, port or (SECURE_PORT if self.is_secure else PORT)


def run(options: MqttOptions) -> int:
    """Publishes until it is told to end; returns the exit status.

    Raises:
        WoolError: an option or a file of it is wrong.
        KeyboardInterrupt: the end was asked for.
    """
    if options.ca and not options.ca.is_file():
        raise BadSetting("ca", options.ca, "is no file; give the certificate of the plant's authority in PEM")
    broker = _broker(options)
    publisher = Publisher(options, Client(broker), Log())
    interruption = Interruption()
    interruption.work()
    if broker.password is not None and not broker.is_secure and broker.host not in LOCAL:
        text = "the password goes over the network in clear: give `tls` or `ca`"
        publisher.note("credentials", named(text, called(MqttOptions)))
    publisher.run(options.feed, lambda: interruption.asked)
    interruption.check()
    return 0


class Publisher:
    """Hears the feed, and publishes.

    Arguments:
        options: of the program.
        client: not started yet.
        log: of what becomes of the connection.
    """

    def __init__(self, options: MqttOptions, client: Client, log: Log):
        self._client, self._log, self._seconds = client, log, options.health_seconds
        self._builder, self._outbox, self._watchdog = MessageBuilder(), Outbox(options.most), Watchdog()
        self._recorder = AlarmReader(options.store) if options.store else None
        self._trouble: str | None = ""
        self._store_trouble: str | None = None
        self._dropped = self._connections = 0
        self._due = 0.0

    def note(self, name: str, text: str) -> None:
        """Says something on the standard output."""
        self._log.tell("note", name=name, text=text)

    def run(self, feed: Path, is_stopped: Callable[[], bool]) -> None:
        """Works until it is to stop."""
        self._client.start()
        self._outbox.put(self._builder.state())
        self._watchdog.ready()
        for event, _ in messages(feed, False, SILENCE_SECONDS, is_stopped):
            self._watchdog.alive()
            for message in self._builder.hear(event):
                self._outbox.put(message)
            self._hear_recorder()
            self._pump()
            self._say()
        self._end()

    def _hear_recorder(self) -> None:
        if self._recorder is None:
            return
        if found := self._recorder.look():
            for message in self._builder.hear_recorder(found):
                self._outbox.put(message)
        if self._recorder.trouble != self._store_trouble:
            self._store_trouble = self._recorder.trouble
            self.note("store", self._store_trouble or "the store is read")

    def _pump(self) -> None:
        """Publishes what the broker takes."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._seconds
            waiting = len(self._outbox) + self._client.unacknowledged
            self._outbox.put(self._builder.health(waiting, self._outbox.dropped))
        while self._client.has_room and (message := self._outbox.take()):
            self._client.publish(message)

    def _say(self) -> None:
        if self._client.connections != self._connections:
            # Before this, the broker may have published the last will.
            self._connections = self._client.connections
            self._outbox.put(self._builder.state())
        if self._client.trouble != self._trouble:
            self._trouble = self._client.trouble
            self.note("broker", self._trouble or "connected")
        if self._outbox.dropped >= max(1, 2 * self._dropped):
            self._dropped = self._outbox.dropped
            self.note("dropped", f"{self._dropped} messages were dropped: the broker was away for too long")
        self._log.push()

    def _end(self) -> None:
        """Publishes the rest, if the broker takes it, and that this is over."""
        self._outbox.put(Message(STATE, OFFLINE, True))
        end = time.monotonic() + END_SECONDS
        while time.monotonic() < end and (len(self._outbox) or self._client.unacknowledged):
            while self._client.has_room and (message := self._outbox.take()):
                self._client.publish(message)
            time.sleep(0.01)
        left = len(self._outbox) + self._client.unacknowledged
        self._client.end()
        self._log.tell("mqtt_summary", dropped=self._outbox.dropped, left=left)
        self._log.finish(END_SECONDS)


def _broker(options: MqttOptions) -> Broker:
    user, password = _credentials(options.credentials) if options.credentials else (None, None)
    here = socket.gethostname()
    names = options.topic or f"wool/{here}", options.client or f"wool-{here}"
    return Broker(*options.address, *names, user, password, options.is_secure, options.ca)


def _credentials(path: Path) -> tuple[str, str | None]:
    """User and password of a file."""
    try:
        if path.stat().st_mode & stat.S_IRWXO:
            raise BadSetting("credentials", path, f"anybody may read it; chmod o= {path}")
        lines = path.read_text().splitlines()
    except OSError as error:
        raise Unusable("credentials", path, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadSetting("credentials", path, "must be text in UTF-8") from None
    given = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    if not set(given) <= {"user", "password"} or not given.get("user"):
        raise BadSetting("credentials", path, "must have a line user=NAME, and may have one password=WORD")
    return given["user"], given.get("password")
