"""Tells an MQTT broker of rejects, alarms, summaries and the health of this board.

    python mqtt.py --feed=SOCKET --broker=mqtt.plant.example --topic=wool/line1 --ca=ca.pem --credentials=mqtt.conf

SOCKET is what `inspect_line.py --feed=SOCKET` listens on. Below the topic, with QoS 1: `reject`, `unseen` and `alarm`,
each as the inspection says it, and with --store=FOLDER alarms of the recorder that has this folder; and, kept by the
broker, `start`, `summary`, `health` and `state`, which is {"online": false} as soon as this program is gone. While the
broker is away messages wait, as many as --most says; beyond that the oldest are dropped and counted. docs/gate.md tells
more.
"""

import wool_board.startup  # noqa: F401

import argparse
import socket
import sys

from wool_board import command_line
from wool_station.mqtt import program

PROGRAM = "mqtt.py"


def parse(arguments: list[str]) -> program.MqttOptions:
    """The command line; leaves with status 64 if it is wrong."""
    parser = command_line.Parser(prog=PROGRAM, description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--feed", metavar="SOCKET", type=command_line.path, required=True, help="socket of the inspection")
    text = "folder of station.py record, whose own alarms are published as well"
    add("--store", metavar="FOLDER", type=command_line.path, help=text)
    add("--broker", type=_address, metavar="HOST[:PORT]", required=True, help="the broker (port 1883, with TLS 8883)")
    name = socket.gethostname()
    add("--topic", default=f"wool/{name}", help=f"before all topics (wool/{name})")
    add("--client", default=f"wool-{name}", help=f"name of this client, which no other may have (wool-{name})")
    text = "with lines user=NAME and password=WORD, that others may not read"
    add("--credentials", metavar="FILE", type=command_line.path, help=text)
    add("--tls", action="store_true", help="speak TLS, and check the broker by the certificates of the system")
    add("--ca", metavar="FILE", type=command_line.path, help="speak TLS, and check the broker by these (PEM)")
    add("--most", type=int, default=10000, help="messages that wait while the broker is away (10000)")
    add("--health_seconds", type=float, default=10, help="from one word on the board's health to the next (10)")
    return program.MqttOptions(**vars(parser.parse_args(arguments)))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if ":" in text else (text, "", "")
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
        raise argparse.ArgumentTypeError(f"must be HOST or HOST:PORT, got {text!r}")
    return host.strip("[]"), int(port or 0)


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    options = parse(arguments)
    return command_line.run(PROGRAM, lambda: program.run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
