"""Checks of what the inspection works with: model, card, references, and its feed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wool_board.belt import start_event
from wool_board.belt.program import OLD_DAYS, InspectionOptions
from wool_board.errors import WoolError
from wool_board.image.references import correction
from wool_board.image.scan_files import LineFormat
from wool_board.model.recognizer import Recognizer
from wool_station.doctor.finding import Finding
from wool_station.events import Alarm, Lost, Refused, typed
from wool_station.feed import SILENT, messages

FEED_SECONDS = 3
"""Without a message at the beginning, the inspection does not answer."""

NEEDED = ("window", "pixel_mm")
"""What the card or an option must say."""


def check(options: InspectionOptions) -> Iterator[Finding]:
    """Findings about model, card and references.

    Arguments:
        options: of the inspection; relative paths are from the folder this runs in.
    """
    yield from model(options)
    yield from references(options)


def model(options: InspectionOptions) -> Iterator[Finding]:
    """Whether the model is whole and runs, and its card says what the inspection needs."""
    try:
        recognizer = Recognizer(options.model, 1)
        recognizer.recognize(np.zeros((recognizer.side, recognizer.side), np.uint8))
    except WoolError as error:
        yield Finding("model", str(error), "install a model (BUILD.md), or correct MODEL=")
        return
    card = recognizer.card
    name = f"{options.model} (sha256 {card.model.sha256[:12]})"
    yield Finding("model", f"{name} is whole and runs")
    lacking = [f"`{field}`" for field in NEEDED if getattr(options, field) is getattr(card.input, field) is None]
    threshold = f"threshold {recognizer.threshold:.3f}, {recognizer.side} pixels"
    if lacking:
        yield Finding("card", f"does not say all of the belt ({threshold})", f"give {' and '.join(lacking)}")
    else:
        yield Finding("card", threshold)


def references(options: InspectionOptions) -> Iterator[Finding]:
    """Whether the references can be used, and are not old."""
    layout, files = LineFormat(options.width, options.type), (options.dark, options.bright)
    try:
        corrected = correction(*files, raw=layout, detector=layout)
    except WoolError as error:
        yield Finding("references", str(error), "take new ones (docs/board.md)")
        return
    yield Finding("references", f"can be used; {len(corrected.bad)} elements are repaired")
    days = start_event.reference_days(files)
    if days is not None:
        advice = "take new ones every week (docs/board.md)" if days > OLD_DAYS else ""
        yield Finding("age", f"the references are {days:.0f} days old", advice)


def feed(socket: Path) -> Iterator[Finding]:
    """Whether the inspection answers on its feed, and which alarms stand."""
    advice = "is wool-inspect running? systemctl status wool-inspect; are you root, or in the group wool?"
    standing: set[str] = set()
    started = False
    for message, _ in messages(socket, pixels=False, silence=FEED_SECONDS):
        match typed(message):
            case Lost(text):
                yield Finding("feed", text, advice)
                return
            case Refused():
                yield Finding("feed", "there are eight readers already", "end one of them")
                return
            case Alarm(alarm=name, on=bool(on)):
                (standing.add if on else standing.discard)(name)
        started = started or message["event"] == "start"
        if message["event"] in (SILENT, "clock", "tile", "air", "pixels", "summary"):
            break
    if not started:
        yield Finding("feed", f"{socket}: nothing came within {FEED_SECONDS} seconds", advice)
        return
    yield Finding("feed", f"the inspection answers at {socket}")
    if standing:
        yield Finding("alarms", ", ".join(sorted(standing)), "docs/board.md says what to do about each")
    else:
        yield Finding("alarms", "none stands")
