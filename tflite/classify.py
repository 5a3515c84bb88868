"""Whether crops are of defective mineral wool, as a board model sees them.

    python classify.py MODEL IMAGE|DIR... [--csv|--json] [--heatmap[=FOLDER]] [--threads=1]
    python classify.py MODEL --watch=DIR [--done=FOLDER] [--csv|--json] [--heatmap[=FOLDER]] [--threads=1]

Prints a line for each image as soon as it is known. A file that cannot be used is a line on the standard error; the
others go on, and the status at the end is 1. Needs ai-edge-litert, numpy and Pillow, and pydicom for DICOM.
"""

import wool_board.startup  # noqa: F401

import sys

from wool_board import command_line
from wool_board.classification import program
from wool_board.classification.output import PROGRAM


def parse(arguments: list[str]) -> program.ClassificationOptions:
    """The command line; leaves with status 64 if it is wrong."""
    # An optional value would take the argument that follows for the folder.
    alone = f"--heatmap={program.NO_FOLDER}"
    arguments = [alone if argument == "--heatmap" else argument for argument in arguments]
    found: program.ClassificationOptions = command_line.parse(
        PROGRAM, __doc__, program.ClassificationOptions, arguments
    )
    return found


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    return command_line.run(PROGRAM, program.run, parse(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
