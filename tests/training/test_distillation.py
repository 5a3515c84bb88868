"""The loss against its closed form; that a network learns what its teacher says is a test of the trainer."""

import numpy as np
import pytest
import scipy.special

from wool_tf.training import distillation
from wool_tf.training.distillation import Accuracy, DistillationLoss


def test_the_loss_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    labels, wanted, logits = rng.integers(0, 3, 5), rng.normal(0, 3, (5, 3)), rng.normal(0, 3, (5, 3))
    targets = np.concatenate([labels[:, None], wanted], axis=1).astype(np.float32)
    hard = -scipy.special.log_softmax(logits, axis=1)[np.arange(5), labels]
    soft = scipy.special.rel_entr(scipy.special.softmax(wanted / 2, 1), scipy.special.softmax(logits / 2, 1)).sum(1)
    found = DistillationLoss(0.8)(targets, logits.astype(np.float32))
    assert float(found) == pytest.approx((0.2 * hard + 0.8 * 4 * soft).mean(), rel=1e-5)


def test_a_network_that_says_what_its_teacher_says_loses_by_the_labels_alone():
    targets = np.array([[0, 2.0, -1.0], [1, 0.5, 0.5]], np.float32)
    labels = -scipy.special.log_softmax(targets[:, 1:], axis=1)[[0, 1], [0, 1]].mean()
    assert float(DistillationLoss(0.6)(targets, targets[:, 1:])) == pytest.approx(0.4 * labels, rel=1e-5)


def test_accuracy_is_by_the_labels():
    accuracy = Accuracy("accuracy")
    accuracy.update_state(
        np.array([[0, -9, 9], [1, -9, 9], [1, -9, 9]], np.float32), np.array([[1, 0]] * 3, np.float32)
    )
    assert float(accuracy.result()) == pytest.approx(1 / 3)


def test_targets_hold_label_and_logits_of_the_very_crop():
    images, labels = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1), np.array([1, 0])
    score = lambda crops: np.stack([crops.sum(axis=(1, 2, 3)), np.zeros(len(crops), np.float32)], axis=1)  # noqa: E731
    ((crops, targets),) = distillation.taught(iter([(images, labels)]), score)
    assert (crops == images).all()
    assert targets.tolist() == [[1, 0 + 1 + 2 + 3, 0], [0, 4 + 5 + 6 + 7, 0]] and targets.dtype == np.float32
