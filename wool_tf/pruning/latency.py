"""Which widths meet a time with the least loss: the plan behind the recipe `latency`.

What a network loses with its filters is counted per convolution, as the negative logarithm of the share of importance
that is left of it: whatever is seen in the image passes through all of them, one after the other, so shares multiply.
Filters go where a millisecond costs the least of that.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.networks.spec import Convolution, ResNetSpec
from wool_tf.pruning.latency_table import LatencyTable, Shape, most_channels, predicted, shapes
from wool_tf.pruning.plan import writers

RECIPE = "latency"
_LEAST_SHARE = 1e-12
"""Of a convolution all of whose filters have lost their importance; its logarithm is finite."""
_ROUNDING = 1e-9


def bounds(spec: ResNetSpec, table: LatencyTable, align: int = 1) -> tuple[float, float]:
    """Predicted milliseconds of the narrowest network that pruning can leave, and of the whole one."""
    narrowest = {group: min(width, align) for group, width in spec.by_group().items()}
    return predicted(spec.resized(narrowest), table), predicted(spec, table)


def rounds(
    spec: ResNetSpec,
    scores: Mapping[str, np.ndarray],
    table: LatencyTable,
    target_ms: float,
    count: int,
    align: int = 1,
) -> list[ResNetSpec]:
    """The networks after each of several rounds, of which each takes the same share of the time that is left.

    Arguments:
        spec: ResNetSpec to prune.
        scores: name of every convolution to the importance of its filters, as `importance.scores` gives them.
        table: LatencyTable.
        target_ms: predicted milliseconds of the last network, at most.
        count: rounds, at least 1.
        align: widths that are pruned are multiples of this.

    Raises:
        WoolError: the target is not below the time of the whole network, or cannot be met.
    """
    search, whole = _Search(spec, scores, table, align), predicted(spec, table)
    goals = (whole * (target_ms / whole) ** (number / count) for number in range(1, count + 1))
    return [spec.resized(search.reach(goal)) for goal in goals]


@dataclasses.dataclass(frozen=True)
class _Step:
    """Another width of a group, and what it saves in milliseconds and loses in importance."""

    group: str
    width: int
    saved: float
    lost: float

    @property
    def price(self) -> float:
        return self.lost / self.saved


class _Search:
    """Widths on their way from target to target, as far as single steps find the best ones."""

    def __init__(self, spec: ResNetSpec, scores: Mapping[str, np.ndarray], table: LatencyTable, align: int):
        self._widths = spec.by_group()
        self._ms, self._input = predicted(spec, table), spec.width("input")
        self._allowed = {group: np.arange(align, width + 1, align) for group, width in self._widths.items()}
        self._losses = {group: losses(spec, group, scores) for group in self._widths}
        self._touching: dict[str, list[tuple[Convolution, np.ndarray]]] = {group: [] for group in self._widths}
        dense = _dense(spec, table)
        for conv, shape in shapes(spec):
            for group in {conv.reads, conv.writes} - {"input"}:
                self._touching[group].append((conv, dense[shape]))
        self._times: dict[str, np.ndarray] = {}
        """By group the milliseconds of all convolutions that read or write it, by its width."""
        self._best: dict[str, _Step | None] = {}
        """By group the narrower width at which a millisecond costs the least."""

    def reach(self, target_ms: float) -> dict[str, int]:
        """The widths at which a target is met; none is larger than those of the target before.

        Raises:
            WoolError: the target cannot be met.
        """
        most = dict(self._widths)
        while self._ms > target_ms * (1 + _ROUNDING):
            self._take(self._narrower(target_ms))
        while step := self._wider(target_ms, most):
            self._take(step)
        return dict(self._widths)

    def _narrower(self, target_ms: float) -> _Step:
        """Where a millisecond costs the least importance; where that meets the target, what meets it with the least."""
        for group in self._widths.keys() - self._best.keys():
            self._best[group] = self._cheapest(group)
        found = [step for step in self._best.values() if step is not None]
        if not found:
            raise WoolError(f"target_ms={target_ms:g}: cannot be met, {self._ms:.4g} ms is left; give more")
        best = min(found, key=lambda step: (step.price, step.group))
        needed = (self._ms - target_ms) * (1 - _ROUNDING)
        if best.saved < needed:
            return best
        last = [step for group in self._widths for step in self._steps(group, narrower=True) if step.saved >= needed]
        return min(last, key=lambda step: (step.lost, step.group))

    def _cheapest(self, group: str) -> _Step | None:
        widths, saved, lost = self._changes(group, narrower=True)
        useful = saved > _ROUNDING * self._ms
        if not useful.any():
            return None
        at = int(np.argmin(np.where(useful, lost / np.where(useful, saved, 1), np.inf)))
        return _Step(group, int(widths[at]), float(saved[at]), float(lost[at]))

    def _wider(self, target_ms: float, most: Mapping[str, int]) -> _Step | None:
        """What gives back the most importance for a millisecond that is left, if anything fits."""
        fitting = [
            step
            for group in self._widths
            for step in self._steps(group, narrower=False)
            if step.width <= most[group] and step.lost < 0 and self._ms - step.saved <= target_ms
        ]
        least = _ROUNDING * self._ms
        return max(fitting, key=lambda step: (-step.lost / max(-step.saved, least), step.group), default=None)

    def _steps(self, group: str, narrower: bool) -> Iterator[_Step]:
        return map(_Step, itertools.repeat(group), *(each.tolist() for each in self._changes(group, narrower)))

    def _changes(self, group: str, narrower: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Other widths of a group, ascending, and what each saves and loses."""
        width, allowed = self._widths[group], self._allowed[group]
        widths = allowed[allowed < width] if narrower else allowed[allowed > width]
        times, lost = self._of(group), self._losses[group]
        return widths, times[width] - times[widths], lost[widths] - lost[width]

    def _of(self, group: str) -> np.ndarray:
        if group not in self._times:
            ends: dict[str, int | np.ndarray] = {**self._widths, "input": self._input}
            ends[group] = np.arange(len(self._losses[group]))
            total = np.zeros(len(self._losses[group]))
            for conv, times in self._touching[group]:
                total += times[ends[conv.reads], ends[conv.writes]]
            self._times[group] = total
        return self._times[group]

    def _take(self, step: _Step) -> None:
        self._widths[step.group] = step.width
        self._ms -= step.saved
        self._best.pop(step.group, None)
        for conv, _ in self._touching[step.group]:
            for other in {conv.reads, conv.writes} - {step.group}:
                self._times.pop(other, None)
                self._best.pop(other, None)


