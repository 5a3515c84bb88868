"""The work of `benchmark.py`."""

import dataclasses
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from wool_board import atomic_file
from wool_board.benchmark import candidates, memory, timing
from wool_board.benchmark.table import table
from wool_board.errors import UsageError, WoolError

STANDARD_OUTPUT = "-"


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """What is to be timed, and where the figures go.

    Attributes:
        models: TFLite files.
        threads: numbers of CPU threads.
        runs: of each model that are timed.
        json: file for the document; `-` prints it instead of the table; None: the table alone.
    """

    models: tuple[Path, ...]
    threads: tuple[int, ...]
    runs: int
    json: str | None


def run(options: BenchmarkOptions) -> int:
    """Times the models and prints or writes what was found; returns the exit status.

    Raises:
        WoolError: an option or a model is wrong.
        KeyboardInterrupt: the end was asked for.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A file's name need not be text, and not every locale knows a degree sign.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    threads, notes = timing.usable(options.threads)
    if options.runs < 1:
        raise UsageError(f"--runs={options.runs}: must be at least 1")
    file = None if options.json in (None, STANDARD_OUTPUT) else Path(options.json)
    if file is not None:
        _check_writable(file)
    document = measure(options.models, threads, options.runs) | {"notes": notes}
    text = json.dumps(document, indent=1)
    if file is not None:
        _write(file, text + "\n")
    print(text if options.json == STANDARD_OUTPUT else table(document))
    return 0


def measure(paths: Sequence[Path], threads: Sequence[int], runs: int) -> dict:
    """Measures the models.

    Returns:
        The document that `--json` writes: that of `timing.document`, with the memory of each model, and under
        `preprocessing` the times for a tile of each size that a model reads.
    """
    facts = [candidates.describe(path) for path in paths]
    facts = [known | memory.added(Path(known["file"]), threads[0]) for known in facts]
    sides: set[int] = set()

    def load(count: int) -> list[candidates.TimedModel]:
        models = [candidates.TimedModel(known, count) for known in facts]
        sides.update(model.side for model in models if model.side)
        return models

    found = timing.document(load, threads, runs)
    tiles = [candidates.TimedTile(side) for side in sorted(sides)]
    figures = [timing.figures(column) for column in timing.measure(tiles, runs).T]
    found["preprocessing"] = [{"side": tile.side, **times} for tile, times in zip(tiles, figures, strict=True)]
    found["warnings"] += _wrong_cards(facts)
    return found


def _wrong_cards(facts: Sequence[dict]) -> list[str]:
    return [f"{known['file']}: card {known['card']}" for known in facts if known["card"] not in (None, "right")]


def _check_writable(path: Path) -> None:
    """Raises WoolError if a file cannot be written there, which is better known before the measurement."""
    if not path.name or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise WoolError(f"--json={path}: must be a file in a folder that exists and can be written")


def _write(path: Path, text: str) -> None:
    try:
        atomic_file.write(path, text.encode())
    except OSError as error:
        raise WoolError(f"--json={path}: cannot be written ({error.strerror})") from None
