"""Studies of which only the first folds are trained: figures are of their images alone."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

import study_sample
from wool_tf.errors import BadSetting
from wool_tf.report import advice, findings, page
from wool_tf.study.score_results import THRESHOLDING
from wool_tf.training.config import TrainingConfig

ONCE = {"repeats": 1, "controls": (), "asfp_rates": (0.3,), "first_folds": 2}


def given(**changes):
    return study_sample.made(recipes=(("adam", "imagenet"),), int8=True, **ONCE | changes)


def test_figures_are_those_of_the_images_of_these_folds():
    made = given()
    held_out = np.concatenate(made.evidence.folds[0])
    scores = np.full(len(made.evidence.images.labels), np.nan)
    for fold, part in enumerate(made.evidence.folds[0]):
        scores[part] = made.evidence.records[f"resnet18-adam-imagenet/repeat0/fold{fold}/hard3"].scores
    truth = made.evidence.images.labels[held_out]
    assert 0 < len(held_out) < len(scores) and np.isfinite(scores[held_out]).all()

    study = made.study()
    (metrics,) = study.configurations[0].stage("hard3").figures.repeats
    assert metrics.accuracy == pytest.approx(accuracy_score(truth, scores[held_out] >= 0.5))
    assert metrics.auc == pytest.approx(roc_auc_score(truth, scores[held_out]))
    assert (study.judged.images, study.judged.defective) == (len(held_out), truth.sum())


def test_baselines_are_judged_on_the_same_images():
    made = given()
    held_out = np.concatenate(made.evidence.folds[0])
    called = made.compared[THRESHOLDING, ""][0][0]
    truth = made.evidence.images.labels
    (metrics,) = made.study().baseline(THRESHOLDING).figures.repeats
    assert metrics.accuracy == pytest.approx(accuracy_score(truth[held_out], called[held_out]))


def test_a_delivery_lists_these_images_and_says_on_what_its_threshold_was_chosen():
    made = given(rules=(study_sample.DELIVERED,))
    delivery = study_sample.delivery(made)
    held_out = np.sort(np.concatenate(made.evidence.folds[0]))
    assert [one.path for one in delivery.judged] == [made.evidence.images.paths[index] for index in held_out]
    assert all(
        one.label == made.evidence.images.labels[index] for one, index in zip(delivery.judged, held_out, strict=True)
    )
    study = made.study(delivery=delivery)
    page.render(study)


def test_the_report_says_so_and_the_other_folds_are_the_next_thing_to_train():
    made = given(separation=1.2, rules=(study_sample.DELIVERED,))
    study = made.study(delivery=study_sample.delivery(made))
    (line,) = [one for one in findings.warnings(study) if "were trained" in one]
    assert line == "Only the first 2 of 5 folds were trained: the figures are of 96 of 240 images."
    command = "python experiments/reproduce.py --epochs=6 --first_folds"
    for given_as in ("=2", " 2"):
        found = advice.more_samples(dataclasses.replace(study, command=command + given_as), 100)
        assert "--first_folds" in found[0] and found[1] == "python experiments/reproduce.py --epochs=6"
    # In a flagfile it stays, unless another flag overrides it.
    assert advice.more_samples(study, 100)[1] == f"{study.command} --first_folds=0"


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"first_folds": 1}, "first_folds=1: must be 0, or from 2 to the 10 folds"),
        ({"first_folds": 11}, "first_folds=11: must be 0, or from 2 to the 10 folds"),
        ({"first_folds": 2, "repeats": 2}, "first_folds and repeats: do not go together"),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(BadSetting) as refused:
        TrainingConfig(**changes)
    assert str(refused.value).startswith(message)