def _dense(spec: ResNetSpec, table: LatencyTable) -> dict[Shape, np.ndarray]:
    """Of every shape the milliseconds for all channels that are read, and written: (reads + 1, writes + 1)."""
    return {
        # Without channels there is no network: what stands there is never asked for.
        shape: table.ms(shape, np.arange(reads + 1)[:, np.newaxis], np.arange(writes + 1)[np.newaxis])
        for shape, (reads, writes) in most_channels([spec]).items()
    }


def losses(spec: ResNetSpec, group: str, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the convolutions that write to a group lose if it keeps its most important channels alone.

    Arguments:
        spec: ResNetSpec of the scores.
        group: name of a channel group.
        scores: as for `rounds`.

    Returns:
        (channels + 1,) of float64, by the number that stays: the sum over the convolutions of -log(share of importance
        that is left); infinite for none.
    """
    written = [scores[conv.name] for conv in writers(spec, group)]
    order = np.argsort(np.sum(written, axis=0), kind="stable")[::-1]
    total = np.zeros(len(order) + 1)
    for own in written:
        left = np.cumsum(own[order] if own.any() else np.ones(len(own)))
        total[1:] -= np.log(np.maximum(left / left[-1], _LEAST_SHARE))
    total[0] = np.inf
    return total


def uniform(spec: ResNetSpec) -> dict[str, np.ndarray]:
    """Scores that count every filter of a network alike."""
    return {conv.name: np.ones(spec.width(conv.writes)) for conv in spec.convolutions()}
