"""An MQTT broker, Mosquitto, on a free port of this machine, and somebody who hears what a station publishes."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

from wool_tf.errors import WoolError

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
"""None where there is none."""

BEGIN_SECONDS = 20.0


def free_port() -> int:
    """A free port of TCP."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Mosquitto:
    """A broker, which can be killed and started again.

    Arguments:
        folder: for its settings.
        lines: of its settings, besides the port; without any, everybody may do everything.

    Attributes:
        port: of it.

    Raises:
        WoolError: it does not begin.
    """

    def __init__(self, folder: Path, *lines: str):
        self.port = free_port()
        self._settings = folder / "mosquitto.conf"
        text = [f"listener {self.port} 127.0.0.1", *(lines or ("allow_anonymous true",)), "user root"]
        self._settings.write_text("\n".join(text) + "\n")
        self.start()

    def __enter__(self) -> "Mosquitto":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it; returns as soon as it listens."""
        assert PROGRAM
        self._process = subprocess.Popen([PROGRAM, "-c", self._settings], stderr=subprocess.DEVNULL)
        end = time.monotonic() + BEGIN_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise WoolError(f"{PROGRAM}: does not begin to listen on port {self.port}")

    def kill(self) -> None:
        """Kills it."""
        self._process.kill()
        self._process.wait()


class MqttSubscriber:
    """Hears what comes below a topic.

    Arguments:
        port: of the broker on this machine.
        topic: before all others.
        session: name under which the broker keeps what comes while it is away; None: it keeps nothing.

    Attributes:
        heard: topic, what came, and whether the broker had kept it, of each message.
    """

    def __init__(self, port: int, topic: str, session: str | None = None):
        from paho.mqtt import client as paho

        self.heard: list[tuple[str, dict, bool]] = []
        self._topic = topic
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, session or "", clean_session=session is None)
        self._client.on_message = self._hear
        self._client.on_connect = lambda client, *_: client.subscribe(f"{topic}/#", qos=1)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port, 5)
        self._client.loop_start()

    def __enter__(self) -> "MqttSubscriber":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def of(self, topic: str) -> list[dict]:
        """What came on a topic."""
        return [payload for name, payload, _ in list(self.heard) if name == f"{self._topic}/{topic}"]

    def end(self) -> None:
        """Leaves."""
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: object, _data: object, message: object) -> None:
        topic, payload, retain = (getattr(message, name) for name in ("topic", "payload", "retain"))
        self.heard.append((topic, json.loads(payload), retain))
