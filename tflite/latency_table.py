"""How long int8 convolutions take on this machine, for pruning to a time (`--recipe=latency`).

    python latency_table.py MODELS --out=FILE [--threads=1]

MODELS is the archive that experiments/latency_table.py --models=MODELS made; FILE gets the table, for
experiments/reproduce.py --latency_table=FILE. It takes minutes, in which the machine should have nothing else to do.
Needs ai-edge-litert and numpy.
"""

import wool_board.startup  # noqa: F401

import sys

from wool_board import command_line
from wool_board.latency import program

PROGRAM = "latency_table.py"


def parse(arguments: list[str]) -> program.LatencyOptions:
    """The command line; leaves with status 64 if it is wrong."""
    return command_line.parse(PROGRAM, __doc__, program.LatencyOptions, arguments)


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    return command_line.run(PROGRAM, program.run, parse(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
