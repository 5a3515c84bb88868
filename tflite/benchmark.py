"""How long TFLite files take on this machine, several of them in turns.

    python benchmark.py MODEL... [--threads=1,2,4] [--runs=200] [--json[=FILE]]

The models take turns of some runs each, so a machine that slows down or is disturbed does so for all of them, and their
ratios hold. A run hands over an image of random pixels, computes, and reads the result. What an inspection does before,
from the detector's counts to pixels, is timed by itself. Needs ai-edge-litert and numpy.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import candidates
import timing
from recognizer import UserError

STEPS = ("p50_ms", "p90_ms", "p95_ms", "p99_ms")


def benchmark(paths: Sequence[Path], threads: Sequence[int], runs: int) -> dict:
    """Measures the models.

    Returns:
        The document that `--json` writes: that of `timing.document`, with the memory of each model, and under
        `preprocessing` the times for a tile of each size that a model reads.
    """
    facts = [candidates.describe(path) for path in paths]
    facts = [known | candidates.added_memory(Path(known["file"]), threads[0]) for known in facts]
    sides = set()

    def load(count: int) -> list[candidates.Model]:
        models = [candidates.Model(known, count) for known in facts]
        sides.update(model.side for model in models if model.side)
        return models

    found = timing.document(load, threads, runs)
    tiles = [candidates.Tile(side) for side in sorted(sides)]
    figures = [timing.figures(column) for column in timing.measure(tiles, runs).T]
    found["preprocessing"] = [{"side": tile.side, **times} for tile, times in zip(tiles, figures, strict=True)]
    found["warnings"] += _wrong_cards(facts)
    return found


def _wrong_cards(facts: Sequence[dict]) -> list[str]:
    return [f"{known['file']}: card {known['card']}" for known in facts if known["card"] not in (None, "right")]


def table(document: dict) -> str:
    """The document as text."""
    models = document["models"]
    lines = [*_machine(document["machine"]), *_cards(models)]
    runs = f"{models[0]['runs']} runs of each model in turns, after {document['warm_up_runs']} to warm up"
    lines += [f"{runs}; milliseconds per image; RAM: MB that the model adds", ""]
    steps = ("load_ms", "first_ms", "mean_ms", *STEPS)
    header = ("model", "MB", "threads", *(name.removesuffix("_ms") for name in steps), "images/s", "RAM")
    rows = [header]
    for model in models:
        times = [f"{model[name]:.2f}" for name in steps]
        memory = "–" if model["memory_mb"] is None else f"{model['memory_mb']:.1f}"
        first = (model["file"], f"{model['bytes'] / 1e6:.2f}", str(model["threads"]))
        rows.append((*first, *times, f"{model['images_per_second']:.1f}", memory))
    lines += _aligned(rows)
    for tile in document["preprocessing"]:
        times = ", ".join(f"{name.removesuffix('_ms')} {tile[name]:.2f}" for name in STEPS)
        lines.append(f"before it, counts to pixels of a tile of {tile['side']}×{tile['side']}, 1 thread: {times} ms")
    lines += [f"note: {note}" for note in document["notes"]]
    return "\n".join(lines + [f"warning: {warning}" for warning in document["warnings"]])


def _machine(machine: dict) -> list[str]:
    memory = machine["memory_mb"] and f"{machine['memory_mb'] / 1e3:.1f} GB"
    known = [machine["board"], machine["cpu"], f"{machine['cores']} cores", memory, machine["architecture"]]
    state = []
    if machine["governor"]:
        state.append(f"governor {machine['governor']}")
    if machine["clock_seen_mhz"]:
        limits = machine["clock_limits_mhz"]
        seen = "clock {} to {} MHz".format(*machine["clock_seen_mhz"])
        state.append(seen + (" of {} to {}".format(*limits) if limits else ""))
    if machine["temperature_before"] is not None and machine["temperature_after"] is not None:
        state.append(f"{machine['temperature_before']:.0f} °C before, {machine['temperature_after']:.0f} °C after")
    if machine["throttled_after"] is not None:
        state.append(f"throttling bits {machine['throttled_after']:#x}")
    lines = (", ".join(part for part in (*known, machine["kernel"]) if part), ", ".join(state))
    return [line for line in lines if line]


def _cards(models: Sequence[dict]) -> list[str]:
    """A line for each file with a card."""
    said = {}
    for model in models:
        if model["card"]:
            parts = (model["precision"], model["network"], f"card {model['card']}")
            said[model["file"]] = ", ".join(part for part in parts if part)
    return [f"{file}: {text}" for file, text in said.items()]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(cells))
    return lines


def check_writable(path: Path) -> None:
    """Raises UserError if a file cannot be written there, which is better known before the measurement."""
    if not path.name or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f"--json={path}: must be a file in a folder that exists and can be written")


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"--json={path}: cannot be written ({error.strerror})") from None


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; --help tells more\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; leaves with status 2 if it is wrong."""
    parser = _Parser(prog="benchmark.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("models", metavar="MODEL", nargs="+", type=Path, help="TFLite file")
    parser.add_argument("--threads", type=_numbers, default=[1], help="CPU threads, one number or several: 1,2,4 (1)")
    parser.add_argument("--runs", type=int, default=200, help="runs of each model that are timed (200)")
    parser.add_argument("--json", metavar="FILE", help="write JSON into this file; --json alone, instead of the table")
    # An optional value would take the model that follows for the file to write.
    return parser.parse_args(["--json=-" if argument == "--json" else argument for argument in arguments])


def _numbers(text: str) -> list[int]:
    try:
        return list(dict.fromkeys(map(int, text.split(","))))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between, got {text!r}") from None


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A file's name need not be text, and not every locale knows a degree sign.
    sys.stdout.reconfigure(errors="replace")
    try:
        threads, notes = timing.usable(options.threads)
        if options.runs < 1:
            raise UserError(f"--runs={options.runs}: must be at least 1")
        if options.json not in (None, "-"):
            check_writable(Path(options.json))
        document = benchmark(options.models, threads, options.runs) | {"notes": notes}
        text = json.dumps(document, indent=1)
        if options.json not in (None, "-"):
            write(Path(options.json), text + "\n")
    except UserError as error:
        print(f"benchmark.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(text if options.json == "-" else table(document))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
