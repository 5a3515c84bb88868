"""The work of `latency_table.py`."""

import dataclasses
import json
import signal
import time
from pathlib import Path

from wool_board import atomic_file
from wool_board.benchmark import timing
from wool_board.command_line import say
from wool_board.errors import Unusable
from wool_board.latency import convolution_archive, measurement
from wool_board.latency.document import LatencyDocument
from wool_board.options import NEEDED, option

TELL_SECONDS = 15


@dataclasses.dataclass(frozen=True)
class LatencyOptions:
    """What is to be measured, and where the table goes."""

    models: Path = option(NEEDED, "Archive of convolutions.", form="MODELS", positional=True)
    out: Path = option(NEEDED, "Where the table goes.", form="FILE")
    threads: int = option(1, "CPU threads that the inspection will have, at most the cores of the machine.")


def run(options: LatencyOptions) -> int:
    """Measures the convolutions and writes the table; returns the exit status.

    Raises:
        WoolError: an option or the archive is wrong, or the table cannot be written.
        KeyboardInterrupt: the end was asked for.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    timing.usable((options.threads,))
    if not options.out.name or options.out.is_dir() or not options.out.absolute().parent.is_dir():
        raise Unusable("out", options.out, "must be a file in a folder that exists")
    document = measure(options.models, options.threads)
    try:
        atomic_file.write(options.out, json.dumps(dataclasses.asdict(document)).encode() + b"\n")
    except OSError as error:
        raise Unusable("out", options.out, f"cannot be written ({error.strerror})") from None
    for warning in document.warnings:
        print(f"warning: {warning}")
    print(options.out)
    return 0


def measure(models: Path, threads: int) -> LatencyDocument:
    """The table of an archive; tells on the standard error how far it is.

    Raises:
        WoolError: the archive is wrong, or a model does not run here.
    """
    next_time = time.monotonic() + TELL_SECONDS

    def tell(done: int, of: int) -> None:
        nonlocal next_time
        if time.monotonic() >= next_time:
            next_time = time.monotonic() + TELL_SECONDS
            say(f"{done / of:.0%} of {of:,} measurements")

    return measurement.table(models, convolution_archive.read(models), threads, tell)
