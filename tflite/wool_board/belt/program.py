"""The work of `inspect_line.py`."""

import contextlib
import dataclasses
import math
import sys
from pathlib import Path

from wool_board.belt import motion, start_event
from wool_board.belt.config import LINES_PER_SECOND, InspectionConfig, shortest_latency
from wool_board.belt.events import Events
from wool_board.belt.feed import Feed
from wool_board.belt.inspection import Inspection
from wool_board.belt.lines import LineReader, Ring
from wool_board.belt.motion import POSITIONS
from wool_board.belt.report import SummaryOptions
from wool_board.belt.resumption import Resumption, resume
from wool_board.belt.state import StateWriter, claimed, read
from wool_board.belt.tiles import OVERLAP, Tiling, tiling
from wool_board.errors import BadSetting, UsageError
from wool_board.image.references import correction
from wool_board.image.scan_files import TYPES, LineFormat
from wool_board.machine import clocks, cores
from wool_board.machine.interruption import Interruption
from wool_board.machine.output_stream import OutputStream
from wool_board.machine.watchdog import Watchdog
from wool_board.model.card import MAX_PIXEL_MM, MIN_PIXEL_MM
from wool_board.model.recognizer import Recognizer
from wool_board.options import NEEDED, numbers, option
from wool_board.settings import check, same

BUFFER_SECONDS = 4
"""What the ring holds, of lines at full speed: longer than any tile takes, and some megabytes."""

MOST_BYTES = 256 << 20
"""What the ring may hold: a quarter of the memory of the smallest boards."""

MOST = 1e9
"""Of any number that is given: 1000 km of belt, 30 years, lines of a nanosecond."""

OLD_DAYS = 14
"""Days after which references are old: elements die, and tubes age."""

SWITCH_SECONDS = 0.001

END_SECONDS = 2.0
"""Within which the last events must be taken."""

