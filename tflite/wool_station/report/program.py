"""The work of `station.py report`."""

import dataclasses
import sqlite3
import time
from pathlib import Path

import jinja2

from wool_board import atomic_file
from wool_board.errors import WoolError
from wool_station.report.content import Content, content, moment
from wool_station.report.period import period
from wool_station.store import schema
from wool_station.store.reader import StoreReader

TEMPLATE = "page.html.jinja"
WHY = {
    "too_slow": "the board was too slow for the belt",
    "lost_lines": "lines came faster than the board took them",
    "broken_lines": "lines did not begin where they should",
    "stopped": "the inspection was told to end",
    "restart": "no inspection ran",
}
"""What the reasons of `unseen` mean."""


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """From which store, of which shift or day (`period.period`), and into which file."""

    store: Path
    shift: str
    out: Path


def run(options: ReportOptions) -> int:
    """Writes the report.

    Raises:
        WoolError: there is no such store or shift, or the file cannot be written.
    """
    schema.check_store(options.store)
    reader = StoreReader(options.store)
    try:
        page = render(content(reader, period(reader, options.shift)))
    except (OSError, sqlite3.Error) as error:
        raise WoolError(f"--store={options.store}: cannot be read ({error})") from None
    try:
        atomic_file.write(options.out, page.encode())
    except OSError as error:
        raise WoolError(f"{options.out}: cannot be written ({error.strerror})") from None
    return 0


def render(it: Content) -> str:
    """The report as a page that needs no other file; all text in it is escaped."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    tables = {
        "hours": [
            (
                hour,
                *(_metres(mm) for mm in (passed.seen_mm, passed.air_mm, passed.unseen_mm, passed.untold_mm)),
                *(passed.tiles, passed.defective, passed.rejects),
            )
            for hour, passed in it.hours
        ],
        "unseen": [(reason, count, _metres(mm), WHY.get(reason, "")) for reason, count, mm in it.unseen],
        "alarms": [
            (each.name, each.times, "" if each.minutes is None else f"{each.minutes:.1f}", each.text)
            for each in it.alarms
        ],
    }
    unfinished = time.time() < it.period.ends
    return environment.get_template(TEMPLATE).render(it=it, moment=moment, unfinished=unfinished, **tables)


def _metres(mm: float) -> str:
    return f"{mm / 1000:.2f}"
