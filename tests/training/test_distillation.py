"""The loss against its closed form, and that a network learns what its teacher says."""

import numpy as np
import pytest
import scipy.special

from wool_tf.networks import scoring
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training import distillation, trainer
from wool_tf.training.distillation import Accuracy, DistillationLoss, Teacher
from wool_tf.training.trainer import Course

FULL = ResNetSpec.full(18, 2, (32, 32, 1))
LARGE, SMALL = (FULL.resized(dict.fromkeys(FULL.by_group(), width)) for width in (12, 8))
LABELS = np.arange(24) % 2


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


def test_a_network_learns_what_its_teacher_says_against_the_labels():
    """Labels are of no use here: the teacher knows a bright square, which half of the images of each class have."""
    rng = np.random.default_rng(0)
    images, square = rng.integers(0, 100, (24, 35, 35), np.uint8), np.arange(24) // 2 % 2
    images[square == 1, 12:24, 12:24] += 120
    everything, course = np.arange(24), Course(30, 8, "adam", 3e-3)
    weights, _ = trainer.train(
        LARGE, network_weights.initial(LARGE, 0), images, square, everything, course, 1, lambda *_: None
    )
    start = network_weights.initial(SMALL, 1)
    trained, history = trainer.train(
        SMALL, start, images, LABELS, everything, course, 1, lambda *_: None, teacher=Teacher(LARGE, weights, 0.9)
    )
    scores, wanted = (
        scoring.probabilities(trainer.logits(spec, arrays, images, everything))
        for spec, arrays in ((SMALL, trained), (LARGE, weights))
    )
    assert ((wanted >= 0.5) == square).mean() > 0.9
    assert ((scores >= 0.5) == (wanted >= 0.5)).mean() > 0.9
    assert history["loss"][-1] < history["loss"][0]
    # By the labels, half of it is wrong.
    assert history["accuracy"][-1] == pytest.approx(0.5, abs=0.2)
