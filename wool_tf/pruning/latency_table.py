"""How long the convolutions of an int8 network take: a table measured on the machine that will run it.

`tflite/latency_table.py` and `experiments/latency_table.py` measure it. Between the measured numbers of channels, times
are interpolated. Kernels work on several channels at a time, so that times rise in steps; the steps are found in the
table's sweeps, and numbers of channels are rounded up to whole steps first.
"""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wool_board.json_text import parsed
from wool_board.latency.convolution_archive import ArchiveContents, Grid
from wool_board.latency.document import VERSION, LatencyDocument, TimedGrid
from wool_tf import records
from wool_tf.errors import WoolError
from wool_tf.networks import complexity
from wool_tf.networks.spec import STEM, Convolution, ResNetSpec

STEPS = (1, 2, 4, 8, 16, 32)
"""Numbers of channels that kernels may work on at a time."""
WIDTHS = (1, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
"""Numbers of channels that are measured, as far as a network has them."""
SWEEP = 40
"""Neighbouring numbers of channels that are measured once, from 1 on, to see the steps."""
_SWEPT = "layer1.0.conv2"
"""A 3×3 convolution of stride 1 in networks of all depths."""
_REMEDY = "measure it anew with latency_table.py"


@dataclasses.dataclass(frozen=True)
class Shape:
    """What tells the convolutions of a network apart besides their channels.

    Attributes:
        kernel: side of the square kernel.
        stride: step along both axes.
        side: height and width of the output in pixels.
    """

    kernel: int
    stride: int
    side: int

    @classmethod
    def of(cls, grid: Grid) -> "Shape":
        """That of the convolutions of a grid."""
        return cls(grid.kernel, grid.stride, grid.side)

    def __str__(self) -> str:
        return f"{self.kernel}×{self.kernel}, stride {self.stride}, output {self.side}×{self.side}"


class LatencyTable:
    """Predicts the time of convolutions.

    Arguments:
        document: LatencyDocument.
        name: of its file, for messages.

    Attributes:
        document, name: the same.
        steps: channels that are computed at a time, of those read and of those written.

    Raises:
        WoolError: the document contradicts itself.
    """

    def __init__(self, document: LatencyDocument, name: str):
        self.document, self.name = document, name
        for grid in (*document.grids, *document.sweeps):
            if flaw := _flaw(grid):
                raise WoolError(f"{name}: the convolutions {Shape.of(grid)} {flaw}; {_REMEDY}")
        self._grids = {Shape.of(grid): (grid, _times(grid)) for grid in document.grids}
        if len(self._grids) < len(document.grids):
            raise WoolError(f"{name}: has convolutions of one shape twice; {_REMEDY}")
        self.steps = self._step("reads"), self._step("writes")

    @property
    def machine(self) -> str:
        """What it was measured on and with, in a phrase."""
        name, threads = self.document.machine.name or "an unnamed machine", self.document.threads
        return f"{name}, {self.document.runtime}, {threads} thread{'s' * (threads > 1)}"

    def ms(self, shape: Shape, reads: np.ndarray | int, writes: np.ndarray | int) -> np.ndarray:
        """Milliseconds of convolutions.

        Arguments:
            shape: Shape of all of them.
            reads, writes: numbers of channels; they are broadcast.

        Raises:
            WoolError: the table has no such shape, or not so many channels.
        """
        if shape not in self._grids:
            raise WoolError(f"{self.name}: has no convolutions {shape}; measure a table for this image size and depth")
        grid, times = self._grids[shape]
        for axis, asked in ((grid.reads, reads), (grid.writes, writes)):
            if np.max(asked) > axis[-1]:
                raise WoolError(f"{self.name}: ends at {axis[-1]} channels of {shape}, asked for {np.max(asked)}")
        (row, down), (column, across) = (
            _place(axis, asked, step)
            for axis, asked, step in ((grid.reads, reads, self.steps[0]), (grid.writes, writes, self.steps[1]))
        )
        next_row, next_column = (
            np.minimum(at + 1, len(axis) - 1) for at, axis in ((row, grid.reads), (column, grid.writes))
        )
        above = (1 - across) * times[row, column] + across * times[row, next_column]
        below = (1 - across) * times[next_row, column] + across * times[next_row, next_column]
        return (1 - down) * above + down * below

    def _step(self, axis: str) -> int:
        """The step that explains the sweeps along an axis best: times that are linear in the number of whole steps."""
        curves = [
            (np.array(getattr(grid, axis)), _times(grid).mean(axis=1 if axis == "reads" else 0))
            for grid in self.document.sweeps
            if len(getattr(grid, axis)) > 2
        ]
        errors = [sum(_error(-(-widths // step), times) for widths, times in curves) for step in STEPS]
        return STEPS[int(np.argmin(errors))]


def read(path: Path) -> LatencyTable:
    """The table of a file.

    Raises:
        WoolError: the file cannot be read, is no table, of another version, or damaged.
    """
    try:
        document = parsed(path.read_bytes())
    except OSError as error:
        raise WoolError(f"{path}: cannot be read ({error.strerror}); give a table of latency_table.py") from None
    except ValueError:
        raise WoolError(f"{path}: is no table of latency_table.py; {_REMEDY}") from None
    document = document if isinstance(document, dict) else {}
    return LatencyTable(records.versioned(document, LatencyDocument, VERSION, str(path), _REMEDY), str(path))


def shapes(spec: ResNetSpec) -> list[tuple[Convolution, Shape]]:
    """Every convolution of a network with its shape, in order.

    Raises:
        WoolError: the network reads images that are not square.
    """
    height, width, _ = spec.input_shape
    if height != width:
        raise WoolError(f"input_shape: times are predicted for square images, got {height}×{width} pixels")
    sides = {cost.name: cost.output[0] for cost in complexity.layers(spec)}
    return [(conv, Shape(conv.kernel, conv.stride, sides[conv.name])) for conv in spec.convolutions()]


def predicted(spec: ResNetSpec, table: LatencyTable) -> float:
    """Milliseconds that the convolutions of an int8 network take for one image.

    Raises:
        WoolError: the table lacks one.
    """
    widths = [(shape, spec.width(conv.reads), spec.width(conv.writes)) for conv, shape in shapes(spec)]
    return float(sum(table.ms(*each) for each in widths))


def most_channels(specs: Sequence[ResNetSpec]) -> dict[Shape, tuple[int, int]]:
    """Of every shape in some networks the most channels that one of its convolutions reads, and writes."""
    found: dict[Shape, tuple[int, int]] = {}
    for spec in specs:
        for conv, shape in shapes(spec):
            reads, writes = found.get(shape, (0, 0))
            found[shape] = max(reads, spec.width(conv.reads)), max(writes, spec.width(conv.writes))
    return found


def to_measure(specs: Sequence[ResNetSpec]) -> ArchiveContents:
    """What a table has to hold for unpruned networks and for all that pruning may leave of them.

    Raises:
        WoolError: a network reads images that are not square.
    """
    widest = most_channels(specs)
    first = {conv.name: shape for conv, shape in shapes(specs[0])}
    grids = {shape: (_axis(reads), _axis(writes)) for shape, (reads, writes) in widest.items()}
    # Nothing is pruned of the image.
    grids[first[STEM]] = (specs[0].width("input"),), grids[first[STEM]][1]
    whole, few = (widest[first[_SWEPT]][0],), tuple(range(1, SWEEP + 1))
    return ArchiveContents(
        tuple(_grid(shape, *axes) for shape, axes in grids.items()),
        tuple(_grid(first[_SWEPT], *axes) for axes in ((few, whole), (whole, few))),
    )


def _grid(shape: Shape, reads: tuple[int, ...], writes: tuple[int, ...]) -> Grid:
    return Grid(shape.kernel, shape.stride, shape.side, reads, writes)


def _axis(most: int) -> tuple[int, ...]:
    return (*(width for width in WIDTHS if width < most), most)


def _times(grid: TimedGrid) -> np.ndarray:
    """(reads, writes) of float64, milliseconds."""
    return np.array(grid.ms, np.float64)


def _flaw(grid: TimedGrid) -> str | None:
    for axis in (grid.reads, grid.writes):
        if not axis or axis[0] < 1 or list(axis) != sorted(set(axis)):
            return "have numbers of channels that do not ascend from 1 or more"
    if [len(row) for row in grid.ms] != [len(grid.writes)] * len(grid.reads):
        return "lack a time for some of their channels"
    if not all(math.isfinite(ms) and ms > 0 for row in grid.ms for ms in row):
        return "have a time that is not above 0"
    return None


def _place(axis: tuple[int, ...], asked: np.ndarray | int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each number of channels the index of the measured one below it, and the share of the way to the next."""
    # A measured number of channels stands for its whole last step, too.
    measured, rounded = (-(-np.asarray(channels) // step) * step for channels in (axis, asked))
    rounded = np.maximum(rounded, measured[0])
    index = np.searchsorted(measured, rounded, side="right") - 1
    ends = np.append(measured, measured[-1] + 1)
    return index, (rounded - ends[index]) / (ends[index + 1] - ends[index])


def _error(steps: np.ndarray, times: np.ndarray) -> float:
    """Squared error of the times as a linear function of the number of steps."""
    lines = np.stack([np.ones(len(steps)), steps], axis=1)
    solved = np.linalg.lstsq(lines, times / times.mean(), rcond=None)[0]
    return float(np.square(lines @ solved - times / times.mean()).sum())
