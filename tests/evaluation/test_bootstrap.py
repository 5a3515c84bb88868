"""Pooling by hand, the area under the curve against scikit-learn, intervals against closed forms and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from wool_tf.errors import WoolError
from wool_tf.evaluation import bootstrap


def test_scores_of_the_folds_in_the_order_of_the_data_set():
    scores, fold_of = bootstrap.pool(4, [([3, 0], [0.3, 0.0]), ([1, 2], [0.1, 0.2])])
    assert scores.tolist() == [0.0, 0.1, 0.2, 0.3]
    assert fold_of.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([([0, 1], [0.1, 0.2])], "each of 3 images must be held out exactly once"),
        ([([0, 1], [0.1, 0.2]), ([1, 2], [0.1, 0.2])], "exactly once"),
        ([([0, 1], [0.1, 0.2]), ([3], [0.1])], "exactly once"),
        ([([0, 1], [0.1, 0.2]), ([-1], [0.1])], "exactly once"),
        ([([0, 1], [0.1, 0.2]), ([2], [])], "fold 1: 1 held-out images but 0 scores"),
        ([([0, 1], [0.1, float("nan")]), ([2], [0.1])], "not finite"),
    ],
)
def test_records_that_do_not_fit_are_refused(folds, message):
    with pytest.raises(WoolError, match=message):
        bootstrap.pool(3, folds)


def test_recall_by_defect():
    labels = np.array([1, 1, 1, 1, 0])
    defects = np.array(["D2+D1", "D1", "", "D1+D1", "D3"])
    called = np.array([[True, False, True, True, True], [True, True, False, False, True]])
    assert bootstrap.recall_by_defect(labels, called, defects) == {
        "D1": bootstrap.DefectRecall(3, pytest.approx((1 + 0.5 + 0.5) / 3)),
        "D2": bootstrap.DefectRecall(1, 1.0),
    }


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_weighted_area_is_that_of_scikit_learn(seed, levels):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[True, False], rng.random(30) < 0.4])
    scores = rng.integers(0, levels, 32) / levels
    weights = rng.integers(0, 4, (5, 32)).astype(float)
    weights[:, :2] += 1
    expected = [metrics.roc_auc_score(truth, scores, sample_weight=row) for row in weights]
    assert bootstrap.weighted_auc(truth, scores, weights) == pytest.approx(expected)


def test_samples_are_drawn_whole_and_within_their_kind():
    groups = np.repeat(["a", "b", "c", "d", "e", "f", "g"], 3)
    labels = np.array([0] * 9 + [1] * 6 + [0, 1, 1] * 2)
    drawn = bootstrap.draw(labels, groups, draws=200).astype(int)
    times = drawn[:, ::3]
    assert np.array_equal(drawn, np.repeat(times, 3, axis=1))
    # Three sound samples, two defective ones, two with both.
    for kind, size in (([0, 1, 2], 3), ([3, 4], 2), ([5, 6], 2)):
        assert (times[:, kind].sum(axis=1) == size).all()
    assert len(np.unique(times, axis=0)) > 20
    assert np.array_equal(drawn, bootstrap.draw(labels, groups, draws=200))
    assert not np.array_equal(drawn, bootstrap.draw(labels, groups, draws=200, seed=1))


def test_intervals_of_single_images_are_those_of_the_binomial_distribution():
    # 90 of 100 defective images are found, 190 of 200 sound ones passed; each image is a sample of its own.
    labels = np.repeat([1, 0], [100, 200])
    scores = np.repeat([0.9, 0.1, 0.1, 0.9], [90, 10, 190, 10])
    weights = bootstrap.draw(labels, np.arange(300), draws=40_000)
    found = bootstrap.intervals(labels, [scores >= 0.5], weights)
    recall = stats.binom.ppf([0.025, 0.975], 100, 0.9) / 100
    assert found["recall"] == pytest.approx(recall, abs=0.0051)
    both = np.convolve(stats.binom.pmf(np.arange(101), 100, 0.9), stats.binom.pmf(np.arange(201), 200, 0.95))
    accuracy = np.searchsorted(np.cumsum(both), [0.025, 0.975]) / 300
    assert found["accuracy"] == pytest.approx(accuracy, abs=0.0034)
    alarms = stats.binom.ppf([0.025, 0.975], 200, 0.05) / 200
    assert found["false_alarm_rate"] == pytest.approx(alarms, abs=0.0026)


@pytest.mark.parametrize("elements", [1 << 20, 500])
def test_intervals_by_brute_force(elements, monkeypatch):
    monkeypatch.setattr(bootstrap, "_BATCH_ELEMENTS", elements)
    rng = np.random.default_rng(3)
    labels = np.repeat(rng.permutation([0] * 20 + [1] * 20), 4)
    groups = np.repeat(rng.permutation(40), 4)
    repeats = [np.round(np.clip(0.35 * labels + rng.random(160) * 0.7, 0, 1), 2) for _ in range(2)]
    weights = bootstrap.draw(labels, groups, draws=60)
    values = []
    for row in weights:
        # Every image as often as it was drawn.
        index = np.repeat(np.arange(160), row)
        truth = labels[index]
        values.append([
            [metrics.accuracy_score(truth, scores[index] >= 0.5), metrics.recall_score(truth, scores[index] >= 0.5),
             metrics.roc_auc_score(truth, scores[index])]
            for scores in repeats
        ])  # fmt: skip
    expected = np.percentile(np.mean(values, axis=1), [2.5, 97.5], axis=0)
    found = bootstrap.intervals(labels, [scores >= 0.5 for scores in repeats], weights)
    found["auc"] = bootstrap.auc_interval(labels, repeats, weights)
    for number, name in enumerate(("accuracy", "recall", "auc")):
        assert found[name] == pytest.approx(expected[:, number])


def test_crops_of_one_sample_that_are_alike_add_nothing():
    labels = np.repeat([1, 0], 40)
    scores = np.where(np.arange(80) % 5 == 0, 1 - 0.8 * labels - 0.1, 0.1 + 0.8 * labels)
    once = bootstrap.intervals(labels, [scores >= 0.5], bootstrap.draw(labels, np.arange(80)))
    # np.unique sorts the groups alike, so the draws are the same.
    four = [np.repeat(values, 4) for values in (labels, scores, np.arange(80))]
    assert bootstrap.intervals(four[0], [four[1] >= 0.5], bootstrap.draw(four[0], four[2])) == once
    apart = bootstrap.intervals(four[0], [four[1] >= 0.5], bootstrap.draw(four[0], np.arange(320)))
    assert np.diff(apart["recall"]) < 0.7 * np.diff(once["recall"])


def test_no_error_has_no_width():
    labels = np.repeat([1, 0], 10)
    weights = bootstrap.draw(labels, np.arange(20))
    found = bootstrap.intervals(labels, [labels == 1], weights)
    assert found == {"accuracy": (1, 1), "recall": (1, 1), "false_alarm_rate": (0, 0)}
    assert bootstrap.auc_interval(labels, [labels.astype(float)], weights) == (1, 1)


def test_the_interval_of_a_difference_is_paired():
    """Two classifiers that err on the same images differ by nothing, however much either varies."""
    rng = np.random.default_rng(2)
    labels = np.repeat([1, 0], 50)
    weights, errors = bootstrap.draw(labels, np.arange(100)), rng.random(100) < 0.3
    assert bootstrap.interval(errors - errors.astype(float), weights) == (0, 0)
    low, high = bootstrap.interval(errors, weights)
    assert low < errors.mean() < high
    among = np.arange(100) < 10
    assert bootstrap.interval(among.astype(float), weights, among) == (1, 1)
