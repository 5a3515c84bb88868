"""How long TFLite files take on this machine, several of them in turns.

    python benchmark.py MODEL... [--threads=1,2,4] [--runs=200] [--json[=FILE]]

The models take turns of some runs each, so a machine that slows down or is disturbed does so for all of them, and their
ratios hold. A run hands over an image of random pixels, computes, and reads the result. What an inspection does before,
from the detector's counts to pixels, is timed by itself. Needs ai-edge-litert and numpy.
"""

import wool_board.startup  # noqa: F401

import sys

from wool_board import command_line
from wool_board.benchmark import program

PROGRAM = "benchmark.py"


def parse(arguments: list[str]) -> program.BenchmarkOptions:
    """The command line; leaves with status 64 if it is wrong."""
    # An optional value would take the model that follows for the file to write.
    alone = f"--json={program.STANDARD_OUTPUT}"
    arguments = [alone if argument == "--json" else argument for argument in arguments]
    return command_line.parse(PROGRAM, __doc__, program.BenchmarkOptions, arguments)


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    return command_line.run(PROGRAM, program.run, parse(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
