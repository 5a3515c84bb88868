import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wool_tf.data import folds
from wool_tf.errors import WoolError

CASTINGS = Path(__file__).parents[3] / "shared" / "data" / "gdxray_castings" / "manifest.csv"


def images(counts):
    """Labels and groups of images, from (non_defective, defective) counts of each group."""
    labels = np.concatenate([[0] * clean + [1] * bad for clean, bad in counts]).astype(int)
    groups = np.concatenate([[f"S{number}"] * sum(pair) for number, pair in enumerate(counts)])
    return labels, groups


GROUPS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(any), min_size=2, max_size=20)


@settings(max_examples=30)
@given(GROUPS, st.integers(2, 6), st.integers(0, 1000))
def test_folds_are_a_partition_by_groups_with_both_classes(counts, number, seed):
    labels, groups = images(counts)
    assume(min(np.sum([bad > 0 for _, bad in counts]), np.sum([clean > 0 for clean, _ in counts])) >= number)
    try:
        parts = folds.split(labels, groups, number, seed)
    except WoolError as error:
        # The shuffles may miss a split that exists; then the line says so.
        assert "no split found" in str(error)
        return
    assert len(parts) == number
    assert sorted(index for part in parts for index in part) == list(range(len(labels)))
    for part in parts:
        rest = np.setdiff1d(np.arange(len(labels)), part)
        assert list(part) == sorted(part)
        assert set(labels[part]) == set(labels[rest]) == {0, 1}
        assert not set(groups[part]) & set(groups[rest])


@given(GROUPS, st.integers(-1, 30))
@settings(max_examples=40)
def test_impossible_numbers_name_the_flag(counts, number):
    labels, groups = images(counts)
    most = min(np.sum([bad > 0 for _, bad in counts]), np.sum([clean > 0 for clean, _ in counts]))
    assume(number < 2 or number > most)
    with pytest.raises(WoolError, match=f"^folds={number}: [^\n]*$"):
        folds.split(labels, groups, number, 0)


@pytest.mark.parametrize(
    "counts,number,expected",
    [
        ([(2, 2)] * 5, 1, "folds=1: must be at least 2"),
        ([(2, 2)] * 5, 8, "folds=8: only 5 groups (physical samples), use at most 5"),
        ([(2, 0)] * 5 + [(0, 3)] * 3, 4, "folds=4: only 3 groups hold defective images, use at most 3"),
        ([(2, 0)] * 2 + [(0, 3)] * 6, 4, "folds=4: only 2 groups hold non_defective images, use at most 2"),
        ([(2, 0)] * 5 + [(0, 3)], 2, "folds=2: only 1 groups hold defective images, add samples"),
    ],
)
def test_messages(counts, number, expected):
    with pytest.raises(WoolError) as caught:
        folds.split(*images(counts), number, 0)
    assert str(caught.value).startswith(expected)


def test_same_seed_same_folds():
    labels, groups = images([(3, 2)] * 12)
    first, second = folds.split(labels, groups, 4, 7), folds.split(labels, groups, 4, 7)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    other = folds.split(labels, groups, 4, 8)
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_equal_groups_give_equal_folds():
    labels, groups = images([(3, 2)] * 12)
    for part in folds.split(labels, groups, 4, 0):
        assert np.bincount(labels[part]).tolist() == [9, 6]


def test_singles_differ_by_one_image_at_most():
    labels = np.array([0] * 23 + [1] * 18)
    parts = folds.split(labels, np.arange(41), 4, 0)
    for label in (0, 1):
        counts = [int((labels[part] == label).sum()) for part in parts]
        assert max(counts) - min(counts) <= 1


def test_groups_of_one_class_each():
    labels, groups = images([(4, 0)] * 6 + [(0, 4)] * 6)
    for part in folds.split(labels, groups, 3, 0):
        assert np.bincount(labels[part]).tolist() == [8, 8]


@pytest.mark.parametrize(
    "parts,expected",
    [
        ([[0, 1, 2], [3, 4]], "exactly once"),
        ([[0, 1, 2, 3], [3, 4, 5]], "exactly once"),
        ([[0, 1, 4], [2, 3, 5]], "group S2 is in fold 0 and in fold 1"),
        ([[0, 1, 2, 3, 4, 5], []], "fold 0 has no non_defective training images"),
    ],
)
def test_check_refuses(parts, expected):
    labels, groups = images([(1, 1)] * 3)
    with pytest.raises(WoolError, match=expected):
        folds.check(labels, groups, [np.array(part, int) for part in parts])


def test_check_refuses_a_part_of_one_class():
    labels, groups = images([(2, 0), (1, 1), (1, 1)])
    with pytest.raises(WoolError, match="fold 0 has no defective held-out images"):
        folds.check(labels, groups, [np.array([0, 1]), np.array([2, 3, 4, 5])])
    folds.check(labels, groups, [np.array([0, 1, 2, 3]), np.array([4, 5])])


@pytest.mark.skipif(not CASTINGS.exists(), reason="../shared/data/gdxray_castings is absent")
def test_castings_by_series():
    with open(CASTINGS, newline="") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([int(row["label"] == "defective") for row in rows])
    groups = np.array([row["group"] for row in rows])
    shares = [labels[part].mean() for part in folds.split(labels, groups, 4, 0)]
    assert np.abs(np.array(shares) - 226 / 623).max() < 0.05


def test_some_images_are_drawn_in_whole_groups():
    groups = np.repeat(np.arange(40), np.arange(40) % 4 + 1)
    drawn = folds.whole_groups(groups, 50, seed=3)
    assert 45 < len(drawn) <= 50
    inside = np.isin(groups, groups[drawn])
    assert np.array_equal(np.flatnonzero(inside), drawn)
    assert np.array_equal(drawn, folds.whole_groups(groups, 50, seed=3))
    assert not np.array_equal(drawn, folds.whole_groups(groups, 50, seed=4))
    assert np.array_equal(folds.whole_groups(groups[:40], 50, seed=0), np.arange(40))
