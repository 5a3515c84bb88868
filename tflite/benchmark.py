"""How long TFLite files take on this machine, several of them in turns.

    python benchmark.py MODEL... [--threads=1,2,4] [--runs=200] [--json[=FILE]]

The models take turns of some runs each, so a machine that slows down or is disturbed does so for all of them, and their
ratios hold. A run hands over an image of random pixels, computes, and reads the result. What an inspection does before,
from the detector's counts to pixels, is timed by itself. Needs ai-edge-litert and numpy.
"""

import wool_board.startup  # noqa: F401

import sys

from wool_board.benchmark import program
from wool_board.command_line import BoardProgram

PROGRAM = BoardProgram(
    "benchmark.py", __doc__, program.BenchmarkOptions, program.run, {"--json": program.STANDARD_OUTPUT}
)

if __name__ == "__main__":
    sys.exit(PROGRAM.main(sys.argv[1:]))
