"""Drives the gate behind the inspection: at the right place of the belt, whatever is not known to be good is rejected.

    python gate.py --feed=SOCKET --distance_mm=1500 --width_mm=100 --gpio=17 [--lane=0,250 --lane=250,512 --gpio=17,27]
    python gate.py --feed=SOCKET --distance_mm=1500 --width_mm=100 --modbus=10.0.0.7 --coil=0
    python gate.py --feed=SOCKET --distance_mm=1500 --width_mm=100 --dry_run --draw=gate.svg

SOCKET is what `inspect_line.py --feed=SOCKET` listens on. Positions are lines of the detector, never seconds. The
output rests in reject: it passes only while clock messages come and all that is at the gate is known to be good. When
and why it changed is said on the standard output, in JSON Lines. docs/gate.md tells how to wire it.
"""

import wool_board.startup  # noqa: F401

import argparse
import sys

from wool_board import command_line
from wool_station.gate import program

PROGRAM = "gate.py"


def parse(arguments: list[str]) -> program.GateOptions:
    """The command line; leaves with status 64 if it is wrong."""
    parser = command_line.Parser(prog=PROGRAM, description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--feed", metavar="SOCKET", type=command_line.path, required=True, help="socket of the inspection")
    text = "along the belt, from the detector to where the gate begins"
    add("--distance_mm", type=float, required=True, help=text)
    add("--width_mm", type=float, required=True, help="of the gate along the belt")
    text = (
        "of the belt for which it rejects before a reject, at least what passes while the gate moves, and in 20 ms (50)"
    )
    add("--lead_mm", type=float, default=50, help=text)
    add("--hold_mm", type=float, default=20, help="of the belt for which it rejects behind a reject (20)")
    text = "FROM,TO in mm across the belt: one of several gates; may be given several times (one over all of it)"
    add("--lane", type=_lane, action="append", default=[], help=text)
    add("--gpio", type=_pins, metavar="PIN[,PIN]", help="pins that let lanes pass, by BCM numbers, one for each lane")
    add("--active_low", action="store_true", help="a pin lets pass by a low level instead of a high one")
    text = "pin that changes as long as this program works, for a relay that watches it"
    add("--heartbeat_gpio", type=int, metavar="PIN", help=text)
    add("--modbus", type=_address, metavar="HOST[:PORT]", help="Modbus/TCP coupler whose coils let lanes pass")
    add("--coil", type=int, default=0, help="the first coil, counted from 0; the other lanes follow (0)")
    add("--unit", type=int, default=1, help="number of the coupler (1)")
    add("--dry_run", action="store_true", help="moves nothing")
    add("--draw", metavar="FILE", type=command_line.path, help="SVG of when it rejected, written at the end")
    text = (
        "without a clock message until all is rejected (four fifths of what the belt takes at full speed for --lead_mm)"
    )
    add("--timeout_ms", type=float, help=text)
    add("--report_seconds", type=float, default=60, help="from summary to summary (60)")
    given = vars(parser.parse_args(arguments))
    return program.GateOptions(**given | {"lane": tuple(given["lane"])})


def _lane(text: str) -> tuple[float, float]:
    try:
        left, right = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be FROM,TO, for example 0,250, got {text!r}") from None
    return left, right


def _pins(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers of pins, for example 17,27, got {text!r}") from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if ":" in text else (text, "", "")
    try:
        number = int(port) if port else program.MODBUS_PORT
    except ValueError:
        number = 0
    if not host or not 0 < number < 65536:
        raise argparse.ArgumentTypeError(f"must be HOST or HOST:PORT, got {text!r}")
    return host.strip("[]"), number


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    options = parse(arguments)
    return command_line.run(PROGRAM, lambda: program.run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
