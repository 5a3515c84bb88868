"""The results document of a protocol: against scikit-learn, the paper's tables, and records that are missing."""

import csv
import dataclasses
import functools
import io
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from protocol_sample import STAGES, dataset, inputs, record, sample, settings
from sklearn import metrics

from wool_tf.errors import WoolError
from wool_tf.evaluation import bootstrap
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.report import paper, protocol, protocol_export

ONE = (("adam", "none"),)
FEW = {"baseline": "Baseline", "hard1": "Hard pruning, round 1"}
TABLES = Path(__file__).resolve().parents[3] / "shared" / "paper"
IMAGES = 10_000
"""So many that an accuracy with two decimals of a percent is a whole number of images."""


@pytest.fixture(scope="module")
def given() -> dict:
    return inputs(ONE, FEW)


@pytest.fixture(scope="module")
def document(given) -> dict:
    return protocol.assemble(**given)


def pool(given: dict, repeat: int, stage: str) -> np.ndarray:
    scores = np.empty(len(given["images"].labels))
    for fold, part in enumerate(given["parts"][repeat]):
        scores[part] = given["records"][f"resnet18-adam-none/repeat{repeat}/fold{fold}/{stage}"]["scores"]
    return scores


def test_it_is_plain_json(document):
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_repeats_are_measured_on_all_their_images(given, document):
    labels = given["images"].labels
    for stage in document["configurations"][0]["stages"]:
        for repeat, found in enumerate(stage["repeats"]):
            scores = pool(given, repeat, stage["stage"])
            called = scores >= 0.5
            assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, called))
            assert found["recall"] == pytest.approx(metrics.recall_score(labels, called))
            assert found["precision"] == pytest.approx(metrics.precision_score(labels, called))
            assert found["f1"] == pytest.approx(metrics.f1_score(labels, called))
            assert found["auc"] == pytest.approx(metrics.roc_auc_score(labels, scores))
            assert found["average_precision"] == pytest.approx(metrics.average_precision_score(labels, scores))
            assert found["confusion"] == metrics.confusion_matrix(labels, called).tolist()


def test_mean_spread_and_interval_over_repeats(given, document):
    for stage in document["configurations"][0]["stages"]:
        values = [repeat["auc"] for repeat in stage["repeats"]]
        assert stage["mean"]["auc"] == pytest.approx(statistics.mean(values))
        assert stage["std"]["auc"] == pytest.approx(statistics.stdev(values))
        for name, (low, high) in stage["interval"].items():
            assert low <= stage["mean"][name] <= high
            assert low < high


def test_stages_against_the_baseline(document):
    whole, pruned = document["configurations"][0]["stages"]
    assert whole["drop"] is None
    assert whole["params_share"] == 1
    assert pruned["drop"] == pytest.approx(pruned["mean"]["accuracy"] - whole["mean"]["accuracy"])
    assert pruned["params_share"] == pytest.approx(5502211 / 11170114)
    assert (whole["mask_difference"], pruned["mask_difference"]) == (None, 1.2e-6)
    assert whole["missing"] == pruned["missing"] == 0


def test_changes_are_those_of_the_repeats_that_both_stages_have(given):
    """The second repeat of the baseline is missing, the first of the pruned stage, and only the third has both."""
    three = inputs(ONE, FEW, repeats=3)
    without = {"resnet18-adam-none/repeat1/fold0/baseline", "resnet18-adam-none/repeat0/fold4/hard1"}
    left = {name: found for name, found in three["records"].items() if name not in without}
    whole, pruned = protocol.assemble(**three | {"records": left})["configurations"][0]["stages"]
    labels = three["images"].labels
    shares = [metrics.accuracy_score(labels, pool(three, 2, name) >= 0.5) for name in ("hard1", "baseline")]
    assert pruned["drop"] == pytest.approx(shares[0] - shares[1])
    assert pruned["drop"] != pytest.approx(pruned["mean"]["accuracy"] - whole["mean"]["accuracy"])
    del left["resnet18-adam-none/repeat2/fold0/hard1"]
    assert protocol.assemble(**three | {"records": left})["configurations"][0]["stages"][1]["drop"] is None


def test_a_file_is_what_is_in_it(tmp_path):
    """Two networks that differ in their names and in nothing else, and one that is not of ImageNet."""
    full = ResNetSpec.full(18, 1000, (32, 32, 3))
    narrow = full.resized(dict.fromkeys(full.by_group(), 2))
    files = [tmp_path / f"{name}.safetensors" for name in ("one", "two", "three")]
    for path, spec in zip(files, (narrow, narrow, dataclasses.replace(narrow, classes=2)), strict=True):
        weights.save(path, spec, weights.initial(spec, 0))
    recipes = [("adam", "none"), *(("adam", str(path)) for path in files), ("sgd", str(files[0]))]
    found = sample(recipes=recipes, stages={"baseline": "Baseline"})["configurations"]
    assert [(one["pretrained"], one["file"]) for one in found] == [
        (False, None), (True, "one.safetensors"), (True, "two.safetensors"), (None, None), (True, None)
    ]  # fmt: skip
    assert paper.accuracy(found[4], "hard3") == paper.pruned_accuracy(18, "sgd", True, "hard3")


