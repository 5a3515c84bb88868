"""Programs beside the inspection of a belt: its memory, its live page, what operators correct, and reports.

    python station.py record --feed=SOCKET --store=FOLDER
    python station.py serve --feed=SOCKET --store=FOLDER [--listen=ADDRESS --tokens=FILE]
    python station.py challenge --store=FOLDER --piece=NAME --operator=NAME
    python station.py export --store=FOLDER OUT
    python station.py report --store=FOLDER --shift=last OUT.html
    python station.py compare --store=FOLDER A.tflite B.tflite OUT.html
    python station.py model use FILE --models=FOLDER --store=FOLDER --operator=NAME
    python station.py doctor

SOCKET is what `inspect_line.py --feed=SOCKET` listens on. None of these programs can hold the inspection up. `serve`
and `report` need the packages of the extra `station` besides (docs/station.md).
"""

import wool_board.startup  # noqa: F401

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from wool_board import command_line
from wool_board.errors import WoolError

PROGRAM = "station.py"
EXTRA = ("jinja2", "starlette", "uvicorn")
"""Packages of the extra `station`."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; `work` of the result does what it says. Leaves with status 64 if it is wrong."""
    parser = command_line.Parser(prog=PROGRAM, description=__doc__.splitlines()[0], allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=command_line.Parser)
    for add in (_record, _serve, _challenge, _export, _report, _compare, _model, _doctor):
        add(commands)
    return parser.parse_args(arguments)


def _command(commands: argparse._SubParsersAction, name: str, text: str) -> command_line.Parser:
    return commands.add_parser(name, help=text, description=text, allow_abbrev=False)


