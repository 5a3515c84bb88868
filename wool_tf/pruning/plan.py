"""Which filters go: from their importance and a recipe to the kept channels of every channel group. Pure functions."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.networks.spec import STEM, Convolution, ResNetSpec, is_bottleneck, trunk
from wool_tf.pruning.importance import MEASURES

TRUNKS = ("none", "group", "per_block")
RECIPES = ("paper-text", "paper-table3")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The rules of one round of pruning.

    Arguments:
        rates: share of its channels that a group loses, in [0, 1): one float for all, or four, one per stack. The
            stem counts with stack 1.
        trunk: what happens to the residual streams. `none`: only inner convolutions are pruned. `group`: one decision
            per stack, by the summed scores of all convolutions that write to its trunk. `per_block`: each block of the
            stack in turn ranks the trunk that is left by the scores of its own last convolution, and removes the rate
            of it. The stem of a bottleneck network is pruned by its own scores, and only where trunks are.
        importance: str. One of `importance.MEASURES`.
        align: int. Every width that is pruned ends as a multiple of this where the group has that many channels; it is
            rounded up, so that less is removed. Integer kernels are faster on multiples of 8.

    Raises:
        WoolError: a value breaks its rule.
    """

    rates: float | Sequence[float]
    trunk: str = "group"
    importance: str = "l1"
    align: int = 1

    def __post_init__(self) -> None:
        rates = self.by_stack
        object.__setattr__(self, "rates", rates)
        if len(rates) != 4:
            raise WoolError(f"rates: must be one rate, or four, one per stack, got {len(rates)}")
        for rate in rates:
            if not 0 <= rate < 1:
                raise WoolError(f"rates: a pruning rate must be in [0, 1), got {rate}")
        if self.trunk not in TRUNKS:
            raise WoolError(f"trunk: must be one of {', '.join(TRUNKS)}, got {self.trunk!r}")
        if self.importance not in MEASURES:
            raise WoolError(f"importance: must be one of {', '.join(MEASURES)}, got {self.importance!r}")
        if self.align < 1:
            raise WoolError(f"align: must be at least 1, got {self.align}")

    @property
    def by_stack(self) -> tuple[float, ...]:
        """The rates of the four stacks."""
        return (self.rates,) * 4 if isinstance(self.rates, int | float) else tuple(self.rates)


@dataclasses.dataclass(frozen=True)
class Widths:
    """A round of pruning that ends at given widths, such as `latency.rounds` plans them.

    Attributes:
        widths: channels that stay of every group, by its name. The weakest go, by the summed scores of all
            convolutions that write to the group.
        importance: str. One of `importance.MEASURES`.
    """

    widths: Mapping[str, int]
    importance: str = "l1"


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """The channels that stay.

    Attributes:
        spec: ResNetSpec before pruning.
        kept: name of the channel group to the ascending indices of its kept channels, (kept,) of int64.
    """

    spec: ResNetSpec
    kept: Mapping[str, np.ndarray]

    @classmethod
    def whole(cls, spec: ResNetSpec) -> "Plan":
        """The plan by which everything stays."""
        return cls(spec, {group: np.arange(width) for group, width in spec.by_group().items()})

    @property
    def compact(self) -> ResNetSpec:
        """The spec of the network without the removed channels."""
        return self.spec.resized({group: len(indices) for group, indices in self.kept.items()})

    def mask(self, group: str) -> np.ndarray:
        """(channels,) of float32: 1 for a kept channel of the group, 0 for a removed one."""
        mask = np.zeros(self.spec.width(group), np.float32)
        mask[self.kept[group]] = 1
        return mask

    def then(self, later: "Plan") -> "Plan":
        """This plan and then one of the network that it leaves, as one plan of the network before both.

        Raises:
            WoolError: the later plan is one of another network.
        """
        if later.spec != self.compact:
            raise WoolError("plan: the later one is not of the network that the first one leaves")
        return Plan(self.spec, {group: indices[later.kept[group]] for group, indices in self.kept.items()})


