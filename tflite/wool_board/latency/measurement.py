"""Times the convolutions of an archive one by one."""

import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wool_board.benchmark.candidates import random_pixels, runtime
from wool_board.errors import BadFile, WoolError
from wool_board.latency.convolution_archive import ArchiveContents, Grid
from wool_board.latency.document import VERSION, LatencyDocument, TimedGrid
from wool_board.machine import board
from wool_board.model.network import invoke, opened

PASSES = 3
"""Each convolution is timed so often, with all others between, and the shortest time counts: whatever disturbs a
measurement makes it longer, and nothing disturbs all of it."""
WARM_UP_RUNS = 2
LEAST_RUNS = 5
LEAST_SECONDS = 0.01
"""A convolution is run until it had both."""

Progress = Callable[[int, int], None]
"""Called with the models timed so far and the models in all."""


def table(path: Path, wanted: ArchiveContents, threads: int, progress: Progress) -> LatencyDocument:
    """Times every convolution of an archive.

    Arguments:
        path: of the archive.
        wanted: what `convolution_archive.read` says of it.
        threads: CPU threads, at least 1.
        progress: `Progress`.

    Raises:
        WoolError: a model does not run here.
    """
    watch = board.MachineWatch()
    names, best = wanted.models(), dict[str, float]()
    with zipfile.ZipFile(path) as archive, watch.timed():
        for number in range(PASSES):
            for done, name in enumerate(names, start=1):
                best[name] = min(best.get(name, np.inf), _timed(archive.read(name), name, threads))
                progress(number * len(names) + done, PASSES * len(names))
            watch.sample()
    machine = watch.result()
    grids, sweeps = (tuple(_times(grid, best) for grid in grids) for grids in (wanted.grids, wanted.sweeps))
    return LatencyDocument(
        VERSION, machine, runtime(), threads, tuple(board.find_warnings(machine)), grids=grids, sweeps=sweeps
    )


def _timed(model: bytes, name: str, threads: int) -> float:
    """The median of some runs in milliseconds."""
    try:
        interpreter = opened(model, threads)
    except BadFile as bad:
        raise WoolError(f"{name}: {bad}") from None
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], random_pixels(tensor["shape"], tensor["dtype"]))
    for _ in range(WARM_UP_RUNS):
        invoke(interpreter)
    times: list[float] = []
    end = time.perf_counter() + LEAST_SECONDS
    while len(times) < LEAST_RUNS or time.perf_counter() < end:
        started = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times))


def _times(grid: Grid, best: dict[str, float]) -> TimedGrid:
    ms = {(reads, writes): round(best[name], 6) for reads, writes, name in grid.models()}
    rows = tuple(tuple(ms[reads, writes] for writes in grid.writes) for reads in grid.reads)
    return TimedGrid(grid.kernel, grid.stride, grid.side, grid.reads, grid.writes, rows)