@contextlib.contextmanager
def _extra(name: str) -> Iterator[None]:
    """Around the import of a command that needs more packages than the inspection."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA:
            raise
        rule = "install the extra `station` (docs/station.md#the-live-page)"
        raise WoolError(f"{name}: this Python, {sys.executable}, has no {package}; {rule}") from None


def _add_store(parser: command_line.Parser) -> None:
    text = "folder of the station's memory"
    parser.add_argument("--store", metavar="FOLDER", type=command_line.path, required=True, help=text)


def _add_feed(parser: command_line.Parser) -> None:
    text = "socket of the inspection"
    parser.add_argument("--feed", metavar="SOCKET", type=command_line.path, required=True, help=text)


def _record(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "record", "keeps events and pictures within a disk budget")
    _add_feed(parser)
    _add_store(parser)
    text = "disk space for all of it, in MB: the oldest pictures go first (8000)"
    parser.add_argument("--budget_mb", type=float, default=8000, help=text)
    text = "of pictures at most, for a card wears out (500)"
    parser.add_argument("--picture_mb_per_hour", type=float, default=500, help=text)
    text = "of so many tiles that pass, one is kept as a picture; 0: none (1000)"
    parser.add_argument("--sample", type=int, default=1000, help=text)
    text = "when shifts begin, in local time (06:00,14:00,22:00)"
    parser.add_argument("--shifts", default="06:00,14:00,22:00", help=text)
    text = "share of tiles that show a defect if all is well, from and to (0,2); see docs/station.md"
    parser.add_argument("--defect_percent", metavar="FROM,TO", default="0,2", help=text)
    text = "a test piece that must be found once in so many minutes; may be given several times"
    parser.add_argument("--challenge", metavar="PIECE:MINUTES", action="append", default=[], help=text)
    parser.set_defaults(work=_run_record)


def _run_record(options: dict) -> int:
    from wool_station.store import program

    return program.run(program.RecordOptions(**options))


def _serve(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "serve", "shows the belt, rejects and alarms on a page, and takes corrections")
    _add_feed(parser)
    _add_store(parser)
    add = parser.add_argument
    add("--port", type=int, default=8080, help="of TCP (8080)")
    add("--listen", metavar="ADDRESS", help="address to listen on, 0.0.0.0 for all, instead of this machine only")
    text = (
        "file of lines `read TOKEN` and `write TOKEN`: who may see the page, and who may correct; needed with --listen"
    )
    add("--tokens", metavar="FILE", type=command_line.path, help=text)
    text = "by which browsers call this machine, besides its own name and its addresses; may be given several times"
    add("--name", action="append", default=[], help=text)
    add("--certificate", metavar="FILE", type=command_line.path, help="PEM file of a certificate, for TLS")
    add("--key", metavar="FILE", type=command_line.path, help="PEM file of its key")
    parser.set_defaults(work=_run_serve)


def _run_serve(options: dict) -> int:
    with _extra("serve"):
        from wool_station.page import program

    return program.run(program.ServeOptions(**options))


def _export(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "export", "makes crops of what operators corrected, to train on")
    _add_store(parser)
    parser.add_argument(
        "out", metavar="OUT", type=command_line.path, help="new folder, which reproduce.py --data takes"
    )
    parser.set_defaults(work=_run_export)


def _run_export(options: dict) -> int:
    from wool_station.export import program

    return program.run(program.ExportOptions(**options))


def _challenge(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "challenge", "says that a test piece is put through, and whether it was found")
    _add_store(parser)
    add = parser.add_argument
    add("--piece", required=True, help="its name")
    add("--operator", required=True, help="who puts it through")
    add("--seconds", type=float, default=60, help="within which it must be rejected (60)")
    add("--across_mm", metavar="LEFT,RIGHT", help="between which places across the belt it lies; anywhere without it")
    parser.set_defaults(work=_run_challenge)


def _run_challenge(options: dict) -> int:
    from wool_station.challenge import program

    return program.run(program.ChallengeOptions(**options))


def _report(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "report", "makes a page of a shift or a day, to print and sign")
    _add_store(parser)
    text = "last, current, its beginning such as 2026-11-26T06:00, or a day such as 2026-11-26 (last)"
    parser.add_argument("--shift", default="last", help=text)
    parser.add_argument("out", metavar="OUT.html", type=command_line.path, help="file to write")
    parser.set_defaults(work=_run_report)


def _run_report(options: dict) -> int:
    with _extra("report"):
        from wool_station.report import program

    return program.run(program.ReportOptions(**options))


def _doctor(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "doctor", "says whether all is well with this board, and what to do where it is not")
    text = "settings of the services (/etc/wool/station.conf)"
    default = Path("/etc/wool/station.conf")
    parser.add_argument("--config", metavar="FILE", type=command_line.path, default=default, help=text)
    parser.set_defaults(work=_run_doctor)


def _run_doctor(options: dict) -> int:
    # The programs' own command lines say what the settings mean.
    import gate
    import inspect_line
    import mqtt
    from wool_station.doctor import program

    parsers = {"inspect": inspect_line.parse, "record": parse, "page": parse, "gate": gate.parse, "mqtt": mqtt.parse}
    return program.run(program.DoctorOptions(**options), parsers)


def _compare(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "compare", "compares two models on the tiles and corrections of a store")
    _add_store(parser)
    for name, text in (("first", "A"), ("second", "B")):
        parser.add_argument(name, metavar=text, type=command_line.path, help=f"model {text}")
    parser.add_argument("out", metavar="OUT.html", type=command_line.path, help="file to write")
    parser.set_defaults(work=_run_compare)


def _run_compare(options: dict) -> int:
    from wool_station.models import compare_program

    return compare_program.run(compare_program.CompareOptions(**options))


def _model(commands: argparse._SubParsersAction) -> None:
    parser = _command(commands, "model", "changes the model in use, and says who changed it when")
    add = parser.add_argument
    text = "use FILE: put it into use; rollback: put the one before into use again; list: all changes"
    add("action", metavar="ACTION", choices=("use", "rollback", "list"), help=text)
    add("file", metavar="FILE", nargs="?", type=command_line.path, help="model to be used")
    text = "folder of models, in which current.tflite is a link to the one in use"
    add("--models", metavar="FOLDER", type=command_line.path, required=True, help=text)
    _add_store(parser)
    add("--operator", default="", help="who does it")
    add("--note", default="", help="why")
    parser.set_defaults(work=_run_model)


def _run_model(options: dict) -> int:
    from wool_station.models import switch_program

    return switch_program.run(switch_program.ModelOptions(**options))


def main(arguments: list[str]) -> int:
    """Runs a program; returns its exit status."""
    options = vars(parse(arguments))
    work: Callable[[dict], int] = options.pop("work")
    return command_line.run(PROGRAM, lambda: work(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
