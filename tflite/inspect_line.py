"""Inspects what passes on a belt: raw lines of an X-ray detector come in, events go out.

    python inspect_line.py MODEL [INPUT] --dark=dark.png --bright=bright.png [--width=640] [--type=uint16le]

INPUT is a file, a FIFO or, by default, the standard input. Events are JSON Lines on the standard output, with
millimetres along the belt from the first line (with --state from that of the inspection before), and across from the
first element:

    start     what inspects, how, and how late a reject comes at most
    tile      what the network says of a piece of the belt
    reject    a stretch to be thrown out, or a part of a long one
    air       where nothing lay on the belt
    unseen    what could not be looked at, and why
    untold    events that were left out, because whoever reads them was too slow
    overlap   how far the overlap of tiles is thinned, for the board to keep up
    alarm     something is wrong with the detector, the lines or this machine, or is right again
    summary   figures, now and then and at the end

Every line is accounted for by a `tile`, an `air` or an `unseen`. Needs ai-edge-litert, numpy and Pillow.
"""

import wool_board.startup  # noqa: F401

import argparse
import sys

from wool_board import command_line
from wool_board.belt import program
from wool_board.belt.config import LINES_PER_SECOND
from wool_board.belt.motion import POSITIONS
from wool_board.image.scan_files import TYPES

PROGRAM = "inspect_line.py"


def parse(arguments: list[str]) -> program.InspectionOptions:
    """The command line; leaves with status 64 if it is wrong."""
    parser = command_line.Parser(prog=PROGRAM, description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("model", metavar="MODEL", type=command_line.path, help="TFLite file with its card")
    add("input", metavar="INPUT", nargs="?", default="-", help="raw lines: a file, a FIFO or - (standard input)")
    add(
        "--dark",
        type=command_line.path,
        required=True,
        help="reference without beam: PNG, TIFF, DICOM or raw lines (.raw, .bin)",
    )
    add("--bright", type=command_line.path, required=True, help="reference of the empty belt")
    add("--width", type=int, default=640, help="elements in a line (640)")
    add("--type", choices=TYPES, default="uint16le", help="of a sample (uint16le)")
    add("--window", type=_window, help="LOW,HIGH: attenuation shown white and black, instead of the card's")
    add("--pixel_mm", type=float, help="distance of lines and of elements, instead of the card's")
    add("--lines_per_second", type=float, default=LINES_PER_SECOND, help=f"at full speed ({LINES_PER_SECOND:g})")
    add("--overlap", type=float, default=0.5, help="share of a tile that the next one shows as well (0.5)")
    add("--part_mm", type=float, help="length from which on a reject is told in parts (twice what a tile sees)")
    add("--latency_mm", type=float, default=1200, help="of the belt from the start of a reject to its event (1200)")
    text = "without any air, or with nothing but air, until the alarm (20000)"
    add("--spacing_mm", type=float, default=20000, help=text)
    add("--stall_seconds", type=float, default=2, help="without a line until the alarm (2)")
    add("--report_seconds", type=float, default=60, help="from summary to summary (60)")
    add("--threads", type=int, default=1, help="CPU threads of the network (1)")
    add("--recorded", action="store_true", help="the writer of the pipe can wait, so nothing is thinned or lost")
    add("--reopen", action="store_true", help="wait for another writer of the FIFO when one goes away")
    text = "encoder: it triggers the lines; time: only time does; count: an encoder's count follows each line (encoder)"
    add("--position", choices=POSITIONS, default="encoder", help=text)
    add("--count_mm", type=float, help="of the belt from count to count (as from line to line)")
    text = "file that says how far the inspection is, so that the one that follows goes on there"
    add("--state", metavar="FILE", type=command_line.path, help=text)
    text = "socket on which programs beside the inspection hear events, the belt's clock and pixels of tiles"
    add("--feed", metavar="SOCKET", type=command_line.path, help=text)
    # INPUT may stand behind the options, too.
    return program.InspectionOptions(**vars(parser.parse_intermixed_args(arguments)))


def _window(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be LOW,HIGH, for example 0,1.5, got {text!r}") from None
    return low, high


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    options = parse(arguments)
    return command_line.run(PROGRAM, lambda: program.run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
