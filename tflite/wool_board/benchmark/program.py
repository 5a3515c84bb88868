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
from wool_board.benchmark.document import BenchmarkDocument, ModelFacts, TileTimes
from wool_board.benchmark.table import table
from wool_board.errors import Unusable
from wool_board.options import NEEDED, numbers, option
from wool_board.settings import check

STANDARD_OUTPUT = "-"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """What is to be timed, and where the figures go; `-` as the file prints the document instead of the table."""

    models: tuple[Path, ...] = option(NEEDED, "TFLite file.", form="MODEL", positional=True, repeated=True)
    threads: tuple[int, ...] = option(
        (1,), "CPU threads, one number or several.", form="N[,N]", read=numbers("numbers with commas between", int)
    )
    runs: int = option(200, "Runs of each model that are timed.", at_least=1)
    json: str | None = option(
        None, "Write JSON into this file; --json alone: print it instead of the table.", form="FILE"
    )

    def __post_init__(self) -> None:
        check(self)


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
    threads, notes = timing.usable(tuple(dict.fromkeys(options.threads)))
    file = None if options.json in (None, STANDARD_OUTPUT) else Path(options.json)
    if file is not None:
        _check_writable(file)
    document = dataclasses.replace(measure(options.models, threads, options.runs), notes=tuple(notes))
    text = json.dumps(dataclasses.asdict(document), indent=1)
    if file is not None:
        _write(file, text + "\n")
    print(text if options.json == STANDARD_OUTPUT else table(document))
    return 0


def measure(paths: Sequence[Path], threads: Sequence[int], runs: int) -> BenchmarkDocument:
    """Measures the models, and the way to the pixels of a tile of each size that one of them reads."""
    facts = [candidates.describe(path) for path in paths]
    facts = [dataclasses.replace(known, **memory.added(Path(known.file), threads[0])) for known in facts]
    sides: set[int] = set()

    def load(count: int) -> list[candidates.TimedModel]:
        models = [candidates.TimedModel(path, count) for path in paths]
        sides.update(model.side for model in models if model.side)
        return models

    found = timing.document(facts, load, threads, runs)
    tiles = [candidates.TimedTile(side) for side in sorted(sides)]
    columns = timing.measure(tiles, runs).T
    preprocessing = [
        TileTimes(side=tile.side, **vars(timing.figures(column))) for tile, column in zip(tiles, columns, strict=True)
    ]
    warnings = (*found.warnings, *_wrong_cards(facts))
    return dataclasses.replace(found, preprocessing=tuple(preprocessing), warnings=warnings)


def _wrong_cards(facts: Sequence[ModelFacts]) -> list[str]:
    return [f"{known.file}: card {known.card}" for known in facts if known.card not in (None, "right")]


def _check_writable(path: Path) -> None:
    """Raises WoolError if a file cannot be written there, which is better known before the measurement."""
    if not path.name or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise Unusable("json", path, "must be a file in a folder that exists and can be written")


def _write(path: Path, text: str) -> None:
    try:
        atomic_file.write(path, text.encode())
    except OSError as error:
        raise Unusable("json", path, f"cannot be written ({error.strerror})") from None
