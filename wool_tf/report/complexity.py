"""Table III of the paper, computed: parameters and operations of every depth before and after each round of pruning."""

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Sequence

from wool_board.columns import aligned
from wool_tf.networks.complexity import LayerCost, layers
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import plan
from wool_tf.report import paper

ROUNDS = 3
_MILLION = 1e6


@dataclasses.dataclass(frozen=True)
class NetworkSize:
    """One network of the table.

    Attributes:
        depth: 18, 34, 50, 101 or 152.
        round: 0 for the unpruned network, then 1 to 3.
        params: trainable parameters.
        flops: operations for one image, counted as the paper does (`wool_tf.networks.complexity`).
        paper_params, paper_flops: what the paper prints, or None where its table does not apply.
        layers: cost of every layer, in order.
    """

    depth: int
    round: int
    params: int
    flops: int
    paper_params: int | None
    paper_flops: int | None
    layers: tuple[LayerCost, ...]

    @property
    def printed(self) -> tuple[int, int] | None:
        """The paper's parameters and operations, or None where its table does not apply."""
        if self.paper_params is None or self.paper_flops is None:
            return None
        return self.paper_params, self.paper_flops

    @property
    def agreement(self) -> tuple[bool, ...]:
        """Whether parameters and operations agree with the paper's; empty where its table does not apply."""
        if self.printed is None:
            return ()
        return tuple(map(agrees, (self.params, self.flops), self.printed))


def rows(recipe: str, depths: Iterable[int], classes: int, input_shape: tuple[int, int, int]) -> list[NetworkSize]:
    """The table: for each depth the unpruned network and three rounds of a recipe.

    The paper's figures stand beside those of the networks for which they hold (`paper.COMPLEXITY_RECIPE` and so on).

    Arguments:
        recipe: str. One of `plan.RECIPES`.
        depths: depths of the networks.
        classes: int. Outputs of the head.
        input_shape: (height, width, channels) in pixels.

    Raises:
        WoolError: recipe, depth, classes or input shape break their rules.

    >>> [(row.params, row.paper_params) for row in rows("paper-table3", [18], 1000, (224, 224, 3))]
    [(11689512, 12000000), (4750355, 4800000), (2027898, 2000000), (912089, 900000)]
    """
    of_paper = paper.COMPLEXITY_RECIPE, paper.COMPLEXITY_CLASSES, paper.COMPLEXITY_INPUT
    with_paper = (recipe, classes, tuple(input_shape)) == of_paper
    found = []
    for depth in depths:
        full = ResNetSpec.full(depth, classes, input_shape)
        for number, spec in enumerate(after_rounds(full, plan.named(recipe, depth))):
            costs = tuple(layers(spec))
            printed = paper.complexity(depth, number) if with_paper else None
            params, flops = (int(value) for value in printed) if printed else (None, None)
            ours = sum(cost.parameters for cost in costs), sum(cost.operations for cost in costs)
            found.append(NetworkSize(depth, number, *ours, params, flops, costs))
    return found


def after_rounds(spec: ResNetSpec, recipe: plan.Recipe) -> Iterator[ResNetSpec]:
    """The network before and after each of three rounds."""
    yield spec
    for _ in range(ROUNDS):
        spec = plan.pruned(spec, recipe)
        yield spec


def as_printed(value: int) -> int:
    """A count to the digits that the paper prints: two significant ones, below a million tenths of a million.

    >>> [as_printed(value) for value in (11689512, 455188, 912089, 999999)]
    [12000000, 500000, 900000, 1000000]
    """
    digit = 10 ** (math.floor(math.log10(max(value, _MILLION))) - 1)
    # Half up, as one rounds by hand.
    return (2 * value + digit) // (2 * digit) * digit


def agrees(ours: int, printed: int) -> bool:
    """Whether a count is what the paper prints, to the digits that it prints."""
    return as_printed(ours) == printed


def to_json(table: Sequence[NetworkSize], with_layers: bool = False) -> str:
    """A JSON list of objects: depth, round, params, flops, paper_params and paper_flops, and `layers` if wanted."""
    objects = [dataclasses.asdict(row) for row in table]
    if not with_layers:
        for fields in objects:
            del fields["layers"]
    return json.dumps(objects, indent=2)


def to_text(table: Sequence[NetworkSize], with_layers: bool = False) -> str:
    """The table to read in a terminal; with a list of the layers of every network below it if wanted."""
    header = ("depth", "round", "parameters", "paper", "agrees", "operations", "paper", "agrees")
    lines = aligned([header, *map(_cells, table)], "r" * len(header))
    judged = [agreed for row in table for agreed in row.agreement]
    if judged:
        lines += ["", f"{sum(judged)} of {len(judged)} values agree with the paper's Table III to its printed digits."]
    for row in table if with_layers else ():
        costs = [(cost.name, "×".join(map(str, cost.output)), *_counts(cost)) for cost in row.layers]
        lines += ["", f"ResNet-{row.depth}, round {row.round}"]
        lines += aligned([("layer", "output", "parameters", "MACs", "operations"), *costs], "lrrrr")
    return "\n".join(lines)


def _cells(row: NetworkSize) -> tuple[str, ...]:
    beside = [("", "")] * 2
    if row.printed:
        answers = ["yes" if agreed else "NO" for agreed in row.agreement]
        beside = list(zip(map(_scientific, row.printed), answers, strict=True))
    counts = [(f"{count:,}", *texts) for count, texts in zip((row.params, row.flops), beside, strict=True)]
    return str(row.depth), str(row.round), *counts[0], *counts[1]


def _counts(cost: LayerCost) -> tuple[str, ...]:
    return tuple(f"{count:,}" for count in (cost.parameters, cost.macs, cost.operations))


def _scientific(value: int) -> str:
    """1.2e7, as the paper prints it."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"
