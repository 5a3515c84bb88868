"""Programs beside the inspection of a belt: its memory, its live page, what operators correct, and reports.

    python station.py record --feed=SOCKET --store=FOLDER
    python station.py serve --feed=SOCKET --store=FOLDER [--listen=ADDRESS --tokens=FILE]
    python station.py challenge --store=FOLDER --piece=NAME --operator=NAME
    python station.py export --store=FOLDER OUT
    python station.py report --store=FOLDER --shift=last OUT.html
    python station.py compare --store=FOLDER A.tflite B.tflite OUT.html
    python station.py model use FILE --models=FOLDER --store=FOLDER --operator=NAME
    python station.py doctor

SOCKET is what `inspect_line.py --feed=SOCKET` listens on. None of these programs can hold the inspection up. `serve`,
`report` and `compare` need the packages of the extra `station` besides (docs/station.md).
"""

import wool_board.startup  # noqa: F401

import importlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from wool_board import command_line
from wool_board.errors import WoolError
from wool_station import options

PROGRAM = "station.py"
EXTRA = ("jinja2", "starlette", "uvicorn")
"""Packages of the extra `station`."""


def _run(name: str, module: str) -> Callable[..., int]:
    """The `run` of a command's module, which is imported when the command is given: some need more packages."""

    def run(*given: object) -> int:
        try:
            program = importlib.import_module(f"wool_station.{module}")
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRA:
                raise
            rule = "install the extra `station` (docs/station.md#the-live-page)"
            raise WoolError(f"{name}: this Python, {sys.executable}, has no {package}; {rule}") from None
        return program.run(*given)

    return run


def _doctor(given: options.DoctorOptions) -> int:
    # The programs' own command lines say what the settings mean.
    import gate
    import inspect_line
    import mqtt

    programs: dict[str, command_line.BoardProgram] = {
        "inspect": inspect_line.PROGRAM,
        "gate": gate.PROGRAM,
        "mqtt": mqtt.PROGRAM,
    }
    parsers = {name: program.parse for name, program in programs.items()} | {"record": parse, "page": parse}
    return _run("doctor", "doctor.program")(given, parsers)


class Command(NamedTuple):
    """A command: its options, what it does in words, and how."""

    options: type
    help: str
    work: Callable[[Any], int]


COMMANDS = {
    "record": Command(
        options.RecordOptions, "keeps events and pictures within a disk budget", _run("record", "store.program")
    ),
    "serve": Command(
        options.ServeOptions,
        "shows the belt, rejects and alarms on a page, and takes corrections",
        _run("serve", "page.program"),
    ),
    "challenge": Command(
        options.ChallengeOptions,
        "says that a test piece is put through, and whether it was found",
        _run("challenge", "challenge.program"),
    ),
    "export": Command(
        options.ExportOptions, "makes crops of what operators corrected, to train on", _run("export", "export.program")
    ),
    "report": Command(
        options.ReportOptions, "makes a page of a shift or a day, to print and sign", _run("report", "report.program")
    ),
    "compare": Command(
        options.CompareOptions,
        "compares two models on the tiles and corrections of a store",
        _run("compare", "models.compare_program"),
    ),
    "model": Command(
        options.ModelOptions,
        "changes the model in use, and says who changed it when",
        _run("model", "models.switch_program"),
    ),
    "doctor": Command(
        options.DoctorOptions, "says whether all is well with this board, and what to do where it is not", _doctor
    ),
}


def parse(arguments: list[str]) -> Any:
    """The options of a command, one of those in COMMANDS; leaves with status 64 if the command line is wrong."""
    parser = command_line.Parser(prog=PROGRAM, description=__doc__.splitlines()[0], allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        of_command = commands.add_parser(name, help=command.help, description=command.help, allow_abbrev=False)
        of_command.add_options(command.options)
    given = parser.parse_args(arguments)
    return parser.options(COMMANDS[vars(given).pop("command")].options, given)


def main(arguments: list[str]) -> int:
    """Runs a program; returns its exit status."""
    given = parse(arguments)
    work = {command.options: command.work for command in COMMANDS.values()}[type(given)]
    return command_line.run(PROGRAM, work, given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
