import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from wool_tf.audit import leaks


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(leaks, "SHUFFLES", 8)
    monkeypatch.setattr(leaks, "TREES", 5)


def samples(groups=60, seed=0):
    """Labels and groups of three crops from each of many samples, a sample being defective or not as a whole."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(groups) % 2).repeat(3)
    return labels, np.array([f"S{number}" for number in range(groups)]).repeat(3), rng


def audited(values, labels, groups, kinds=None):
    fold_of = np.unique(groups, return_inverse=True)[1] % 3
    parts = [np.flatnonzero(fold_of == number) for number in range(3)]
    values = np.column_stack(values)
    names = [f"feature {number}" for number in range(values.shape[1])]
    return leaks.audit(names, kinds or ["pixels"] * len(names), values, labels, groups, parts, seed=0)


def test_noise_tells_nothing():
    labels, groups, rng = samples()
    rows = audited(rng.normal(size=(4, len(labels))), labels, groups)
    assert not any(row.tells for row in rows)
    assert all(0.3 < row.auc < row.chance < 0.9 for row in rows)
    assert leaks.verdict(rows) == "None of these features tells the class better than chance may."


def test_properties_of_samples_tell_nothing_of_the_class():
    # Every sample has its own brightness: crops of one sample are alike in it and in class, by chance.
    labels, groups, rng = samples()
    brightness = rng.normal(size=(3, 60)).repeat(3, axis=1) + 0.01 * rng.normal(size=(3, len(labels)))
    assert not any(row.tells for row in audited(brightness, labels, groups))


def test_shifted_feature_is_found_and_named():
    labels, groups, rng = samples()
    rows = audited([rng.normal(size=len(labels)), rng.normal(size=len(labels)) + 3 * labels], labels, groups)
    clean, leaking, *_ = rows
    assert (clean.tells, leaking.tells) == (False, True)
    # Two normals that are 3 deviations apart: AUC is the probability that the difference is positive.
    assert leaking.auc == pytest.approx(0.983, abs=0.02)
    # The best threshold lies halfway: Φ(1.5).
    assert leaking.accuracy == pytest.approx(0.933, abs=0.05)
    said = leaks.verdict(rows)
    assert said.startswith("A network may learn these instead of defects: ") and "\n" not in said
    assert "feature 1 (AUC 0.9" in said and "feature 0" not in said


def test_feature_that_is_wider_in_one_class_is_found():
    labels, groups, rng = samples()
    rows = audited([rng.normal(size=len(labels)) * (1 + 9 * labels)], labels, groups)
    assert rows[0].tells and rows[0].auc > 0.8


def test_files_are_told_apart_from_pixels():
    labels, groups, rng = samples()
    date = np.argsort(np.argsort(labels, kind="stable"))
    rows = audited([rng.normal(size=len(labels)), date], labels, groups, ["pixels", "files"])
    assert [row.kind for row in rows if row.tells] == ["files"] * 3
    assert rows[1].auc == 1
    said = leaks.verdict(rows)
    assert said.startswith("No network sees them, but the classes were recorded or stored apart: feature 1")


def test_what_only_two_features_tell_together_is_found():
    labels, groups, rng = samples(100)
    first = rng.uniform(-1, 1, len(labels))
    rows = audited([first, np.where(labels, 1, -1) * np.sign(first) * rng.uniform(0, 1, len(labels))], labels, groups)
    assert [row.classifier for row in rows if row.tells] == ["forest"]
    assert "pixels together" in leaks.verdict(rows)


def test_what_a_defect_moves_is_judged_alone():
    labels, groups, rng = samples()
    parts = np.array_split(np.arange(len(labels)), 3)
    values = np.column_stack([3 * labels + rng.normal(size=len(labels)), rng.normal(size=len(labels))])
    rows = leaks.audit(["mean grey", "noise"], ["pixels"] * 2, values, labels, groups, parts, seed=0)
    assert [row.name for row in rows if row.tells] == ["mean grey"]
    assert leaks.verdict(rows).endswith("; a defect moves it, too).")


def test_same_for_all_is_left_out_and_repeats_are_the_same():
    labels, groups, rng = samples(20)
    values = [np.full(len(labels), 7.0), rng.normal(size=len(labels))]
    rows = audited(values, labels, groups)
    assert [row.name for row in rows] == ["feature 1", *["pixels together"] * 2]
    assert rows == audited(values, labels, groups)
    table = leaks.to_text(rows).splitlines()
    assert len(table) == 4 and table[1].startswith("feature 1 ")


def test_labels_are_exchanged_in_whole_groups():
    labels, groups, rng = samples(40)
    labels[::9] ^= 1
    kinds = sorted(tuple(sorted(labels[groups == group])) for group in np.unique(groups))
    seen = set()
    for _ in range(20):
        exchanged = leaks._exchanged(labels, groups, rng)
        assert sorted(tuple(sorted(exchanged[groups == group])) for group in np.unique(groups)) == kinds
        seen.add(tuple(exchanged))
    assert len(seen) == 20


def test_groups_of_different_sizes_stay_alike():
    groups = np.repeat(np.arange(6), (1, 5, 2, 9, 4, 3))
    labels = np.isin(groups, (1, 2, 5)).astype(int)
    for seed in range(20):
        exchanged = leaks._exchanged(labels, groups, np.random.default_rng(seed))
        per_group = [set(exchanged[groups == group]) for group in range(6)]
        assert all(len(found) == 1 for found in per_group)
        assert sum(map(sum, per_group)) == 3


def test_limit_holds_for_normal_draws():
    rng = np.random.default_rng(0)
    alarms = []
    for _ in range(2000):
        draws = rng.normal(0.5, 0.03, (leaks.SHUFFLES + 1, 15))
        alarms.append((draws[-1] > leaks._limits(draws[:-1])).any())
    # Bonferroni's bound is nearly reached by independent columns; 3 deviations of the binomial are 0.015.
    assert 0.03 < np.mean(alarms) < leaks.ALPHA + 0.015


def test_folds_without_both_classes_are_passed_over():
    labels, groups, rng = samples(8)
    parts = [np.flatnonzero(labels == label) for label in (0, 1)]
    names = ["noise"]
    rows = leaks.audit(names, ["files"], rng.normal(size=(len(labels), 1)), labels, groups, parts, seed=0)
    assert all(row.auc == 0.5 and np.isfinite(row.chance) for row in rows)


def test_progress():
    labels, groups, rng = samples(12)
    told = []
    parts = np.array_split(np.arange(36), 2)
    leaks.audit(["a"], ["files"], rng.normal(size=(36, 1)), labels, groups, parts, 0, lambda *at: told.append(at))
    # Of two folds the feature alone, and the files together by a regression and by a forest.
    assert told == list(zip(range(1, 7), itertools.repeat(6), strict=False))


def test_chance_is_at_most_1_and_too_few_samples_are_said_to_be_too_few():
    labels, groups, rng = samples(6)
    rows = audited(rng.normal(size=(4, len(labels))), labels, groups)
    assert all(row.chance <= 1 for row in rows) and not any(row.tells for row in rows)
    assert leaks.verdict(rows).startswith("Too few samples to tell: chance alone reaches an AUC of ")
    assert "forest" not in {row.classifier for row in rows}, "of 18 crops there is nothing to part"


def test_crops_that_are_alike_in_everything_were_not_judged():
    labels, groups, _ = samples(20)
    rows = audited([np.ones(len(labels))], labels, groups)
    assert leaks.verdict(rows) == "Nothing was judged: all features are the same for all crops."


def test_auc_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    for size in (4, 30, 200):
        labels = rng.permuted(np.tile(np.arange(size) % 2, (3, 1)), axis=1)
        scores = rng.integers(0, size, (3, size)) / size  # with ties
        right = [roc_auc_score(*each) for each in zip(labels, scores, strict=True)]
        assert leaks._auc(labels, scores) == pytest.approx(right, abs=1e-12)