def test_recall_by_defect_counts_images(given, document):
    defects, labels = given["images"].defects, given["images"].labels
    called = np.array([pool(given, repeat, "baseline") >= 0.5 for repeat in range(2)])
    found = document["configurations"][0]["stages"][0]["by_defect"]
    assert list(found) == ["D1", "D2", "D3"]
    for kind, values in found.items():
        chosen = [index for index in range(len(labels)) if kind in defects[index].split("+") and labels[index]]
        assert values["images"] == len(chosen)
        assert values["recall"] == pytest.approx(called[:, chosen].mean())


def test_the_threshold_of_a_fold_comes_from_the_others(given, document):
    labels, recalls, alarms, thresholds = given["images"].labels, [], [], []
    for repeat, parts in enumerate(given["parts"]):
        scores, called = pool(given, repeat, "hard1"), np.zeros(len(labels), bool)
        for part in parts:
            others = np.setdiff1d(np.arange(len(labels)), part)
            defective = scores[others][labels[others] == 1]
            least = max(t for t in defective if np.mean(defective >= t) >= 0.99)
            # In the middle, in log odds, of what is called defective and what is not.
            ends = np.array([least, scores[others][scores[others] < least].max()])
            thresholds.append(1 / (1 + np.exp(-np.log(ends / (1 - ends)).mean())))
            called[part] = scores[part] >= thresholds[-1]
        recalls.append(metrics.recall_score(labels, called))
        alarms.append(called[labels == 0].mean())
    found = document["configurations"][0]["stages"][1]["operating"][0]
    assert found["rule"] == "recall ≥ 0.99"
    assert found["recall"] == pytest.approx(np.mean(recalls))
    assert found["false_alarm_rate"] == pytest.approx(np.mean(alarms))
    assert found["threshold"] == pytest.approx(np.mean(thresholds))


def test_rules_are_named_after_what_is_asked(given):
    found = protocol.assemble(**given | {"required_recall": 0.95, "cost_ratio": 2.5})
    rules = [row["rule"] for row in found["configurations"][0]["stages"][0]["operating"]]
    assert rules == ["recall ≥ 0.95", "a miss costs 2.5 false alarms"]


def test_thresholding_is_measured_as_the_networks_are(given, document):
    labels = given["images"].labels
    calls, scores = given["threshold"][0]
    # Scores that a network might have given must come out as that network's.
    assert protocol.assemble(**given | {"threshold": [(pool(given, n, "hard1") >= 0.5, pool(given, n, "hard1"))
                                                      for n in (0, 1)]})["threshold"]["auc"] == {
        name: pytest.approx(document["configurations"][0]["stages"][1][name]["auc"]) for name in ("mean", "std")
    }  # fmt: skip
    found = document["threshold"]
    assert found["auc"] == {"mean": pytest.approx(metrics.roc_auc_score(labels, scores)), "std": 0}
    assert found["accuracy"]["mean"] == pytest.approx(metrics.accuracy_score(labels, calls))
    assert found["recall"] == {"mean": pytest.approx(metrics.recall_score(labels, calls)), "std": 0}
    assert set(found["by_defect"]) == {"D1", "D2", "D3"}
    assert protocol.assemble(**given | {"threshold": None})["threshold"] is None


def test_frozen_features_are_measured_once_for_the_weights_that_several_start_from():
    given = inputs((("adam", "none"), ("adam", "imagenet"), ("sgd", "imagenet")), FEW)
    found, labels = protocol.assemble(**given), given["images"].labels
    assert [one["frozen_features"] for one in found["configurations"]] == [None, *["resnet18-imagenet"] * 2]
    ((name, figures),) = found["frozen_features"].items()
    calls, scores = given["frozen_features"][name][0]
    assert figures["accuracy"]["mean"] == pytest.approx(metrics.accuracy_score(labels, calls))
    assert figures["auc"]["mean"] == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert set(figures["by_defect"]) == {"D1", "D2", "D3"}
    assert inputs(ONE, FEW)["frozen_features"] == {}


def test_a_repeat_without_a_fold_has_no_figures(given, document):
    unit = "resnet18-adam-none/repeat1/fold3/hard1"
    left = {name: found for name, found in given["records"].items() if name != unit}
    attempts = [{"kind": "diverged", "reason": "first"}, {"kind": "died", "reason": "memory"}]
    found = protocol.assemble(**given | {"records": left, "failures": [{"unit": unit, "attempts": attempts}]})
    whole, pruned = found["configurations"][0]["stages"]
    assert whole == document["configurations"][0]["stages"][0]
    complete = document["configurations"][0]["stages"][1]["repeats"][0]
    assert pruned["repeats"] == [complete, None]
    assert pruned["mean"] == {name: complete[name] for name in pruned["mean"]}
    assert set(pruned["std"].values()) == {None}
    assert pruned["missing"] == 1
    assert found["failures"] == [{"unit": unit, "reason": "died: memory", "attempts": 2}]


