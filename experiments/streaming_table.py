"""Tables of what was found as scans passed: a column for each speed, and the rows that several scripts show."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wool_tf.belt.gate.run import GateFigures
    from wool_tf.belt.scoring import DefectCounts, InspectionFigures, MemoryQuarters, Percentiles


class SpeedTable:
    """A table that is made row by row.

    Arguments:
        runs: figures by speed, a multiple of real time; 0: no limit.
    """

    def __init__(self, runs: dict[str, Any]):
        self._runs = list(runs.values())
        self._rows = [["", *("no limit" if speed == "0" else f"{speed}×" for speed in runs)]]

    def add(self, name: str, cell: Callable[[Any], str | None]) -> None:
        """Adds a row; a cell of None is shown as missing."""
        from wool_tf.cells import MISSING

        self._rows.append([name, *(MISSING if (shown := cell(run)) is None else shown for run in self._runs)])

    def text(self) -> str:
        """All rows, aligned."""
        from wool_board.columns import aligned

        return "\n".join(aligned(self._rows, "l" + "r" * len(self._runs)))


def add_found(table: SpeedTable, runs: "dict[str, InspectionFigures]") -> None:
    """How well rejects hit the defects (`scoring.judge`)."""
    for defect in next(iter(runs.values())).defects:
        table.add(f"found of {defect}", lambda run, defect=defect: found(run.defects[defect]))
    table.add("product, m", lambda run: f"{run.product_m:.1f}")
    table.add("rejects", lambda run: f"{run.rejects}")
    table.add("false rejects per m of product", lambda run: f"{run.false_rejects:.3f}")
    table.add("falsely rejected, mm per m of product", lambda run: f"{run.false_mm:.1f}")
    table.add("rejected share of the product", lambda run: f"{run.rejected_share:.1%}")


def add_pace(table: SpeedTable) -> None:
    """How the inspection kept up (`scoring.program_figures`)."""
    table.add("lines per second", lambda run: f"{run.lines_per_second:,.0f}")
    table.add("tiles", lambda run: f"{run.tiles:,}")
    table.add("tile latency p50 / p95, ms", lambda run: _pair(run.tile_latency_ms))
    table.add("reject latency p50 / p95, mm", lambda run: _pair(run.reject_latency_mm))
    table.add("longest reject latency, mm", lambda run: (found := run.reject_latency_mm) and f"{found.max:.0f}")
    table.add("stated reject latency, mm", lambda run: (said := run.stated_latency) and f"{said.mm:.0f}")
    table.add("rejects later than stated", lambda run: f"{run.late}")
    table.add("unseen, mm", lambda run: f"{run.unseen_mm:.0f}")
    table.add("forgotten, mm", lambda run: f"{run.forgotten_mm:.0f}")
    table.add("lines lost", lambda run: f"{run.lost_lines}")
    table.add("times the overlap was thinned", lambda run: f"{run.thinned}")
    table.add("thinnest level", lambda run: "{} of {}".format(*run.thinnest))
    table.add("alarms", lambda run: ", ".join(run.alarms) or None)
    table.add("writer held up at most, ms", lambda run: f"{run.longest_write_ms:.0f}")
    table.add("peak memory, MB", lambda run: f"{run.peak_memory_mb:.1f}")
    table.add("mean memory, first / last quarter, MB", lambda run: quarters(run.memory_mb))


def say_notes(run: "GateFigures", display) -> None:
    """Shows what the gate said of its settings (`belt.gate.run.figures`)."""
    for text in run.notes:
        display.say(f"the gate says: {text}")


def add_gate(table: SpeedTable) -> None:
    """What the gate did (`belt.gate.run.figures`)."""
    for on, name in ((True, "begins to reject"), (False, "ends to reject")):
        table.add(f"{name}: edges", lambda run, on=on: f"{len(_errors(run, on))}")
        table.add("  earliest / mean / latest, mm", lambda run, on=on: _spread(_errors(run, on)))
    table.add("rejected, and passed all the same, mm", lambda run: f"{run.missed_mm:.1f}")
    table.add("rejected needlessly, mm", lambda run: _needless(run.needless_mm))
    table.add("unseen, mm", lambda run: f"{run.unseen_mm:.0f}")
    table.add("belt stood, as this machine was busy, s", lambda run: f"{run.stood_seconds:.1f}")
    table.add("clock messages", lambda run: f"{run.gate.clocks:,}")
    table.add("  longest step, mm", lambda run: f"{run.gate.longest_step_mm:.1f}")
    table.add("  steps above --lead_mm", lambda run: f"{run.gate.jumps}")
    table.add("  age p50 / p95 / max, ms", lambda run: _ages(run.gate.clock_age_ms))
    table.add("rejects later than the gate", lambda run: f"{run.gate.late}")


def found(counts: "DefectCounts") -> str:
    """How many defects were found; that one was missed means little if nobody looked at it."""
    missed = counts.boxes - counts.looked_at
    return f"{counts.found} of {counts.boxes}" + (f", {missed} not looked at" if missed else "")


def quarters(memory: "MemoryQuarters | None") -> str | None:
    """Mean memory in the first and the last quarter (`scoring.quarters`)."""
    return memory and f"{memory.first.mean:.1f} / {memory.last.mean:.1f}"


def _pair(percentiles: "Percentiles | None") -> str | None:
    return percentiles and f"{percentiles.p50:.0f} / {percentiles.p95:.0f}"


def _errors(run: "GateFigures", on: bool) -> list[float]:
    return [edge.error_mm for edge in run.edges if edge.on == on]


def _spread(errors: list[float]) -> str | None:
    return f"{min(errors):+.1f} / {sum(errors) / len(errors):+.1f} / {max(errors):+.1f}" if errors else None


def _needless(needless: dict[str, float]) -> str:
    return ", ".join(f"{mm:.0f} ({why})" for why, mm in sorted(needless.items())) or "0"


def _ages(ages: "Percentiles | None") -> str | None:
    return ages and f"{ages.p50:.1f} / {ages.p95:.1f} / {ages.max:.1f}"
