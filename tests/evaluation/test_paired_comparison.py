"""Judgements compared image by image."""

import numpy as np
import pytest

from wool_tf.evaluation import paired_comparison

LABELS = np.array([0, 1] * 50)
GROUPS = np.repeat(np.arange(25), 4)


def test_by_hand():
    right = LABELS == 1
    before, after = right.copy(), right.copy()
    before[:8] ^= True  # wrong before, right after
    after[8:10] ^= True  # right before, wrong after
    found = paired_comparison.compare(LABELS, GROUPS, before, after)
    assert (found.images, found.gained, found.lost) == (100, 8, 2)
    assert found.change == pytest.approx(0.06)
    # Of ten fair coins, 2 or fewer or 8 or more of one kind: 2 · (1 + 10 + 45) / 1024.
    assert found.p == pytest.approx(112 / 1024)
    assert found.interval[0] < 0.06 < found.interval[1]


def test_the_same_judgements_are_no_change():
    called = np.arange(100) % 3 == 0
    found = paired_comparison.compare(LABELS, GROUPS, called, called)
    assert (found.gained, found.lost, found.change, found.interval, found.p) == (0, 0, 0.0, (0.0, 0.0), 1.0)


def test_a_change_in_one_sample_alone_is_uncertain_however_many_images_it_has():
    labels, groups = np.array([0, 1] * 30), np.repeat(np.arange(6), 10)
    before = labels == 1
    after = before.copy()
    before[:10] ^= True
    found = paired_comparison.compare(labels, groups, before, after)
    assert found.p < 0.01 and found.interval[0] == 0