def test_nothing_is_made_up_where_nothing_is_complete(given):
    found = protocol.assemble(**given | {"records": {}, "threshold": None})
    for stage in found["configurations"][0]["stages"]:
        assert stage["repeats"] == [None, None]
        for name in ("mean", "std", "interval"):
            assert set(stage[name].values()) == {None}
        assert (stage["by_defect"], stage["operating"], stage["missing"]) == ({}, [], 10)
        assert {stage[name] for name in ("params", "macs", "params_share", "drop", "mask_difference")} == {None}
    without = {name: one for name, one in given["records"].items() if not name.endswith("baseline")}
    pruned = protocol.assemble(**given | {"records": without})["configurations"][0]["stages"][1]
    assert pruned["mean"]["accuracy"] > 0
    assert (pruned["drop"], pruned["params_share"]) == (None, None)


def test_records_of_other_folds_are_refused(given):
    unit = "resnet18-adam-none/repeat0/fold0/baseline"
    other = given["records"]["resnet18-adam-none/repeat0/fold1/baseline"]
    with pytest.raises(WoolError, match=f"{unit}: its record is of other folds"):
        protocol.assemble(**given | {"records": given["records"] | {unit: other}})


def test_a_score_that_is_no_number_is_refused(given):
    unit = "resnet18-adam-none/repeat0/fold0/baseline"
    broken = given["records"][unit]
    broken = broken | {"scores": [float("nan"), *broken["scores"][1:]]}
    with pytest.raises(WoolError, match="resnet18-adam-none/repeat0.*not finite"):
        protocol.assemble(**given | {"records": given["records"] | {unit: broken}})


def test_settings_and_data(given):
    found = sample(recipes=(("adam", "none"), ("sgd", "none")), stages=FEW)
    assert found["settings"]["optimizer"] == ["adam", "sgd"]
    assert found["settings"]["depth"] == 18
    assert found["select"] == "last"
    assert found["data"]["group_by"] == "sample"
    assert (found["data"]["images"], found["data"]["defective"], found["data"]["groups"]) == (240, 90, 60)
    assert found["seconds"] == 10.0 * 2 * 2 * 2 * 5


def wrong(share: float) -> int:
    return round(IMAGES * (1 - share / 100))


def of_the_paper(recipes, monkeypatch) -> dict:
    """A document of records that are wrong as often as the paper's networks were."""
    monkeypatch.setattr(bootstrap, "draw", functools.partial(bootstrap.draw, draws=3))
    images = dataset(samples=IMAGES // 2, per_sample=2)
    labels, parts = images.labels, [np.array_split(np.arange(IMAGES), 2)] * 3
    configurations, records = [], {}
    for depth, optimizer, pretrained in recipes:
        one = settings(optimizer, "imagenet" if pretrained else "none", depth=depth, folds=2, repeats=3)
        configurations.append(one)
        for stage in STAGES:
            mean, spread = paper.accuracy({"depth": depth, "optimizer": optimizer, "weights": one.weights}, stage), 0
            if stage == "baseline":
                spread = paper.BASELINE[depth, optimizer, pretrained][1]
            # The standard deviation of m − s, m, m + s is s.
            for repeat, share in enumerate((mean - spread, mean, mean + spread)):
                right = np.arange(IMAGES) >= wrong(share)
                scores = np.where(right == (labels == 1), 0.9, 0.1)
                for fold, part in enumerate(parts[repeat]):
                    found = record(stage, labels[:2], np.arange(2), np.array([0.1, 0.9]))
                    found |= {"held_out": part.tolist(), "scores": scores[part].tolist()}
                    records[f"{one.configuration}/repeat{repeat}/fold{fold}/{stage}"] = found
    named = {"command": "", "environment": {}, "failures": [], "threshold": None, "required_recall": 0.99}
    named["frozen_features"] = {}
    return protocol.assemble(configurations, STAGES, images, parts, records, cost_ratio=10.0, **named)


@pytest.mark.parametrize(
    "recipes", [((18, "adam", False), (34, "sgd", True)), ((101, "adam", False), (152, "sgd", False))]
)
def test_accuracies_of_the_paper_make_the_tables_of_the_paper(recipes, monkeypatch):
    if not TABLES.exists():
        pytest.skip(f"the paper's tables are not here ({TABLES})")
    monkeypatch.setattr("protocol_sample.evaluate", lambda *_: {})
    found = protocol_export.to_csv(of_the_paper(recipes, monkeypatch))
    for name in ("table1.csv", "table2.csv"):
        with open(TABLES / name, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        chosen = [row for row in rows if (int(row[0]), row[1], row[2] == "1") in recipes]
        assert list(csv.reader(io.StringIO(found[name]))) == [header, *chosen]
