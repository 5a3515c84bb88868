"""Tables of latencies that nobody measured: times are what a function says."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from wool_board.latency.document import VERSION, LatencyDocument, TimedGrid
from wool_board.machine.board import MachineFacts
from wool_tf import records
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import latency_table
from wool_tf.pruning.latency_table import LatencyTable, Shape

Rule = Callable[[Shape, int, int], float]
"""Milliseconds of a shape with so many channels read and written."""
NS = 1e-6


def by_macs(shape: Shape, reads: int, writes: int) -> float:
    """A nanosecond for each multiply-accumulate."""
    return NS * shape.kernel**2 * shape.side**2 * reads * writes


def in_steps(step: int) -> Rule:
    """The same, but of whole steps of channels that are read or written."""
    return lambda shape, reads, writes: by_macs(shape, -(-reads // step) * step, -(-writes // step) * step)


def document(specs: Sequence[ResNetSpec], rule: Rule = by_macs) -> LatencyDocument:
    wanted = latency_table.to_measure(specs)
    measured = [tuple(_measured(grid, rule) for grid in grids) for grids in (wanted.grids, wanted.sweeps)]
    return LatencyDocument(VERSION, MachineFacts(cpu="a slide rule"), "LiteRT 0", 1, (), *measured)


def table(spec: ResNetSpec, rule: Rule = by_macs) -> LatencyTable:
    return LatencyTable(document([spec], rule), "t.json")


def write(path: Path, spec: ResNetSpec, rule: Rule = by_macs, **changes) -> Path:
    """The file of a table."""
    path.write_text(json.dumps(records.plain(document([spec], rule)) | changes))
    return path


def _measured(grid, rule: Rule) -> TimedGrid:
    shape = Shape(grid.kernel, grid.stride, grid.side)
    ms = tuple(tuple(rule(shape, reads, writes) for writes in grid.writes) for reads in grid.reads)
    return TimedGrid(grid.kernel, grid.stride, grid.side, grid.reads, grid.writes, ms)
