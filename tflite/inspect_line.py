"""Inspects what passes on a belt: raw lines of an X-ray detector come in, events go out.

    python inspect_line.py MODEL [INPUT] --dark=dark.png --bright=bright.png [--width=640] [--type=uint16le]

INPUT is a file, a FIFO or, by default, the standard input. Events are JSON Lines on the standard output, with
millimetres along the belt from the first line, and across from the first element:

    start     what inspects, how, and how late a reject comes at most
    tile      what the network says of a piece of the belt
    reject    a stretch to be thrown out, or a part of a long one
    air       where nothing lay on the belt
    unseen    what could not be looked at, and why
    overlap   how far the overlap of tiles is thinned, for the board to keep up
    alarm     something is wrong with the detector, the lines or this machine, or is right again
    summary   figures, now and then and at the end

Every line is accounted for by a `tile`, an `air` or an `unseen`. Needs ai-edge-litert, numpy and Pillow.
"""

import argparse
import math
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from events import Events
from flat_field import TYPES, Correction, Format, correction
from inspection import Inspection
from interruption import Interruption
from lines import Reader, Ring
from recognizer import Recognizer, UserError
from settings import Settings, shortest_latency
from tiles import Tiling, tiling
from watchdog import Watchdog

BUFFER_SECONDS = 4
"""What the ring holds, of lines at full speed: longer than any tile takes, and some megabytes."""