def named(name: str, depth: int) -> Recipe:
    """One round of a recipe of the paper.

    `paper-text` is what section V-A says: 30 % of every layer, by L1 norms. `paper-table3` is what the published
    Table III contains, found by searching the rules for those that give all its cells: 10, 20, 20 and 30 % of the
    four stacks; in basic-block networks each block also takes its share of the trunk, in bottleneck networks trunk
    and stem stay whole.

    Raises:
        WoolError: the recipe is unknown.
    """
    if name == "paper-text":
        return Recipe(0.3)
    if name == "paper-table3":
        return Recipe((0.1, 0.2, 0.2, 0.3), trunk="none" if is_bottleneck(depth) else "per_block")
    raise WoolError(f"recipe: must be one of {', '.join(RECIPES)}, got {name!r}")


def make(spec: ResNetSpec, scores: Mapping[str, np.ndarray], recipe: Recipe | Widths) -> Plan:
    """The plan of one round.

    By a Recipe the number of channels removed from a group is ⌊width × rate⌋, and at least one channel stays. Among
    equal scores the lower index goes first.

    Arguments:
        spec: ResNetSpec to prune.
        scores: name of every convolution to the importance of its filters, as `importance.scores` gives them.
        recipe: Recipe, or the Widths that are left.

    Raises:
        WoolError: the network is narrower than the Widths.
    """
    if isinstance(recipe, Widths):
        return Plan(spec, {group: _strongest(spec, scores, group, recipe.widths[group]) for group in spec.by_group()})
    removed: dict[str, list[int]] = {group: [] for group in spec.by_group()}
    for stack, (blocks, rate) in enumerate(zip(spec.stacks, recipe.by_stack, strict=True), start=1):
        for block in blocks:
            for conv in block.convolutions[:-1]:
                removed[conv.writes] = _smallest(scores[conv.name], rate)
        lasts = [block.convolutions[-1] for block in blocks]
        removed[trunk(stack)] = _from_trunk(scores, writers(spec, trunk(stack)), lasts, recipe.trunk, rate)
    if is_bottleneck(spec.depth) and recipe.trunk != "none":
        removed[STEM] = _smallest(scores[STEM], recipe.by_stack[0])
    return Plan(spec, {group: _kept(spec.width(group), gone, recipe.align) for group, gone in removed.items()})


def pruned(spec: ResNetSpec, recipe: Recipe | Widths) -> ResNetSpec:
    """The spec after one round; how many channels stay does not depend on the weights."""
    equal = {conv.name: np.zeros(spec.width(conv.writes)) for conv in spec.convolutions()}
    return make(spec, equal, recipe).compact


def writers(spec: ResNetSpec, group: str) -> list[Convolution]:
    """The convolutions that write to a channel group."""
    return [conv for conv in spec.convolutions() if conv.writes == group]


def _from_trunk(
    scores: Mapping[str, np.ndarray],
    together: list[Convolution],
    lasts: list[Convolution],
    rule: str,
    rate: float,
) -> list[int]:
    if rule == "none":
        return []
    if rule == "group":
        return _smallest(_summed(scores, together), rate)
    removed: list[int] = []
    for conv in lasts:
        removed += _smallest(scores[conv.name], rate, removed)
    return removed


def _strongest(spec: ResNetSpec, scores: Mapping[str, np.ndarray], group: str, width: int) -> np.ndarray:
    """The indices of so many channels of a group with the largest scores."""
    if not 1 <= width <= spec.width(group):
        raise WoolError(f"widths: {group} must keep 1 to {spec.width(group)} channels, got {width}")
    order = np.argsort(_summed(scores, writers(spec, group)), kind="stable")
    return np.sort(order[spec.width(group) - width :])


def _summed(scores: Mapping[str, np.ndarray], together: list[Convolution]) -> np.ndarray:
    return functools.reduce(np.add, (scores[conv.name] for conv in together))


def _smallest(scores: np.ndarray, rate: float, removed: Sequence[int] = ()) -> list[int]:
    """The share of the channels still there that have the smallest scores, smallest first."""
    order = np.argsort(scores, kind="stable")
    order = order[~np.isin(order, removed)]
    # 0.29 × 100 is slightly below 29 in binary; the rule means 29.
    return order[: min(math.floor(len(order) * rate + 1e-9), len(order) - 1)].tolist()


def _kept(width: int, removed: Sequence[int], align: int) -> np.ndarray:
    """The indices left, taking back the channels removed last until their number is a multiple of `align`."""
    target = width - len(removed)
    above = -(-target // align) * align
    if removed and above <= width:
        target = above
    return np.setdiff1d(np.arange(width), removed[: width - target])
