"""Which filters go: from filter norms and a recipe to the kept channels of every channel group. Pure functions."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.networks.spec import STEM, Convolution, ResNetSpec, is_bottleneck, trunk
from wool_tf.pruning.criteria import CRITERIA

TRUNKS = ("none", "group", "per_block")
RECIPES = ("paper-text", "paper-table3")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The rules of one round of pruning.

    Arguments:
        rates: share of its channels that a group loses, in [0, 1): one float for all, or four, one per stage. The
            stem counts with stage 1.
        trunk: what happens to the residual streams. `none`: only inner convolutions are pruned. `group`: one decision
            per stage, by the summed norms of all convolutions that write to its trunk. `per_block`: each block of the
            stage in turn ranks the trunk that is left by the norms of its own last convolution, and removes the rate
            of it. The stem of a bottleneck network is pruned by its own norms, and only where trunks are.
        criterion: str. One of `criteria.CRITERIA`.
        align: int. Every width that is pruned ends as a multiple of this where the group has that many channels; it is
            rounded up, so that less is removed. Integer kernels are faster on multiples of 8.
        overrides: rates of single groups, by name, instead of their stage's.

    Raises:
        WoolError: a value breaks its rule.
    """

    rates: float | Sequence[float]
    trunk: str = "group"
    criterion: str = "l1"
    align: int = 1
    overrides: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        rates = (self.rates,) * 4 if isinstance(self.rates, int | float) else tuple(self.rates)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "overrides", dict(self.overrides))
        if len(rates) != 4:
            raise WoolError(f"rates: must be one rate, or four, one per stage, got {len(rates)}")
        for rate in (*rates, *self.overrides.values()):
            if not 0 <= rate < 1:
                raise WoolError(f"rates: a pruning rate must be in [0, 1), got {rate}")
        if self.trunk not in TRUNKS:
            raise WoolError(f"trunk: must be one of {', '.join(TRUNKS)}, got {self.trunk!r}")
        if self.criterion not in CRITERIA:
            raise WoolError(f"criterion: must be one of {', '.join(CRITERIA)}, got {self.criterion!r}")
        if self.align < 1:
            raise WoolError(f"align: must be at least 1, got {self.align}")

    def rate(self, group: str, stage: int) -> float:
        """The rate of a group of a stage."""
        return self.overrides.get(group, self.rates[max(stage, 1) - 1])


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """The channels that stay.

    Attributes:
        spec: ResNetSpec before pruning.
        kept: name of the channel group to the ascending indices of its kept channels, (kept,) of int64.
    """

    spec: ResNetSpec
    kept: Mapping[str, np.ndarray]

    @property
    def compact(self) -> ResNetSpec:
        """The spec of the network without the removed channels."""
        return self.spec.resized({group: len(indices) for group, indices in self.kept.items()})

    def mask(self, group: str) -> np.ndarray:
        """(channels,) of float32: 1 for a kept channel of the group, 0 for a removed one."""
        mask = np.zeros(self.spec.width(group), np.float32)
        mask[self.kept[group]] = 1
        return mask


def named(name: str, depth: int) -> Recipe:
    """One round of a recipe of the paper.

    `paper-text` is what section V-A says: 30 % of every layer, by L1 norms. `paper-table3` is what the published
    Table III contains, found by searching the rules for those that give all its cells: 10, 20, 20 and 30 % of the
    four stages; in basic-block networks each block also takes its share of the trunk, in bottleneck networks trunk
    and stem stay whole.

    Raises:
        WoolError: the recipe is unknown.
    """
    if name == "paper-text":
        return Recipe(0.3)
    if name == "paper-table3":
        return Recipe((0.1, 0.2, 0.2, 0.3), trunk="none" if is_bottleneck(depth) else "per_block")
    raise WoolError(f"recipe: must be one of {', '.join(RECIPES)}, got {name!r}")


def make(spec: ResNetSpec, norms: Mapping[str, np.ndarray], recipe: Recipe) -> Plan:
    """The plan of one round.

    The number of channels removed from a group is ⌊width × rate⌋, and at least one channel stays. Among equal norms
    the lower index goes first.

    Arguments:
        spec: ResNetSpec to prune.
        norms: name of every convolution to the scores of its filters, as `criteria.norms` gives them.
        recipe: Recipe.

    Raises:
        WoolError: the recipe overrides a group that the network lacks.
    """
    unknown = set(recipe.overrides) - set(spec.by_group())
    if unknown:
        raise WoolError(f"overrides: ResNet-{spec.depth} has no channel group {sorted(unknown)[0]!r}")
    removed = {group: [] for group in spec.by_group()}
    for stage, blocks in enumerate(spec.stages, start=1):
        for block in blocks:
            for conv in block.convolutions[:-1]:
                removed[conv.writes] = _smallest(norms[conv.name], recipe.rate(conv.writes, stage))
        lasts = [block.convolutions[-1] for block in blocks]
        removed[trunk(stage)] = _from_trunk(norms, _writers(spec, trunk(stage)), lasts, recipe, stage)
    if is_bottleneck(spec.depth) and recipe.trunk != "none":
        removed[STEM] = _smallest(norms[STEM], recipe.rate(STEM, 1))
    return Plan(spec, {group: _kept(spec.width(group), gone, recipe.align) for group, gone in removed.items()})


def pruned(spec: ResNetSpec, recipe: Recipe) -> ResNetSpec:
    """The spec after one round; how many channels stay does not depend on the weights."""
    equal = {conv.name: np.zeros(spec.width(conv.writes)) for conv in spec.convolutions()}
    return make(spec, equal, recipe).compact


def _writers(spec: ResNetSpec, group: str) -> list[Convolution]:
    return [conv for conv in spec.convolutions() if conv.writes == group]


def _from_trunk(norms, writers: list[Convolution], lasts: list[Convolution], recipe: Recipe, stage: int) -> list[int]:
    rate = recipe.rate(trunk(stage), stage)
    if recipe.trunk == "none":
        return []
    if recipe.trunk == "group":
        return _smallest(sum(norms[conv.name] for conv in writers), rate)
    removed: list[int] = []
    for conv in lasts:
        removed += _smallest(norms[conv.name], rate, removed)
    return removed


def _smallest(scores: np.ndarray, rate: float, removed: Sequence[int] = ()) -> list[int]:
    """The share of the channels still there that have the smallest scores, smallest first."""
    order = np.argsort(scores, kind="stable")
    order = order[~np.isin(order, removed)]
    # 0.29 × 100 is a hair below 29 in binary; the rule means 29.
    return order[: min(math.floor(len(order) * rate + 1e-9), len(order) - 1)].tolist()


def _kept(width: int, removed: Sequence[int], align: int) -> np.ndarray:
    """The indices left, taking back the channels removed last until their number is a multiple of `align`."""
    target = width - len(removed)
    above = -(-target // align) * align
    if removed and above <= width:
        target = above
    return np.setdiff1d(np.arange(width), removed[: width - target])
