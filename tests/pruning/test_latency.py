"""Plans for a time against closed forms: what must come out where times and importance are simple."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import latency_tables
from latency_tables import by_macs, in_steps
from wool_tf.errors import WoolError
from wool_tf.networks import complexity
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import importance, latency, latency_table, plan

FULL = ResNetSpec.full(18, 2, (64, 64, 1))
SMALL = ResNetSpec(18, (6,) * 12, 2, (32, 32, 1))


def loss(smaller: ResNetSpec, whole: ResNetSpec, scores) -> float:
    return sum(latency.losses(whole, group, scores)[width] for group, width in smaller.by_group().items())


def widened(spec: ResNetSpec, whole: ResNetSpec, align: int = 1):
    """Every network with one group wider."""
    for group, width in spec.by_group().items():
        for more in range(width + 1, whole.width(group) + 1):
            if more % align == 0:
                yield spec.resized({group: more})


@pytest.mark.parametrize("ratio", [0.7, 0.3, 0.1])
def test_where_time_is_macs_the_target_is_one_of_macs(ratio):
    table = latency_tables.table(FULL)
    whole = latency_table.predicted(FULL, table)
    (found,) = latency.rounds(FULL, latency.uniform(FULL), table, ratio * whole, 1)
    left = (complexity.macs(found) - 2 * found.width("layer4")) / (complexity.macs(FULL) - 2 * 512)
    assert 0.995 * ratio < left <= ratio


def test_where_time_is_macs_every_group_gets_its_share_of_the_time():
    """The largest product of shares under a budget: each convolution that writes to a group is due the same time.

    With times that are sums of products of widths, w · ∂time/∂w of a group over the number of its writers is one number
    (Lagrange), for all groups that lost any filters.
    """
    table = latency_tables.table(FULL)
    (found,) = latency.rounds(FULL, latency.uniform(FULL), table, 0.15 * latency_table.predicted(FULL, table), 1)
    due = {}
    for group, width in found.by_group().items():
        if width < FULL.width(group):
            slope = latency_table.predicted(found, table) - latency_table.predicted(
                found.resized({group: width - 1}), table
            )
            due[group] = width * slope / len(plan.writers(found, group))
    assert len(due) >= 8
    assert max(due.values()) < 1.1 * min(due.values()), due


@pytest.mark.parametrize(("step", "ratio"), [*itertools.product((4, 8, 16), (0.8, 0.5, 0.2))])
def test_steps_of_the_table_are_steps_of_the_widths(step, ratio):
    table = latency_tables.table(FULL, in_steps(step))
    (found,) = latency.rounds(FULL, latency.uniform(FULL), table, ratio * latency_table.predicted(FULL, table), 1)
    assert all(width % step == 0 for width in found.widths), found.widths
    assert latency_table.predicted(found, table) <= ratio * latency_table.predicted(FULL, table) * (1 + 1e-9)


def some_scores(spec: ResNetSpec, seed: int) -> importance.Scores:
    rng = np.random.default_rng(seed)
    return {conv.name: rng.gamma(2.0, size=spec.width(conv.writes)) for conv in spec.convolutions()}


@given(st.integers(0, 999), st.floats(0.15, 0.9), st.sampled_from([1, 2, 3]), st.sampled_from([1, 4]))
@settings(max_examples=25)
def test_the_target_is_met_and_nothing_is_given_away(seed, ratio, align, step):
    """No group could keep more of its filters within the target, and no width grows from round to round."""
    table, scores = latency_tables.table(SMALL, in_steps(step)), some_scores(SMALL, seed)
    least, whole = latency.bounds(SMALL, table, align)
    target = max(ratio * whole, least)
    found = latency.rounds(SMALL, scores, table, target, 3, align)
    goals = [whole * (target / whole) ** (number / 3) for number in (1, 2, 3)]
    before = SMALL
    for spec, goal in zip(found, goals, strict=True):
        assert latency_table.predicted(spec, table) <= goal * (1 + 1e-6)
        assert all(width % align == 0 or width == 6 for width in spec.widths)
        assert all(now <= then for now, then in zip(spec.widths, before.widths, strict=True))
        for wider in widened(spec, before, align):
            assert latency_table.predicted(wider, table) > goal * (1 - 1e-6)
        before = spec


@pytest.mark.parametrize("seed", range(4))
def test_near_the_best_of_all(seed):
    """Against the best of all plans of a network with three widths that are free, found by trying all of them."""
    free = ("layer1", "layer1.0.conv1", "layer2")
    whole = SMALL.resized({group: 1 for group in SMALL.by_group() if group not in free})
    scores, table = some_scores(whole, seed), latency_tables.table(SMALL)
    target = 0.6 * latency_table.predicted(whole, table)
    everything = (
        whole.resized(dict(zip(free, widths, strict=True))) for widths in itertools.product(range(1, 7), repeat=3)
    )
    best = min(loss(one, whole, scores) for one in everything if latency_table.predicted(one, table) <= target)
    (found,) = latency.rounds(whole, scores, table, target, 1)
    assert best - 1e-9 <= loss(found, whole, scores) <= 1.15 * best


def test_filters_without_importance_go_first_and_together():
    """Half of the filters of a group are dead: they go for the least saving, in all convolutions that write to it."""
    scores = latency.uniform(FULL)
    for conv in plan.writers(FULL, "layer2"):
        scores[conv.name][::2] = 0
    table = latency_tables.table(FULL)
    (found,) = latency.rounds(FULL, scores, table, 0.95 * latency_table.predicted(FULL, table), 1)
    assert found.width("layer2") == 64
    (chosen,) = [plan.make(FULL, scores, plan.Widths(found.by_group()))]
    assert chosen.kept["layer2"].tolist() == list(range(1, 128, 2))
    assert chosen.compact == found


def test_losses_by_hand():
    scores = latency.uniform(FULL) | {
        "conv1": np.array([3.0, 1.0] + [0.0] * 62),
        "layer1.0.conv2": np.zeros(64),
        "layer1.1.conv2": np.array([1.0, 1.0] + [0.0] * 62),
    }
    found = latency.losses(FULL, "layer1", scores)
    assert found[0] == np.inf and found[64] == 0
    # Dead filters of a whole convolution tell nothing: all count alike. One filter keeps 3/4, 1/64 and 1/2.
    assert found[1] == pytest.approx(-np.log(3 / 4) - np.log(1 / 64) - np.log(1 / 2))
    assert found[2] == pytest.approx(-np.log(2 / 64))


def test_a_convolution_that_loses_all_its_importance_costs_much_but_no_more_than_all():
    scores = latency.uniform(FULL) | {name: np.eye(64)[0] * 9 for name in ("conv1", "layer1.0.conv2")}
    scores["layer1.1.conv2"] = np.eye(64)[1]
    assert np.isfinite(latency.losses(FULL, "layer1", scores)[1:]).all()


def test_a_target_that_cannot_be_met_is_refused():
    table = latency_tables.table(SMALL)
    with pytest.raises(WoolError, match=r"^target_ms=1e-06: cannot be met, 0\.\d+ ms is left; give more$"):
        latency.rounds(SMALL, latency.uniform(SMALL), table, 1e-6, 1)


def test_the_deepest_network_is_planned_in_seconds():
    """A plan is made in every process that trains; single filters of 2048 are the longest way."""
    spec = ResNetSpec.full(152, 2, (64, 64, 1))
    table = latency_tables.table(spec, in_steps(8))
    target = 0.1 * latency_table.predicted(spec, table)
    found = latency.rounds(spec, latency.uniform(spec), table, target, 3)
    assert latency_table.predicted(found[-1], table) == pytest.approx(target, rel=0.02)


def test_by_macs_is_what_it_says():
    assert by_macs(latency_table.Shape(3, 2, 10), 5, 7) == pytest.approx(3 * 3 * 10 * 10 * 5 * 7 * 1e-6)
