"""The work of `station.py doctor`."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wool_board.belt.program import InspectionOptions
from wool_board.errors import BadFile, named
from wool_board.exit_status import MISTAKE
from wool_board.options import called
from wool_station.doctor import inspection_checks, machine, memory, services
from wool_station.doctor.finding import Finding
from wool_station.doctor.settings import OPTIONS, PROGRAMS, UNITS, arguments, options, read
from wool_station.gate.program import GateOptions
from wool_station.mqtt.program import MqttOptions
from wool_station.options import DoctorOptions, RecordOptions, ServeOptions

STORES = (Path("/var/lib/wool"), Path("/var/lib/wool-station"))


def run(asked: DoctorOptions, parsers: Mapping[str, Callable[[list[str]], Any]]) -> int:
    """Says of everything whether it is well, a line each; the exit status is 0 only if all is.

    Arguments:
        asked: of the program.
        parsers: of each of UNITS, what makes options of its program's arguments.
    """
    config = asked.config.absolute()
    # As the services: paths in the settings are from here.
    os.chdir(PROGRAMS.parent)
    wrong, name = 0, called(InspectionOptions, GateOptions, MqttOptions, RecordOptions, ServeOptions)
    for finding in _findings(config, parsers):
        wrong += bool(finding.advice)
        print(named(finding.line, name), flush=True)
    print("all is well" if not wrong else f"{wrong} not ok")
    return MISTAKE if wrong else 0


def _findings(config: Path, parsers: Mapping[str, Callable[[list[str]], Any]]) -> Iterator[Finding]:
    yield from services.installed()
    try:
        settings = read(config)
    except BadFile as bad:
        yield Finding("settings", f"{config}: {bad}", "see /opt/wool/station.conf.example")
        settings = {}
    wanted = [unit for unit in UNITS if settings.get(OPTIONS.get(unit, ""), "unit")]
    found = {}
    for unit in wanted if settings else []:
        try:
            found[unit] = options(parsers[unit], arguments(unit, settings))
        except BadFile as bad:
            yield Finding("settings", f"wool-{unit}: {bad}", f"correct {config}")
    if found and len(found) == len(wanted):
        yield Finding("settings", f"{config} is understood by {', '.join(wanted)}")
    yield from machine.check(list(STORES))
    if "inspect" in found:
        yield from inspection_checks.check(found["inspect"])
        yield services.lines(found["inspect"].input)
    yield from _rights(found)
    yield from services.services(wanted)
    if "inspect" in found:
        yield from inspection_checks.feed(found["inspect"].feed)
    if "record" in found:
        yield from memory.check(found["record"].store)
    yield from _outputs(found, wanted if settings else None)


def _rights(found: dict[str, Any]) -> Iterator[Finding]:
    inspect, page, mqtt = (found.get(name) for name in ("inspect", "page", "mqtt"))
    readable = [path.absolute() for path in (inspect.model, inspect.dark, inspect.bright)] if inspect else []
    secret = [path for path in (page and page.tokens, page and page.key, mqtt and mqtt.credentials) if path]
    yield from services.permissions([*readable, *secret], secret, PROGRAMS.parent)


def _outputs(found: dict[str, Any], wanted: list[str] | None) -> Iterator[Finding]:
    """What gate and MQTT speak to; `wanted` is None where no settings can be read."""
    if "gate" in found and "inspect" in found:
        yield from services.gate(found["gate"], found["inspect"].latency_mm)
    if wanted and "gate" not in wanted:
        yield Finding("gate", "is not wanted (GATE_OPTIONS is empty)")
    if "mqtt" in found:
        yield services.broker(found["mqtt"])
