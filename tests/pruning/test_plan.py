"""Plans against a brute-force reading of their rules, over random networks, norms and recipes."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wool_tf.errors import WoolError
from wool_tf.networks.spec import DEPTHS, ResNetSpec, groups
from wool_tf.pruning import plan
from wool_tf.pruning.plan import Recipe

percents = st.integers(0, 99)
ALIGN = st.sampled_from([1, 1, 4, 8])


@st.composite
def specs(draw, depths=DEPTHS) -> ResNetSpec:
    depth = draw(st.sampled_from(depths))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    widths = rng.integers(1, draw(st.sampled_from([2, 12, 70])), len(groups(depth)))
    return ResNetSpec(depth, tuple(widths), 2, (32, 32, 1))


@st.composite
def scores(draw, spec: ResNetSpec) -> dict[str, np.ndarray]:
    """Norms, half of the time whole numbers so small that many are equal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tied = draw(st.booleans())
    sizes = {conv.name: spec.width(conv.writes) for conv in spec.convolutions()}
    return {name: rng.integers(0, 4, size).astype(float) if tied else rng.random(size) for name, size in sizes.items()}


@st.composite
def cases(draw, depths=DEPTHS, align=ALIGN):
    """A network, its norms, a recipe, and the percentages of the four stacks that the recipe was made from."""
    spec = draw(specs(depths))
    shares = draw(st.lists(percents, min_size=4, max_size=4))
    recipe = Recipe([share / 100 for share in shares], draw(st.sampled_from(plan.TRUNKS)), align=draw(align))
    return spec, draw(scores(spec)), recipe, shares


def smallest(norms: list[float], among: list[int], percent: int) -> list[int]:
    """⌊percent of those there⌋ indices with the smallest norms, the lower index first among equals."""
    number = math.floor(Fraction(percent, 100) * len(among))
    return sorted(among, key=lambda index: (norms[index], index))[:number]


def brute_force(spec: ResNetSpec, norms: dict, trunk: str, shares: list[int]) -> dict[str, list[int]]:
    """The indices removed from every group, in the order in which they go, without alignment."""
    removed = {group: [] for group in groups(spec.depth)}
    for stack, share in enumerate(shares, start=1):
        name = f"layer{stack}"
        for group in removed:
            if group.startswith(f"{name}."):
                removed[group] = smallest(norms[group], list(range(spec.width(group))), share)
        blocks = sorted({group.split(".")[1] for group in removed if group.startswith(f"{name}.")}, key=int)
        last = "conv2" if spec.depth < 50 else "conv3"
        lasts = [f"{name}.{block}.{last}" for block in blocks]
        if trunk == "group":
            members = lasts + [f"{name}.0.downsample.0"] * (f"{name}.0.downsample.0" in norms)
            members += ["conv1"] * (stack == 1 and spec.depth < 50)
            total = [sum(norms[member][index] for member in members) for index in range(spec.width(name))]
            removed[name] = smallest(total, list(range(spec.width(name))), share)
        if trunk == "per_block":
            for member in lasts:
                left = [index for index in range(spec.width(name)) if index not in removed[name]]
                removed[name] += smallest(norms[member], left, share)
    if spec.depth >= 50 and trunk != "none":
        removed["conv1"] = smallest(norms["conv1"], list(range(spec.width("conv1"))), shares[0])
    return removed


@given(cases())
@settings(max_examples=150)
def test_against_brute_force(case):
    spec, norms, recipe, shares = case
    if recipe.trunk == "group":
        # Sums of fractions depend on the order of adding; whole numbers have none of that.
        norms = {name: np.round(64 * values) for name, values in norms.items()}
    made = plan.make(spec, norms, recipe)
    assert list(made.kept) == list(groups(spec.depth))
    for group, gone in brute_force(spec, norms, recipe.trunk, shares).items():
        width, kept = spec.width(group), made.kept[group].tolist()
        target = width - len(gone)
        if gone and target % recipe.align:
            above = recipe.align * math.ceil(target / recipe.align)
            target = above if above <= width else target
        # Taking back means that what would have gone last stays.
        assert kept == sorted(set(range(width)) - set(gone[: width - target]))


