"""The document that `latency_table.py` writes; what it must be is declared here alone, for whoever reads it, too."""

import dataclasses

from wool_board.latency.convolution_archive import Grid
from wool_board.machine.board import MachineFacts

VERSION = 1


@dataclasses.dataclass(frozen=True)
class TimedGrid(Grid):
    """Convolutions of a shape with their times.

    Attributes:
        ms: milliseconds of a run, for each number of channels read one for each number written.
    """

    ms: tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class LatencyDocument:
    """A table as it is in its file.

    Attributes:
        version: `VERSION`.
        machine: what it was measured on, and what was seen of it meanwhile.
        runtime: name and version of what ran the convolutions.
        threads: CPU threads.
        warnings: why the times cannot be trusted.
        grids: of every shape of some networks.
        sweeps: over neighbouring numbers of channels, read or written.
    """

    version: int
    machine: MachineFacts
    runtime: str
    threads: int
    warnings: tuple[str, ...]
    grids: tuple[TimedGrid, ...]
    sweeps: tuple[TimedGrid, ...]
