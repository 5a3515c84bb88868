"""How long int8 convolutions take on this machine, for pruning to a time (`--recipe=latency`).

    python latency_table.py MODELS --out=FILE [--threads=1]

MODELS is the archive that experiments/latency_table.py --models=MODELS made; FILE gets the table, for
experiments/reproduce.py --latency_table=FILE. It takes minutes, in which the machine should have nothing else to do.
Needs ai-edge-litert and numpy.
"""

import wool_board.startup  # noqa: F401

import sys

from wool_board.command_line import BoardProgram
from wool_board.latency import program

PROGRAM = BoardProgram("latency_table.py", __doc__, program.LatencyOptions, program.run)

if __name__ == "__main__":
    sys.exit(PROGRAM.main(sys.argv[1:]))
