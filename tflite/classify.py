"""Whether crops are of defective mineral wool, as a board model sees them.

    python classify.py MODEL IMAGE|DIR... [--csv|--json] [--heatmap[=FOLDER]] [--threads=1]
    python classify.py MODEL --watch=DIR [--done=FOLDER] [--csv|--json] [--heatmap[=FOLDER]] [--threads=1]

Prints a line for each image as soon as it is known. A file that cannot be used is a line on the standard error; the
others go on, and the status at the end is 1. Needs ai-edge-litert, numpy and Pillow, and pydicom for DICOM.
"""

import wool_board.startup  # noqa: F401

import sys

from wool_board.classification import program
from wool_board.classification.output import NAME
from wool_board.command_line import BoardProgram

PROGRAM = BoardProgram(NAME, __doc__, program.ClassificationOptions, program.run, {"--heatmap": str(program.NO_FOLDER)})

if __name__ == "__main__":
    sys.exit(PROGRAM.main(sys.argv[1:]))
