"""Tells an MQTT broker of rejects, alarms, summaries and the health of this board.

    python mqtt.py --feed=SOCKET --broker=mqtt.plant.example --topic=wool/line1 --ca=ca.pem --credentials=mqtt.conf

SOCKET is what `inspect_line.py --feed=SOCKET` listens on. Below the topic, with QoS 1: `reject`, `unseen` and `alarm`,
each as the inspection says it, and with --store=FOLDER alarms of the recorder that has this folder; and, kept by the
broker, `start`, `summary`, `health` and `state`, which is {"online": false} as soon as this program is gone. While the
broker is away messages wait, as many as --most says; beyond that the oldest are dropped and counted. docs/gate.md tells
more.
"""

import wool_board.startup  # noqa: F401

import sys

from wool_board.command_line import BoardProgram
from wool_station.mqtt import program

PROGRAM = BoardProgram("mqtt.py", __doc__, program.MqttOptions, program.run)

if __name__ == "__main__":
    sys.exit(PROGRAM.main(sys.argv[1:]))