LEAST_BACKLOG = 64
"""Lines that must be allowed to wait: some do however fast a machine is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InspectionOptions:
    """What is to be inspected and how, as a user says it; `InspectionConfig` has what follows from it, in lines.

    Raises:
        BadSetting: a value breaks its rule.
    """

    model: Path = option(NEEDED, "TFLite file with its card.", form="MODEL", positional=True)
    input: str = option("-", "Raw lines: a file, a FIFO, or - for the standard input.", form="INPUT", positional=True)
    dark: Path = option(NEEDED, "Reference without beam: PNG, TIFF, DICOM or raw lines (.raw, .bin).", form="FILE")
    bright: Path = option(NEEDED, "Reference of the empty belt.", form="FILE")
    width: int = option(640, "Elements in a line.", at_least=1)
    type: str = option("uint16le", "Type of a sample.", choices=tuple(TYPES))
    window: tuple[float, float] | None = option(
        None,
        "Attenuation shown white and black; by default the card's.",
        form="LOW,HIGH",
        read=numbers("LOW,HIGH, for example 0,1.5", float, 2),
    )
    pixel_mm: float | None = option(
        None, "Distance of lines and of elements; by default the card's.", at_least=MIN_PIXEL_MM, at_most=MAX_PIXEL_MM
    )
    lines_per_second: float = option(LINES_PER_SECOND, "Lines at full speed.", above=0, at_most=MOST)
    overlap: float = option(OVERLAP, "Share of a tile that the next one shows as well.", at_least=0, below=1)
    part_mm: float | None = option(
        None,
        "Length from which on a reject is told in parts; by default twice what a tile sees.",
        above=0,
        at_most=MOST,
    )
    latency_mm: float = option(1200, "Belt from the start of a reject to its event, at most.", above=0, at_most=MOST)
    spacing_mm: float = option(
        20000, "Belt without any air, or with nothing but air, until the alarm.", above=0, at_most=MOST
    )
    stall_seconds: float = option(2, "Time without a line until the alarm.", above=0, at_most=MOST)
    report_seconds: float = same(SummaryOptions, "report_seconds")
    threads: int = option(1, "CPU threads of the network, at most the cores of the machine.")
    recorded: bool = option(False, "The writer of the pipe can wait, so nothing is thinned or lost.")
    reopen: bool = option(False, "Wait for another writer of the FIFO when one goes away.")
    position: str = option(
        "encoder",
        "What a line says of the place of the belt: `encoder`: it triggers the lines; `time`: only time does; `count`: "
        "an encoder's count follows each line.",
        choices=POSITIONS,
    )
    count_mm: float | None = option(
        None, "Belt from count to count, with `count`; by default as from line to line.", above=0, at_most=MOST
    )
    state: Path | None = option(
        None, "File that says how far the inspection is, so that the one that follows goes on there.", form="FILE"
    )
    feed: Path | None = option(
        None,
        "Socket on which programs beside the inspection hear events, the belt's clock and pixels of tiles.",
        form="SOCKET",
    )

    def __post_init__(self) -> None:
        check(self)


def run(options: InspectionOptions) -> int:
    """Inspects until the input ends; returns the exit status.

    Raises:
        WoolError: an option, the model, a reference or the input is wrong, or nobody takes the events.
        KeyboardInterrupt: the end was asked for, and all that is known has been told.
    """
    with claimed(options.state) if options.state else contextlib.nullcontext():
        _inspect(options, Interruption())
    return 0


def _inspect(options: InspectionOptions, interruption: Interruption) -> None:
    cores.check_threads(options.threads)
    layout, references = LineFormat(options.width, options.type), (options.dark, options.bright)
    corrected = correction(*references, raw=layout, detector=layout)
    recognizer = Recognizer(options.model, options.threads)
    cut = tiling(recognizer.side, recognizer.margin, options.width, options.overlap)
    reader = LineReader(options.input, options.recorded, options.reopen)
    config = _config(options, recognizer, cut, reader.live)
    resumed = _resumed(options, config, corrected.fingerprint)
    if resumed:
        config = dataclasses.replace(config, first=math.ceil(config.line(resumed.first_mm)))
    ring, watchdog = _ring(options, config, cut), Watchdog()
    stream = OutputStream(sys.stdout.fileno(), not reader.live, lambda: interruption.asked)
    feed = Feed(options.feed) if options.feed else None
    events = Events(stream, lambda: stream.waiting, feed)
    inspection = Inspection(recognizer, corrected, cut, ring, config, events)
    interruption.work()
    about = {"repaired": corrected.bad, "width_checked": inspection.monitor.knows_pattern}
    what = {"model": str(options.model), "input": options.input}
    # Files that take the references' place meanwhile are not those that this inspection goes by.
    written = start_event.written(references)
    days = start_event.days_since(written)
    about |= start_event.fields(recognizer, config, cut, options.lines_per_second, resumed, days)
    events.tell("start", **what, **about)
    _look_at_start(inspection, options, reader, ring, resumed)
    _look_at_age(inspection, written)
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(StateWriter(options.state)) if options.state else None
        if feed:
            # The feed's thread is to wait no longer for its turn than a fraction of what passes from clock to clock.
            sys.setswitchinterval(SWITCH_SECONDS)
            stack.enter_context(feed.serving(inspection.position, config.pixel_mm, END_SECONDS))
        stack.enter_context(reader.reading(ring))
        watchdog.ready()
        inspection.run(lambda: interruption.asked, watchdog.alive, writer, lambda: _look_at_age(inspection, written))
        stream.finish(END_SECONDS)
        inspection.end(writer)
    interruption.check()


def _ring(options: InspectionOptions, config: InspectionConfig, cut: Tiling) -> Ring:
    """Room for the lines that may wait, if there is memory for as many."""
    layout = motion.with_counts(config.layout, options.position)
    fast, late = round(BUFFER_SECONDS * options.lines_per_second), 2 * (config.latency or cut.side)
    capacity = max(fast, late)
    memory = capacity * layout.line_bytes
    if memory > MOST_BYTES:
        rule = f"{capacity:,} lines that may wait take {memory >> 20:,} MB of memory, {MOST_BYTES >> 20} at most"
        if fast > late:
            raise BadSetting("lines_per_second", options.lines_per_second, f"{rule}; give less")
        advice = f"give less, or check `pixel_mm`, which is {config.pixel_mm:g}"
        raise BadSetting("latency_mm", options.latency_mm, f"{rule}; {advice}")
    return Ring(layout, capacity)


def _resumed(options: InspectionOptions, config: InspectionConfig, references: str) -> Resumption | None:
    """How this inspection follows another; None if it follows none."""
    state = read(options.state) if options.state else None
    speed = options.lines_per_second * config.pixel_mm if config.latency is not None else None
    return resume(state, clocks.now(), speed, references) if state else None


def _look_at_start(
    inspection: Inspection,
    options: InspectionOptions,
    reader: LineReader,
    ring: Ring,
    resumed: Resumption | None,
) -> None:
    """Says what is remarkable before the first line."""
    if resumed:
        inspection.resume(resumed)
    if options.state and not resumed and options.state.exists():
        inspection.alarms.once("state", f"{options.state}: holds no state; positions begin at 0")
    whole = ring.line_bytes
    if reader.size is not None and reader.size % whole:
        text = f"{options.input} has {reader.size:,} bytes, which are not whole lines of {whole:,} bytes"
        inspection.alarms.once("size", text, bytes=reader.size)


def _look_at_age(inspection: Inspection, written: float | None) -> None:
    """Says that the references are old, which they become while an inspection runs, or when the clock is set."""
    days = start_event.days_since(written)
    if days is not None:
        text = f"the references are {days:.0f} days old: take new ones every week"
        inspection.alarms.set("old_references", days > OLD_DAYS, text, days=days)


def _config(options: InspectionOptions, recognizer: Recognizer, cut: Tiling, live: bool) -> InspectionConfig:
    image = recognizer.card.input
    window = options.window or image.window
    if window is None:
        raise UsageError(f"{options.model}: its card has no window; give `window`=LOW,HIGH, as its crops were imaged")
    low, high = map(float, window)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise BadSetting("window", (low, high), "must be LOW,HIGH in attenuation, LOW < HIGH")
    pixel_mm = options.pixel_mm or image.pixel_mm
    if pixel_mm is None:
        raise UsageError(f"{options.model}: its card has no pixel_mm; give `pixel_mm`, the distance of lines")
    part = 2 * cut.seen if options.part_mm is None else round(options.part_mm / pixel_mm)
    if part < cut.seen:
        least = math.ceil(cut.seen * pixel_mm)
        raise BadSetting("part_mm", options.part_mm, f"must be at least {least}, the length that a tile shows")
    layout, spacing = LineFormat(options.width, options.type), math.ceil(options.spacing_mm / pixel_mm)
    fixed = layout, (low, high), pixel_mm, part
    others = options.report_seconds, 0, options.position, pixel_mm if options.count_mm is None else options.count_mm
    if not live:
        return InspectionConfig(*fixed, None, spacing, None, *others)
    latency = math.floor(options.latency_mm / pixel_mm)
    least = shortest_latency(cut, part) + LEAST_BACKLOG
    if latency < least:
        rule = f"must be at least {math.ceil(least * pixel_mm)} with parts of {part * pixel_mm:g} mm"
        raise BadSetting("latency_mm", options.latency_mm, f"{rule}; give more, or less `part_mm`")
    return InspectionConfig(*fixed, latency, spacing, options.stall_seconds, *others)
