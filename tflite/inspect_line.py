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

import sys

from wool_board.belt import program
from wool_board.command_line import BoardProgram

PROGRAM = BoardProgram("inspect_line.py", __doc__, program.InspectionOptions, program.run)

if __name__ == "__main__":
    sys.exit(PROGRAM.main(sys.argv[1:]))
