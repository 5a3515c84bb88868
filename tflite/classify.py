"""Whether crops are of defective mineral wool, as a board model sees them.

    python classify.py MODEL IMAGE|DIR... [--csv|--json] [--heatmap[=FOLDER]] [--threads=1]
    python classify.py MODEL --watch=DIR [--done=FOLDER] [--csv|--json] [--heatmap[=FOLDER]] [--threads=1]

Prints a line for each image as soon as it is known. A file that cannot be used is a line on the standard error; the
others go on, and the status at the end is 1. Needs ai-edge-litert, numpy and Pillow, and pydicom for DICOM.
"""

import wool_board.startup  # noqa: F401

import sys
from pathlib import Path

from wool_board import command_line
from wool_board.classification import program
from wool_board.classification.output import PROGRAM


def parse(arguments: list[str]) -> program.ClassificationOptions:
    """The command line; leaves with status 64 if it is wrong."""
    parser = command_line.Parser(prog=PROGRAM, description=__doc__.splitlines()[0], allow_abbrev=False)
    text = "TFLite file with a card, as convert.py makes it"
    parser.add_argument("model", metavar="MODEL", type=command_line.path, help=text)
    text = "PNG, TIFF, JPEG or DICOM, or a folder of them"
    parser.add_argument("given", metavar="IMAGE|DIR", nargs="*", type=command_line.path, help=text)
    form = parser.add_mutually_exclusive_group()
    text = "print comma-separated values, the first line their names"
    form.add_argument("--csv", dest="form", action="store_const", const="csv", default="text", help=text)
    form.add_argument("--json", dest="form", action="store_const", const="json", help="print a JSON object a line")
    text = "tell where a defect is; --heatmap=FOLDER also draws it, into IMAGE-heatmap.png"
    parser.add_argument("--heatmap", metavar="FOLDER", type=command_line.path, help=text)
    text = "classify the images of this folder, and those that arrive there, until Ctrl-C"
    parser.add_argument("--watch", metavar="DIR", type=command_line.path, help=text)
    text = "move watched images here once they are classified, so that a restart leaves them out"
    parser.add_argument("--done", metavar="FOLDER", type=command_line.path, help=text)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, at most the cores (1)")
    # An optional value would take the argument that follows for the folder.
    arguments = ["--heatmap=-" if argument == "--heatmap" else argument for argument in arguments]
    found = vars(parser.parse_intermixed_args(arguments))
    if not found["given"] and not found["watch"]:
        parser.error("give an IMAGE, a DIR or --watch=DIR")
    if found["done"] and not found["watch"]:
        parser.error("--done goes with --watch")
    drawn = found["heatmap"]
    found["pictures"] = None if drawn in (None, Path("-")) else drawn
    return program.ClassificationOptions(**found | {"heatmap": drawn is not None, "given": tuple(found["given"])})


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    options = parse(arguments)
    return command_line.run(PROGRAM, lambda: program.run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