@given(cases())
@settings(max_examples=60)
def test_properties(case):
    spec, norms, recipe, shares = case
    made = plan.make(spec, norms, recipe)
    for group, kept in made.kept.items():
        width = spec.width(group)
        assert kept.dtype == np.int64
        assert 1 <= len(kept) <= width
        assert np.all(np.diff(kept) > 0)
        assert 0 <= kept[0] and kept[-1] < width
        mask = made.mask(group)
        assert mask.dtype == np.float32 and mask.shape == (width,)
        assert np.flatnonzero(mask).tolist() == kept.tolist()
        assert set(mask) <= {0, 1}
        # A multiple, a group that lost nothing, or one too narrow for the multiple above.
        next_multiple = recipe.align * math.ceil(len(kept) / recipe.align)
        assert len(kept) in (next_multiple, width) or next_multiple > width
        assert made.compact.width(group) == len(kept)
    assert dataclasses.replace(made.compact, widths=spec.widths) == spec
    again = plan.make(spec, {name: values.copy() for name, values in norms.items()}, recipe)
    assert all(np.array_equal(again.kept[group], made.kept[group]) for group in made.kept)


@given(cases(), st.floats(0.1, 9))
@settings(max_examples=40)
def test_zeroed_filters_are_the_ones_that_go_again(case, scale):
    """Soft pruning plans anew after it zeroed: whatever the trunk rule, the same channels go."""
    spec, norms, recipe, _ = case
    norms = {name: values + scale for name, values in norms.items()}
    made = plan.make(spec, norms, recipe)
    zeroed = {conv.name: norms[conv.name] * made.mask(conv.writes) for conv in spec.convolutions()}
    again = plan.make(spec, zeroed, recipe)
    assert all(np.array_equal(again.kept[group], made.kept[group]) for group in made.kept)


@given(cases(), st.data())
@settings(max_examples=40)
def test_two_plans_in_turn_are_one(case, data):
    """What the second removes of the smaller network is found again in the larger one by following the indices."""
    spec, norms, recipe, _ = case
    first = plan.make(spec, norms, recipe)
    second = plan.make(first.compact, data.draw(scores(first.compact)), recipe)
    both = first.then(second)
    assert (both.spec, both.compact) == (spec, second.compact)
    for group in groups(spec.depth):
        left = list(range(spec.width(group)))
        left = [left[index] for index in first.kept[group]]
        assert both.kept[group].tolist() == [left[index] for index in second.kept[group]]


def uniform_norms(spec: ResNetSpec) -> dict:
    return {conv.name: np.ones(spec.width(conv.writes)) for conv in spec.convolutions()}


def test_ties_go_from_the_front():
    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    made = plan.make(spec, uniform_norms(spec), Recipe(0.25))
    assert made.kept["layer1"].tolist() == list(range(16, 64))
    assert made.kept["layer4.0.conv1"].tolist() == list(range(128, 512))


def test_decimal_rates_mean_what_they_say():
    # In binary, 0.29 × 100 is 28.999999999999996.
    for percent in range(100):
        spec = ResNetSpec(18, (100,) * 12, 2, (32, 32, 1))
        made = plan.make(spec, uniform_norms(spec), Recipe(percent / 100))
        assert set(made.compact.widths) == {100 - percent}


@given(st.integers(1, 4000))
@settings(max_examples=50)
def test_30_percent_three_times_keeps_34_percent(width):
    spec = ResNetSpec(18, (width,) * 12, 2, (32, 32, 1))
    by_hand = width
    for _ in range(3):
        spec = plan.make(spec, uniform_norms(spec), plan.named("paper-text", 18)).compact
        by_hand -= 3 * by_hand // 10
    assert set(spec.widths) == {by_hand}
    # Rounding down keeps less than a channel more in each round.
    assert 0 <= by_hand - 0.343 * width < 1 + 0.7 + 0.49


