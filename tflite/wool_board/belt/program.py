"""The work of `inspect_line.py`."""

import contextlib
import dataclasses
import math
import sys
from pathlib import Path

from wool_board.belt import motion, start_event
from wool_board.belt.config import InspectionConfig, shortest_latency
from wool_board.belt.events import Events
from wool_board.belt.feed import Feed
from wool_board.belt.inspection import Inspection
from wool_board.belt.lines import LineReader, Ring
from wool_board.belt.resumption import Resumption, resume
from wool_board.belt.state import StateWriter, claimed, read
from wool_board.belt.tiles import Tiling, tiling
from wool_board.errors import UsageError
from wool_board.image.references import correction
from wool_board.image.scan_files import LineFormat
from wool_board.machine import clocks, cores
from wool_board.machine.interruption import Interruption
from wool_board.machine.output_stream import OutputStream
from wool_board.machine.watchdog import Watchdog
from wool_board.model.recognizer import Recognizer

BUFFER_SECONDS = 4
"""What the ring holds, of lines at full speed: longer than any tile takes, and some megabytes."""

MOST_BYTES = 256 << 20
"""What the ring may hold: a quarter of the memory of the smallest boards."""

MOST = 1e9
"""Of any number that is given: 1000 km of belt, 30 years, lines of a nanosecond."""

LEAST_PIXEL_MM = 0.001
"""No detector has smaller elements."""

OLD_DAYS = 14
"""Days after which references are old: elements die, and tubes age."""

SWITCH_SECONDS = 0.001

END_SECONDS = 2.0
"""Within which the last events must be taken."""

LEAST_BACKLOG = 64
"""Lines that must be allowed to wait: some do however fast a machine is."""


@dataclasses.dataclass(frozen=True)
class InspectionOptions:
    """What is to be inspected and how, as a user says it; `InspectionConfig` has what follows from it, in lines.

    Attributes:
        model: TFLite file with its card.
        input: raw lines: a file, a FIFO, or `-` for the standard input.
        dark, bright: references without beam, and of the empty belt.
        width: elements in a line.
        type: of a sample, a key of `scan_files.TYPES`.
        window: attenuation shown white and black; None: the card's.
        pixel_mm: distance of lines and of elements; None: the card's.
        lines_per_second: at full speed.
        overlap: share of a tile that the next one shows as well, 0 to below 1.
        part_mm: length from which on a reject is told in parts; None: twice what a tile sees.
        latency_mm: of the belt from the start of a reject to its event, at most.
        spacing_mm: of the belt without any air, or with nothing but air, until the alarm.
        stall_seconds: without a line until the alarm.
        report_seconds: from summary to summary.
        threads: CPU threads of the network.
        recorded: whether the writer of a pipe can wait, so that nothing is thinned or lost.
        reopen: whether to wait for another writer of the FIFO when one goes away.
        position: what a line says of the place of the belt, one of `motion.POSITIONS`.
        count_mm: of the belt from one count of its encoder to the next, with `count`; None: as from line to line.
        state: file that says how far the inspection is, for the one that follows, or None.
        feed: path of a socket for programs that run beside the inspection, or None.
    """

    model: Path
    input: str
    dark: Path
    bright: Path
    width: int
    type: str
    window: tuple[float, float] | None
    pixel_mm: float | None
    lines_per_second: float
    overlap: float
    part_mm: float | None
    latency_mm: float
    spacing_mm: float
    stall_seconds: float
    report_seconds: float
    threads: int
    recorded: bool
    reopen: bool
    position: str
    count_mm: float | None
    state: Path | None
    feed: Path | None = None


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
    _check(options)
    layout, references = LineFormat(options.width, options.type), (options.dark, options.bright)
    corrected = correction(*references, raw=layout, detector=layout)
    recognizer = Recognizer(options.model, options.threads)
    cut = tiling(recognizer.side, recognizer.margin, options.width, options.overlap)
    reader = LineReader(options.input, options.recorded, options.reopen)
    config = _config(options, recognizer, cut, reader.live)
    resumed = _resumed(options, config, corrected.fingerprint)
    if resumed:
        config = dataclasses.replace(config, first=math.ceil(config.line(resumed.first_mm)))
    count_mm = config.pixel_mm if options.count_mm is None else options.count_mm
    config = dataclasses.replace(config, position=options.position, count_mm=count_mm)
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
            raise UsageError(f"--lines_per_second={options.lines_per_second:g}: {rule}; give less")
        advice = f"give less, or check --pixel_mm, which is {config.pixel_mm:g}"
        raise UsageError(f"--latency_mm={options.latency_mm:g}: {rule}; {advice}")
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
        inspection.alarms.once("state", f"--state={options.state}: holds no state; positions begin at 0")
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


def _check(options: InspectionOptions) -> None:
    cores.check_threads(options.threads)
    if options.width < 1:
        raise UsageError(f"--width={options.width}: must be at least 1")
    if not 0 <= options.overlap < 1:
        raise UsageError(f"--overlap={options.overlap:g}: must be 0 or more and below 1")
    for name in (
        "pixel_mm",
        "count_mm",
        "lines_per_second",
        "part_mm",
        "latency_mm",
        "spacing_mm",
        "stall_seconds",
        "report_seconds",
    ):
        value = getattr(options, name)
        if value is not None and not 0 < value <= MOST:
            raise UsageError(f"--{name}={value:g}: must be above 0 and at most {MOST:g}")


def _config(options: InspectionOptions, recognizer: Recognizer, cut: Tiling, live: bool) -> InspectionConfig:
    image = recognizer.card["input"]
    window = options.window or image.get("window")
    if window is None:
        raise UsageError(f"{options.model}: its card has no window; give --window=LOW,HIGH, as its crops were imaged")
    low, high = map(float, window)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"--window={low:g},{high:g}: must be LOW,HIGH in attenuation, LOW < HIGH")
    pixel_mm = options.pixel_mm or image.get("pixel_mm")
    if pixel_mm is None:
        raise UsageError(f"{options.model}: its card has no pixel_mm; give --pixel_mm, the distance of lines")
    if pixel_mm < LEAST_PIXEL_MM:
        source = f"{options.model}: its card's pixel_mm" if options.pixel_mm is None else "--pixel_mm"
        raise UsageError(f"{source}={pixel_mm:g}: must be at least {LEAST_PIXEL_MM:g}, in millimetres")
    part = 2 * cut.seen if options.part_mm is None else round(options.part_mm / pixel_mm)
    if part < cut.seen:
        least = math.ceil(cut.seen * pixel_mm)
        raise UsageError(f"--part_mm={options.part_mm:g}: must be at least {least}, the length that a tile shows")
    layout, spacing = LineFormat(options.width, options.type), math.ceil(options.spacing_mm / pixel_mm)
    fixed = layout, (low, high), pixel_mm, part
    if not live:
        return InspectionConfig(*fixed, None, spacing, None, options.report_seconds)
    latency = math.floor(options.latency_mm / pixel_mm)
    least = shortest_latency(cut, part) + LEAST_BACKLOG
    if latency < least:
        rule = f"must be at least {math.ceil(least * pixel_mm)} with parts of {part * pixel_mm:g} mm"
        raise UsageError(f"--latency_mm={options.latency_mm:g}: {rule}; give more, or less --part_mm")
    return InspectionConfig(*fixed, latency, spacing, options.stall_seconds, options.report_seconds)