LEAST_BACKLOG = 64
"""Lines that must be allowed to wait: some do however fast a machine is."""

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; --help tells more\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; leaves with status 2 if it is wrong."""
    parser = _Parser(prog="inspect_line.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("model", metavar="MODEL", type=Path, help="TFLite file with its card")
    add("input", metavar="INPUT", nargs="?", default="-", help="raw lines: a file, a FIFO or - (standard input)")
    add("--dark", type=Path, required=True, help="reference without beam: PNG, TIFF or raw lines (.raw, .bin)")
    add("--bright", type=Path, required=True, help="reference of the empty belt")
    add("--width", type=int, default=640, help="elements in a line (640)")
    add("--type", choices=TYPES, default="uint16le", help="of a sample (uint16le)")
    add("--window", type=_window, help="LOW,HIGH: attenuation shown white and black, instead of the card's")
    add("--pixel_mm", type=float, help="distance of lines and of elements, instead of the card's")
    add("--lines_per_second", type=float, default=1250, help="at full speed (1250)")
    add("--overlap", type=float, default=0.5, help="share of a tile that the next one shows as well (0.5)")
    add("--part_mm", type=float, help="length from which on a reject is told in parts (twice what a tile sees)")
    add("--latency_mm", type=float, default=1200, help="of the belt from the start of a reject to its event (1200)")
    add("--stall_seconds", type=float, default=2, help="without a line until the alarm (2)")
    add("--report_seconds", type=float, default=60, help="from summary to summary (60)")
    add("--threads", type=int, default=1, help="CPU threads of the network (1)")
    add("--recorded", action="store_true", help="the writer of the pipe can wait, so nothing is thinned or lost")
    add("--reopen", action="store_true", help="wait for another writer of the FIFO when one goes away")
    # INPUT may stand behind the options, too.
    return parser.parse_intermixed_args(arguments)


def _window(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be LOW,HIGH, for example 0,1.5, got {text!r}") from None
    return low, high


def inspect(options: argparse.Namespace, interruption: Interruption) -> None:
    """Runs the inspection.

    Raises:
        UserError: an option, the model, a reference or the input is wrong.
        KeyboardInterrupt: the end was asked for, and all that is known has been told.
    """
    _check(options)
    layout = Format(options.width, options.type)
    corrected = correction(options.dark, options.bright, layout)
    recognizer = Recognizer(options.model, options.threads)
    cut = tiling(recognizer.side, recognizer.margin, options.width, options.overlap)
    reader = Reader(options.input, options.recorded, options.reopen)
    settings = _settings(options, recognizer, cut, reader.live)
    capacity = max(round(BUFFER_SECONDS * options.lines_per_second), 2 * (settings.latency or cut.side))
    ring, events, watchdog = Ring(layout, capacity), Events(sys.stdout), Watchdog()
    inspection = Inspection(recognizer, corrected, cut, ring, settings, events)
    interruption.work()
    events.tell("start", **_start(options, recognizer, corrected, settings, cut, inspection.monitor.knows_pattern))
    events.flush()
    if reader.size is not None and reader.size % layout.line_bytes:
        text = f"{options.input} has {reader.size:,} bytes, which are not whole lines of {layout.line_bytes:,} bytes"
        inspection.alarms.once("size", text, bytes=reader.size)
    with reader.reading(ring):
        watchdog.ready()
        inspection.run(lambda: interruption.asked, watchdog.alive)
    interruption.check()


def _check(options: argparse.Namespace) -> None:
    cores = os.cpu_count()
    if not 1 <= options.threads <= cores:
        raise UserError(f"--threads={options.threads}: must be 1 to {cores}, the cores of this machine")
    if options.width < 1:
        raise UserError(f"--width={options.width}: must be at least 1")
    if not 0 <= options.overlap < 1:
        raise UserError(f"--overlap={options.overlap:g}: must be 0 or more and below 1")
    for name in ("pixel_mm", "lines_per_second", "part_mm", "latency_mm", "stall_seconds", "report_seconds"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"--{name}={value:g}: must be above 0")


def _settings(options: argparse.Namespace, recognizer: Recognizer, cut: Tiling, live: bool) -> Settings:
    image = recognizer.card["input"]
    window = options.window or image.get("window")
    if window is None:
        raise UserError(f"{options.model}: its card has no window; give --window=LOW,HIGH, as its crops were imaged")
    low, high = map(float, window)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"--window={low:g},{high:g}: must be LOW,HIGH in attenuation, LOW < HIGH")
    pixel_mm = options.pixel_mm or image.get("pixel_mm")
    if pixel_mm is None:
        raise UserError(f"{options.model}: its card has no pixel_mm; give --pixel_mm, the distance of lines")
    part = 2 * cut.seen if options.part_mm is None else round(options.part_mm / pixel_mm)
    if part < cut.seen:
        least = math.ceil(cut.seen * pixel_mm)
        raise UserError(f"--part_mm={options.part_mm:g}: must be at least {least}, the length that a tile shows")
    layout = Format(options.width, options.type)
    if not live:
        return Settings(layout, (low, high), pixel_mm, part, None, None, options.report_seconds)
    latency = math.floor(options.latency_mm / pixel_mm)
    least = shortest_latency(cut, part) + LEAST_BACKLOG
    if latency < least:
        rule = f"must be at least {math.ceil(least * pixel_mm)} with parts of {part * pixel_mm:g} mm"
        raise UserError(f"--latency_mm={options.latency_mm:g}: {rule}; give more, or less --part_mm")
    return Settings(layout, (low, high), pixel_mm, part, latency, options.stall_seconds, options.report_seconds)


def _start(
    options: argparse.Namespace,
    recognizer: Recognizer,
    corrected: Correction,
    settings: Settings,
    cut: Tiling,
    knows_pattern: bool,
) -> dict:
    """Fields of the first event."""
    card, latency = recognizer.card, settings.latency
    return {
        "model": str(options.model),
        "sha256": card["model"]["sha256"],
        "precision": card.get("precision"),
        "threshold": recognizer.threshold,
        "input": options.input,
        "live": latency is not None,
        "width": options.width,
        "type": options.type,
        "window": settings.window,
        "pixel_mm": settings.pixel_mm,
        "lines_per_second": options.lines_per_second,
        "side": cut.side,
        "seen": cut.seen,
        "levels_mm": [[settings.mm(level.along), settings.mm(level.across)] for level in cut.levels],
        "stated_latency": latency
        and {
            "mm": round(latency * settings.pixel_mm, 1),
            "ms": round(1e3 * latency / options.lines_per_second),
        },
        "repaired": corrected.bad,
        "width_checked": knows_pattern,
        "versions": _versions(),
    }


def _versions() -> dict:
    versions = {"python": platform.python_version()}
    for package in ("ai-edge-litert", "numpy", "pillow"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    interruption = Interruption()
    options = parse(arguments)
    try:
        inspect(options, interruption)
    except UserError as error:
        print(f"inspect_line.py: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Nobody is there to be told; what is left would be flushed at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("inspect_line.py: whoever reads the events went away", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
