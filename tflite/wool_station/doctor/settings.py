"""What the services are started with: their units, with the settings of this board."""

import configparser
import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wool_board.errors import BadFile

UNITS = ("inspect", "record", "page", "gate", "mqtt")
PROGRAMS = Path(__file__).resolve().parents[2]
"""The folder of the programs, in which the units lie as well; relative paths are from the one around it."""

OPTIONS = {"gate": "GATE_OPTIONS", "mqtt": "MQTT_OPTIONS"}
"""Settings without which a service is not wanted."""


def read(path: Path) -> dict[str, str]:
    """The settings in a file of lines NAME=VALUE, as systemd reads it.

    Raises:
        BadFile: it cannot be read, or a line is no setting.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    found = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        name, separator, value = line.partition("=")
        if not separator or not re.fullmatch(r"[A-Z_]+", name.strip()):
            raise BadFile(f"line {number} is not NAME=VALUE: {line[:60]!r}")
        found[name.strip()] = value.strip().strip("\"'")
    return found


def arguments(unit: str, settings: dict[str, str]) -> list[str]:
    """What systemd gives to the program of a unit, from its settings.

    Arguments:
        unit: one of UNITS.
        settings: see `read`.
    """
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=False)
    parser.read_string((PROGRAMS / f"wool-{unit}.service").read_text())
    words: list[str] = []
    # The interpreter and the program come first.
    for word in parser["Service"]["ExecStart"].split()[2:]:
        if re.fullmatch(r"\$\w+", word):
            words += settings.get(word[1:], "").split()
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda match: settings.get(match[1], ""), word))
    return words


def options(parse: Callable[[list[str]], Any], words: list[str]) -> Any:
    """What a program makes of its arguments.

    Raises:
        BadFile: it refuses them, with its reason.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return parse(words)
    except SystemExit:
        raise BadFile(said.getvalue().strip().removesuffix("; --help tells more")) from None