def test_per_block_by_hand():
    """Two blocks, ten channels, 30 %: the first takes its 3 weakest, the second 2 of the 7 left, by its own norms."""
    spec = ResNetSpec(18, (10,) * 12, 2, (32, 32, 1))
    norms = uniform_norms(spec) | {
        "layer2.0.conv2": np.array([9, 1, 8, 2, 7, 3, 6, 5, 4, 10.0]),
        "layer2.1.conv2": np.array([5, 0, 1, 0, 9, 0, 2, 8, 7, 6.0]),
        # Neither the shortcut nor the stem is asked.
        "layer2.0.downsample.0": np.arange(10.0),
    }
    made = plan.make(spec, norms, Recipe(0.3, trunk="per_block"))
    assert made.kept["layer2"].tolist() == [0, 4, 7, 8, 9]


@pytest.mark.parametrize("depth", DEPTHS)
def test_trunks_that_stay(depth):
    spec = ResNetSpec.full(depth, 2, (32, 32, 1))
    made = plan.make(spec, uniform_norms(spec), Recipe(0.5, trunk="none"))
    for group in groups(depth):
        assert len(made.kept[group]) == spec.width(group) // (2 if "." in group else 1)


def test_named_recipes():
    for depth in DEPTHS:
        assert plan.named("paper-text", depth) == Recipe((0.3, 0.3, 0.3, 0.3), "group", "l1")
        trunk = "per_block" if depth < 50 else "none"
        assert plan.named("paper-table3", depth) == Recipe((0.1, 0.2, 0.2, 0.3), trunk, "l1")


def test_recipes_rebuild():
    for recipe in (Recipe(0.3), Recipe([0, 0.1, 0.2, 0.9], "none", "random", 8), Recipe(0)):
        assert Recipe(**dataclasses.asdict(recipe)) == recipe
        assert dataclasses.replace(recipe) == recipe
    assert Recipe(0.1).rates == (0.1, 0.1, 0.1, 0.1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"rates": 1.0}, "rates: a pruning rate must be in [0, 1), got 1.0"),
        ({"rates": -0.1}, "rates: a pruning rate must be in [0, 1), got -0.1"),
        ({"rates": math.nan}, "rates: a pruning rate must be in [0, 1), got nan"),
        ({"rates": (0.1, 0.2)}, "rates: must be one rate, or four, one per stack, got 2"),
        ({"rates": 0.1, "trunk": "all"}, "trunk: must be one of none, group, per_block, got 'all'"),
        ({"rates": 0.1, "importance": "l3"}, "importance: must be one of l1, l2, random, bn_scale, taylor, got 'l3'"),
        ({"rates": 0.1, "align": 0}, "align: must be at least 1, got 0"),
    ],
)
def test_recipe_refusals(arguments, expected):
    with pytest.raises(WoolError) as caught:
        Recipe(**arguments)
    assert str(caught.value) == expected


@given(cases(), st.data())
@settings(max_examples=40)
def test_given_widths_keep_the_strongest_of_the_summed_scores(case, data):
    spec, norms, *_ = case
    widths = {group: data.draw(st.integers(1, width)) for group, width in spec.by_group().items()}
    made = plan.make(spec, norms, plan.Widths(widths))
    assert made.compact == plan.pruned(spec, plan.Widths(widths)) == spec.resized(widths)
    for group, kept in made.kept.items():
        total = sum(norms[conv.name] for conv in spec.convolutions() if conv.writes == group)
        gone = np.setdiff1d(np.arange(len(total)), kept)
        assert kept.dtype == np.int64 and np.all(np.diff(kept) > 0)
        assert not len(gone) or total[gone].max() <= total[kept].min()


@pytest.mark.parametrize("width", [0, 65])
def test_widths_that_a_network_does_not_have_are_refused(width):
    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    with pytest.raises(WoolError, match=rf"^widths: layer1 must keep 1 to 64 channels, got {width}$"):
        plan.make(spec, uniform_norms(spec), plan.Widths(spec.by_group() | {"layer1": width}))


def test_other_refusals():
    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    made = plan.make(spec, uniform_norms(spec), Recipe(0.1))
    with pytest.raises(WoolError, match=r"^plan: the later one is not of the network that the first one leaves$"):
        made.then(made)
    with pytest.raises(WoolError, match=r"^recipe: must be one of paper-text, paper-table3, got 'table3'$"):
        plan.named("table3", 18)
