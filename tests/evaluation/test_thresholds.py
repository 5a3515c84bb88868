"""How thresholds are chosen for files, against trying every threshold that makes a difference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from wool_tf.errors import WoolError
from wool_tf.evaluation import calibration, metrics, ties
from wool_tf.evaluation.thresholds import ThresholdRule

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
def test_a_cost_ratio_gives_the_threshold_of_the_calibration(rows, ratio):
    labels, scores = columns(rows)
    threshold, rule = ThresholdRule(cost_ratio=ratio).made(labels, lambda: scores)
    expected = calibration.fit(labels, scores).threshold(ratio)
    assert threshold == expected or np.abs(scores - expected).min() < 1e-5
    alarms = {0.2: "0.2 false alarms", 1.0: "1 false alarm", 3.0: "3 false alarms"}[ratio]
    assert rule == f"a miss costs as much as {alarms}, on {len(labels)} training images"


@given(BOTH, st.sampled_from([0.3, 0.9, 1.0]))
def test_a_required_recall_is_reached_with_the_fewest_false_alarms(rows, recall):
    labels, scores = columns(rows)
    threshold, rule = ThresholdRule(recall=recall).made(labels, lambda: scores, "images")
    missed, alarms = errors(labels, scores, threshold)
    tried = [errors(labels, scores, t) for t in np.linspace(0, 1, 41)]
    enough = [alarms for missed, alarms in tried if 1 - missed / labels.sum() >= recall - 1e-9]
    assert 1 - missed / labels.sum() >= recall - 1e-9
    assert alarms == min(enough)
    assert rule == f"finds at least {100 * recall:g} % of the defective, on {len(labels)} images"


DECISIONS = st.sampled_from(
    [ThresholdRule(recall=0.8), ThresholdRule(recall=1.0), ThresholdRule(cost_ratio=1.0), ThresholdRule(cost_ratio=5.0)]
)
# Steps of a margin from far too small to be seen to plain, so that some chain.
STEPS = st.sampled_from([0.0, 1e-9, 3e-7, 4e-6, 6e-6, 0.9e-5, 1.1e-5, 1e-3, 0.5])
CHAINS = st.lists(st.tuples(st.integers(0, 1), STEPS), min_size=2, max_size=40)


def logistic(margin):
    return 0.5 * (1 + np.tanh(np.asarray(margin) / 2))


def log_odds(scores):
    return np.log(scores / (1 - scores))


def chain(rows):
    labels, steps = columns([(1, 0.5), *rows, (0, 0.5)])
    return labels, logistic(np.cumsum(steps) - 3)


def plain(decision, labels, scores):
    """The calls of the rule on the scores as they are, of a recall by trying each of them."""
    if decision.recall is None:
        return scores >= calibration.fit(labels, scores).threshold(decision.cost_ratio)
    tried = [scores >= least for least in [*np.unique(scores), 2.0]]
    return next(called for called in reversed(tried) if called[labels == 1].mean() >= decision.recall)


@given(CHAINS, DECISIONS)
def test_where_no_two_scores_are_alike_the_calls_are_those_of_the_rule(rows, decision):
    labels, scores = chain([(label, max(step, 1.1e-5)) for label, step in rows])
    called, expected = scores >= decision.chosen(labels, scores), plain(decision, labels, scores)
    if decision.recall is None:
        # A score that rounding might part from the threshold is called.
        odds = log_odds(calibration.fit(labels, scores).threshold(decision.cost_ratio))
        expected |= np.abs(log_odds(scores) - odds) <= 1.01e-5
    np.testing.assert_array_equal(called, expected)


@given(CHAINS, st.sampled_from([0.5, 0.8, 1.0]))
def test_a_recall_differs_from_the_rule_only_for_scores_that_are_alike(rows, recall):
    labels, scores = chain(rows)
    decision = ThresholdRule(recall=recall)
    expected, called = plain(decision, labels, scores), scores >= decision.chosen(labels, scores)
    assert called[labels == 1].mean() >= recall
    assert (called >= expected).all()
    margins, least = log_odds(scores), log_odds(scores[expected]).min()
    assert np.abs(margins[called != expected] - least).max(initial=0) <= 1.01e-5


@given(CHAINS, DECISIONS, st.integers(0, 99))
def test_a_group_that_only_rounding_tells_apart_is_called_as_one(rows, decision, seed):
    """Whatever lies near it, and also where the group is at the end of a chain."""
    labels, scores = chain(rows)
    shared = log_odds(scores[len(scores) // 2]) + np.random.default_rng(seed).uniform(-2e-8, 2e-8, 9)
    labels, scores = np.append(labels, np.arange(9) % 2), np.append(scores, logistic(shared))
    called = scores[-9:] >= decision.chosen(labels, scores)
    assert called.all() or not called.any()


@given(CHAINS)
def test_clusters_are_narrow_runs_of_neighbours(rows):
    _, scores = chain(rows)
    found = ties.merged(scores)
    for lowest in np.unique(found):
        members = scores[found == lowest]
        assert members.min() == lowest
        assert np.ptp(log_odds(members)) <= 1.01e-5
        assert not ((found != lowest) & (scores >= lowest) & (scores <= members.max())).any()


@given(BOTH, st.sampled_from([ThresholdRule(recall=0.8), ThresholdRule(cost_ratio=1.0)]), st.integers(0, 99))
def test_what_rounding_does_to_logits_changes_no_call(rows, decision, seed):
    labels, scores = columns(rows)
    rng = np.random.default_rng(seed)
    here, there = (logistic(20 * scores - 8 + rng.uniform(-1e-7, 1e-7, scores.shape)) for _ in range(2))
    threshold = decision.chosen(labels, here)
    np.testing.assert_array_equal(here >= threshold, there >= threshold)


def test_many_scores_do_not_chain():
    """22,000 scores, each within 1e-6 of the next: joined by that alone they were one, and every call an alarm."""
    scores, number = np.linspace(0.49, 0.51, 22_000), np.arange(22_000)
    labels = ((number % 2 == 1) & (number >= 5_588)).astype(int)
    missed, alarms = errors(labels, scores, ThresholdRule(recall=1.0).chosen(labels, scores))
    assert missed == 0
    least = (scores[labels == 0] > scores[labels == 1].min()).sum()
    assert least / (labels == 0).sum() == pytest.approx(0.595, abs=0.001)
    # Within 1e-5 of a margin lie three of these.
    assert least <= alarms <= least + 3


def test_a_hundred_thousand_scores():
    rng = np.random.default_rng(8)
    labels = (rng.random(100_000) < 0.3).astype(int)
    # Half of them on the few logits of an 8-bit network, but for rounding.
    margins = rng.normal(3.0 * labels - 1.5, 1.5)
    margins[::2] = margins[::2].round(1) + rng.uniform(-1e-9, 1e-9, 50_000)
    scores = logistic(margins)
    called = scores >= ThresholdRule(recall=0.99).chosen(labels, scores)
    least = np.sort(scores[labels == 1])[::-1][int(np.ceil(0.99 * (labels == 1).sum())) - 1]
    parted = called != (scores >= least)
    assert called[labels == 1].mean() >= 0.99
    assert np.abs(margins[parted] - log_odds(least)).max(initial=0) <= 1.1e-5


@pytest.mark.parametrize(
    "decision", [ThresholdRule(recall=0.95), ThresholdRule(cost_ratio=1.0), ThresholdRule(cost_ratio=8.0)]
)
def test_what_is_stated_is_what_new_images_get(decision):
    """Simulated runs, against the exact figures of new images; judged on the images it was chosen on, it flatters."""
    rng, runs, folds = np.random.default_rng(3), 100, 10
    labels, fold_of = np.arange(200) % 2, np.arange(200) // 2 % folds
    stated, flattering, new = (np.empty((runs, 2)) for _ in range(3))
    for run in range(runs):
        scores = logistic(rng.normal(2.0 * labels - 1.0))
        threshold, _ = decision.made(labels, lambda scores=scores: scores)
        called, found = decision.out_of_fold(labels, scores, fold_of)
        own = scores >= threshold
        stated[run] = found.recall, found.accuracy
        flattering[run] = own[labels == 1].mean(), (own == labels).mean()
        assert tuple(stated[run]) == (called[labels == 1].mean(), (called == labels).mean())
        recall = norm.sf(log_odds(threshold), 1)
        new[run] = recall, (recall + norm.cdf(log_odds(threshold), -1)) / 2
    error = (stated - new).std(axis=0) / np.sqrt(runs)
    told = 0 if decision.recall else 1
    assert np.abs((stated - new).mean(axis=0))[told] < 3 * error[told] + 0.002
    # Two numbers held by a prior are hardly fitted to anything; a recall is.
    if decision.recall:
        assert (flattering - new).mean(axis=0)[told] > 3 * error[told] + 0.002


def test_the_required_recall_may_be_missed_on_other_images():
    rng = np.random.default_rng(1)
    labels, scores = np.arange(100) % 2, logistic(rng.normal(0, 1, 100))
    threshold, _ = ThresholdRule(recall=0.99).made(labels, lambda: scores)
    assert metrics.evaluate(labels, scores, threshold).recall >= 0.99
    _, found = ThresholdRule(recall=0.99).out_of_fold(labels, scores, np.arange(100) // 2 % 5)
    assert found.recall == 0.96


def test_a_given_threshold_is_what_a_file_is_judged_at():
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.9])
    called, found = ThresholdRule(threshold=0.25).out_of_fold(labels, scores, np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(called, [False, False, True, True])
    assert found == metrics.evaluate(labels, scores, 0.25)


def test_scores_that_are_equal_but_for_rounding_become_equal():
    found = ties.merged(np.array([0.3 + 4e-9, 0.9, 0.3, 0.3 + 1e-8, 0.1]))
    np.testing.assert_array_equal(found, [0.3, 0.9, 0.3, 0.3, 0.1])
    # Of what double precision hardly holds, the last digits mean nothing.
    np.testing.assert_array_equal(ties.merged(np.array([1 - 2**-52, 1 - 2**-53, 1.0, 0.0])), [*[1 - 2**-52] * 3, 0.0])
    assert ties.merged(np.empty(0)).shape == (0,)


def test_a_threshold_stands_in_the_middle_of_its_gap():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.01, 0.1, 0.9, 0.99])
    for decision in (ThresholdRule(cost_ratio=1), ThresholdRule(recall=1.0)):
        assert decision.chosen(labels, scores) == pytest.approx(0.5)
        assert 0 < decision.chosen(labels, np.array([0.0, 0.0, 1.0, 1.0])) < 1


def test_a_given_threshold_is_taken_and_nothing_scored():
    assert ThresholdRule(threshold=0.25).made(np.array([0, 1]), pytest.fail) == (0.25, "given")


def test_a_threshold_is_not_within_rounding_of_a_score():
    for ratio in (0.5, 1.0, 2.0):
        labels, odds = np.array([0, 0, 1, 1]), np.array([-4.0, -np.log(ratio) + 1e-9, -np.log(ratio), 4.0])
        threshold = ThresholdRule(cost_ratio=ratio).chosen(labels, logistic(odds))
        assert np.abs(log_odds(threshold) - odds).min() > 1e-3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": 1.5}, "^threshold=1.5: must be at least 0 and at most 1$"),
        ({"threshold": -0.1}, "^threshold=-0.1: "),
        ({"threshold": float("nan")}, "^threshold=nan: "),
        ({"recall": 0.0}, "^recall=0: must be above 0 and at most 1$"),
        ({"recall": 1.1}, "^recall=1.1: "),
        ({"cost_ratio": 0.0}, "^cost_ratio=0: must be above 0 and finite$"),
        ({"cost_ratio": float("inf")}, "^cost_ratio=inf: "),
    ],
)
def test_refuses_what_is_out_of_range(given, message):
    with pytest.raises(WoolError, match=message):
        ThresholdRule(**given)


def test_two_ways_cannot_be_given():
    with pytest.raises(WoolError, match="^threshold and recall: both choose the threshold; give one of"):
        ThresholdRule(threshold=0.5, recall=0.9)


def test_what_is_not_asked_for_counts_both_errors_alike():
    assert ThresholdRule() == ThresholdRule(cost_ratio=1.0)
    assert ThresholdRule(recall=0.9).cost_ratio is None
    with pytest.raises(WoolError, match="^cost_ratio=0: must be above 0 and finite$"):
        ThresholdRule(cost_ratio=0)


def test_scores_that_are_no_numbers_give_no_threshold():
    with pytest.raises(WoolError, match="^scores: 1 of 3 are no numbers"):
        ThresholdRule(cost_ratio=1.0).chosen(np.array([0, 1, 1]), np.array([0.1, np.nan, 0.5]))
    assert ThresholdRule(threshold=0.3).chosen(np.array([0, 1]), np.array([0.1, np.nan])) == 0.3
