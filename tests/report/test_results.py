"""The baselines in the results document of the main job, against scikit-learn."""

import numpy as np
import pytest
from protocol_sample import dataset, settings
from sklearn import metrics

from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.report import results

PARTS = [np.arange(240)[first::5] for first in range(5)]


@pytest.fixture
def scores(monkeypatch) -> np.ndarray:
    """What the frozen features of pretrained weights give here; two images in three would be called defective."""
    labels = dataset().labels
    scores = 1 / (1 + np.exp(-(2 * labels + np.random.default_rng(4).normal(size=len(labels)))))
    found = {"resnet18-imagenet": [((scores >= 0.5).astype(int), scores)]}
    monkeypatch.setattr(
        "wool_tf.baselines.frozen_features.evaluate_grid",
        lambda grid, *_: found if grid[0].weights == "imagenet" else {},
    )
    return scores


def test_frozen_features_are_measured_as_networks_are_and_decide_by_the_same_rule(scores):
    images = dataset()
    found = results._frozen_features(settings(weights="imagenet"), images, PARTS, ThresholdRule(cost_ratio=1.0))
    assert found["mean"]["accuracy"] == pytest.approx(metrics.accuracy_score(images.labels, scores >= 0.5))
    assert found["mean"]["auc"] == pytest.approx(metrics.roc_auc_score(images.labels, scores))
    per_fold = [metrics.accuracy_score(images.labels[part], scores[part] >= 0.5) for part in PARTS]
    assert [fold["accuracy"] for fold in found["folds"]] == pytest.approx(per_fold)
    assert found["fold_std"]["accuracy"] == pytest.approx(np.std(per_fold, ddof=1))
    hit = [(scores[n] >= 0.5) for n in range(240) if images.labels[n] and "D1" in images.defects[n].split("+")]
    assert found["by_defect"]["D1"] == {"images": len(hit), "recall": pytest.approx(np.mean(hit))}
    # By hand, on the other folds: a threshold with the most right calls.
    right = 0
    for part in PARTS:
        others = np.setdiff1d(np.arange(240), part)
        at = ThresholdRule(cost_ratio=1.0).chosen(images.labels[others], scores[others])
        right += ((scores[part] >= at) == images.labels[part]).sum()
    assert found["decided"]["accuracy"] == pytest.approx(right / 240)
    assert found["decided"]["accuracy"] > found["mean"]["accuracy"]


def test_random_weights_have_no_frozen_features(scores):
    assert results._frozen_features(settings(), dataset(), PARTS, ThresholdRule(cost_ratio=1.0)) is None


def test_thresholding_is_at_its_limits():
    labels = dataset().labels
    images = np.full((240, 40, 40), 200, np.uint8)
    images[labels == 1, 10:14, 10:14] = 100
    found = results._thresholding(dataset(images=images), PARTS)
    assert found["mean"]["accuracy"] == found["mean"]["recall"] == 1
    assert found["by_defect"]["D2"]["recall"] == 1
