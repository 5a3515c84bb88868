"""How thresholds are chosen for files, against trying every threshold that makes a difference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wool_tf.decision import Decision, merged
from wool_tf.errors import WoolError

GRID = st.integers(0, 20).map(lambda step: step / 20)
ROWS = st.lists(st.tuples(st.integers(0, 1), GRID), min_size=1, max_size=30)
BOTH = ROWS.map(lambda rows: [(1, 0.35), (0, 0.6), *rows])


def columns(rows):
    labels, scores = zip(*rows, strict=True)
    return np.array(labels), np.array(scores, np.float64)


def errors(labels, scores, threshold):
    """Missed, false alarms."""
    called = scores >= threshold
    return int((~called & (labels == 1)).sum()), int((called & (labels == 0)).sum())


@given(BOTH, st.sampled_from([0.2, 1.0, 3.0]))
def test_a_cost_ratio_gives_the_least_cost_that_any_threshold_has(rows, ratio):
    labels, scores = columns(rows)
    threshold, rule = Decision(cost_ratio=ratio).made(labels, lambda: scores)
    costs = [ratio * missed + alarms for missed, alarms in (errors(labels, scores, t) for t in np.linspace(0, 1, 41))]
    missed, alarms = errors(labels, scores, threshold)
    assert ratio * missed + alarms <= min(costs) + 1e-9 or scores.max() == 1
    assert rule == f"a miss costs as much as {ratio:g} false alarms, on {len(labels)} training images"


@given(BOTH, st.sampled_from([0.3, 0.9, 1.0]))
def test_a_required_recall_is_reached_with_the_fewest_false_alarms(rows, recall):
    labels, scores = columns(rows)
    threshold, rule = Decision(recall=recall).made(labels, lambda: scores, "images")
    missed, alarms = errors(labels, scores, threshold)
    tried = [errors(labels, scores, t) for t in np.linspace(0, 1, 41)]
    enough = [alarms for missed, alarms in tried if 1 - missed / labels.sum() >= recall - 1e-9]
    assert 1 - missed / labels.sum() >= recall - 1e-9
    assert alarms == min(enough)
    assert rule == f"finds at least {100 * recall:g} % of the defective, on {len(labels)} images"


@given(BOTH, st.sampled_from([Decision(recall=0.8), Decision(cost_ratio=1.0)]), st.integers(0, 99))
def test_what_rounding_does_to_scores_changes_no_call(rows, decision, seed):
    labels, scores = columns(rows)
    rng = np.random.default_rng(seed)
    here, there = (np.clip(scores + rng.uniform(-2e-8, 2e-8, scores.shape), 0, 1) for _ in range(2))
    threshold, _ = decision.made(labels, lambda: here)
    if 1e-7 < threshold < 1 - 1e-7:
        np.testing.assert_array_equal(here >= threshold, there >= threshold)
        assert np.abs(scores - threshold).min() > 1e-7


def test_scores_that_are_equal_but_for_rounding_become_equal():
    found = merged(np.array([0.3 + 4e-9, 0.9, 0.3, 0.3 + 1e-8, 0.1]))
    np.testing.assert_array_equal(found, [0.3, 0.9, 0.3, 0.3, 0.1])
    assert merged(np.empty(0)).shape == (0,)


def test_a_given_threshold_is_taken_and_nothing_scored():
    assert Decision(threshold=0.25).made(np.array([0, 1]), pytest.fail) == (0.25, "given")


def test_a_threshold_that_calls_nothing_is_still_one_that_a_card_may_hold():
    threshold, _ = Decision(cost_ratio=0.1).made(np.array([1, 0, 0, 0]), lambda: np.array([0.1, 0.2, 1.0, 1.0]))
    assert threshold == 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": 1.5}, "^--threshold=1.5: must be from 0 to 1$"),
        ({"threshold": -0.1}, "^--threshold=-0.1: "),
        ({"threshold": float("nan")}, "^--threshold=nan: "),
        ({"recall": 0.0}, "^--required_recall=0.0: must be above 0 and at most 1$"),
        ({"recall": 1.1}, "^--required_recall=1.1: "),
        ({"cost_ratio": 0.0}, "^--cost_ratio=0.0: must be above 0 and finite$"),
        ({"cost_ratio": float("inf")}, "^--cost_ratio=inf: "),
    ],
)
def test_refuses_what_is_out_of_range(given, message):
    with pytest.raises(WoolError, match=message):
        Decision(**given)


@pytest.mark.parametrize("given", [{}, {"threshold": 0.5, "recall": 0.9}])
def test_one_way_must_be_given(given):
    with pytest.raises(ValueError, match="one of threshold, recall and cost_ratio"):
        Decision(**given)
