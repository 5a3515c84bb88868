"""Drives the gate behind the inspection: at the right place of the belt, whatever is not known to be good is rejected.

    python gate.py --feed=SOCKET --distance_mm=1500 --width_mm=100 --gpio=17 [--lane=0,250 --lane=250,512 --gpio=17,27]
    python gate.py --feed=SOCKET --distance_mm=1500 --width_mm=100 --modbus=10.0.0.7 --coil=0
    python gate.py --feed=SOCKET --distance_mm=1500 --width_mm=100 --dry_run --draw=gate.svg

SOCKET is what `inspect_line.py --feed=SOCKET` listens on. Positions are lines of the detector, never seconds. The
output rests in reject: it passes only while clock messages come and all that is at the gate is known to be good. When
and why it changed is said on the standard output, in JSON Lines. docs/gate.md tells how to wire it.
"""

import wool_board.startup  # noqa: F401

import sys

from wool_board.command_line import BoardProgram
from wool_station.gate import program

PROGRAM = BoardProgram("gate.py", __doc__, program.GateOptions, program.run)

if __name__ == "__main__":
    sys.exit(PROGRAM.main(sys.argv[1:]))
