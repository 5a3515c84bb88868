"""The document of a benchmark as text."""

from collections.abc import Sequence

from wool_board.benchmark.document import BenchmarkDocument, ModelTimes
from wool_board.columns import aligned
from wool_board.machine.board import MachineFacts

STEPS = ("p50_ms", "p90_ms", "p95_ms", "p99_ms")


def table(document: BenchmarkDocument) -> str:
    """What was measured, as text."""
    models = document.models
    lines = [*_machine(document.machine), *_cards(models)]
    runs = f"{models[0].runs} runs of each model in turns, after {document.warm_up_runs} to warm up"
    lines += [f"{runs}; milliseconds per image; RAM: MB that the model adds", ""]
    steps = ("load_ms", "first_ms", "mean_ms", *STEPS)
    header = ("model", "MB", "threads", *(name.removesuffix("_ms") for name in steps), "images/s", "RAM")
    rows = [header]
    for model in models:
        times = [f"{getattr(model, name):.2f}" for name in steps]
        ram = "–" if model.memory_mb is None else f"{model.memory_mb:.1f}"
        first = (model.file, f"{model.bytes / 1e6:.2f}", str(model.threads))
        rows.append((*first, *times, f"{model.images_per_second:.1f}", ram))
    lines += aligned(rows, "l" + "r" * (len(header) - 1))
    for tile in document.preprocessing:
        told = ", ".join(f"{name.removesuffix('_ms')} {getattr(tile, name):.2f}" for name in STEPS)
        lines.append(f"before it, counts to pixels of a tile of {tile.side}×{tile.side}, 1 thread: {told} ms")
    lines += [f"note: {note}" for note in document.notes]
    return "\n".join(lines + [f"warning: {warning}" for warning in document.warnings])


def _machine(machine: MachineFacts) -> list[str]:
    memory = machine.memory_mb and f"{machine.memory_mb / 1e3:.1f} GB"
    known = [machine.board, machine.cpu, f"{machine.cores} cores", memory, machine.architecture, machine.kernel]
    state = []
    if machine.governor:
        state.append(f"governor {machine.governor}")
    if machine.clock_seen_mhz:
        limits = machine.clock_limits_mhz
        seen = "clock {} to {} MHz".format(*machine.clock_seen_mhz)
        state.append(seen + (" of {} to {}".format(*limits) if limits else ""))
    if machine.temperature_before is not None and machine.temperature_after is not None:
        state.append(f"{machine.temperature_before:.0f} °C before, {machine.temperature_after:.0f} °C after")
    if machine.throttled_after is not None:
        state.append(f"throttling bits {machine.throttled_after:#x}")
    lines = (", ".join(part for part in known if part), ", ".join(state))
    return [line for line in lines if line]


def _cards(models: Sequence[ModelTimes]) -> list[str]:
    """A line for each file with a card."""
    said = {}
    for model in models:
        if model.card:
            parts = (model.precision, model.network, f"card {model.card}")
            said[model.file] = ", ".join(part for part in parts if part)
    return [f"{file}: {text}" for file, text in said.items()]
