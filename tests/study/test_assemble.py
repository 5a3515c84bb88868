"""From records to a study: against scikit-learn, the paper's tables, and records that are missing."""

import csv
import dataclasses
import functools
import io
import json
import statistics
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn import metrics

import study_sample
from wool_tf import records
from wool_tf.errors import WoolError
from wool_tf.evaluation import bootstrap
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.unit_records import Attempt
from wool_tf.report import export, naming, paper, provenance
from wool_tf.study import results, score_results
from wool_tf.study.evidence import Evidence
from wool_tf.study.results import Study
from wool_tf.study.score_results import FROZEN, THRESHOLDING

ONE = (("adam", "none"),)
FEW = {"rounds": 1, "controls": (), "asfp_rates": (), "final": "hard1"}
TABLES = Path(__file__).resolve().parents[3] / "shared" / "paper"
IMAGES = 10_000
"""So many that an accuracy with two decimals of a percent is a whole number of images."""


@pytest.fixture(scope="module")
def given() -> study_sample.Made:
    return study_sample.made(ONE, **FEW)


@pytest.fixture(scope="module")
def study(given) -> Study:
    return given.study()


def pool(given: study_sample.Made, repeat: int, stage: str) -> np.ndarray:
    scores = np.empty(len(given.evidence.images.labels))
    for fold, part in enumerate(given.evidence.folds[repeat]):
        scores[part] = given.evidence.records[f"resnet18-adam-none/repeat{repeat}/fold{fold}/{stage}"].scores
    return scores


def left(given: study_sample.Made, *without: str) -> study_sample.Made:
    """The same without some records."""
    kept = {name: record for name, record in given.evidence.records.items() if name not in without}
    return dataclasses.replace(given, evidence=dataclasses.replace(given.evidence, records=kept))


def test_it_is_plain_json_and_comes_back_as_it_was(study, tmp_path):
    json.dumps(msgspec.to_builtins(study), allow_nan=False)
    results.write(tmp_path / "study.json", study)
    assert results.read(tmp_path / "study.json") == study


def test_earlier_documents_have_every_value_of_what_configurations_differ_in(tmp_path):
    found = study_sample.sample(recipes=(("adam", "none"), ("sgd", "none")), **FEW)
    document = records.plain(found)
    document["settings"] |= {"optimizer": ["adam", "sgd"], "gone": 1}
    records.write(tmp_path / "study.json", document)
    assert results.read(tmp_path / "study.json") == found
    # They rank filters by the only measure that there was.
    del document["settings"]["importance"]
    records.write(tmp_path / "study.json", document)
    assert results.read(tmp_path / "study.json").settings.importance == "l1" != found.settings.importance


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b'{"version": 2, "ti', "is damaged; run the study again"),
        (b'{"version": 1}', "is of version 1, not 3"),
        (b"[]", r"is no document of wool_tf, for it says no version \(expected: 3\); run the study again"),
        (b'{"version": 3, "title": 3}', "Expected `str`, got `int`"),
        (
            b'{"version": 3, "title": "", "command": "", "out": "", "settings": {"epochs": 0}}',
            "epochs=0: must be at least 1; it is damaged, .*; run the study again with this wool_tf$",
        ),
    ],
)
def test_a_damaged_or_foreign_document_is_one_line(content, message, tmp_path):
    path = tmp_path / "study.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WoolError, match=message) as raised:
        results.read(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_repeats_are_measured_on_all_their_images(given, study):
    labels = given.evidence.images.labels
    for stage in study.configurations[0].stages:
        for repeat, found in enumerate(stage.figures.repeats):
            scores = pool(given, repeat, stage.name)
            called = scores >= 0.5
            assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, called))
            assert found.recall == pytest.approx(metrics.recall_score(labels, called))
            assert found.precision == pytest.approx(metrics.precision_score(labels, called))
            assert found.f1 == pytest.approx(metrics.f1_score(labels, called))
            assert found.auc == pytest.approx(metrics.roc_auc_score(labels, scores))
            assert found.average_precision == pytest.approx(metrics.average_precision_score(labels, scores))
            assert np.array_equal(found.confusion, metrics.confusion_matrix(labels, called))


def test_mean_spread_and_interval_over_repeats(study):
    for stage in study.configurations[0].stages:
        values = [repeat.auc for repeat in stage.figures.repeats]
        assert stage.figures.mean("auc") == pytest.approx(statistics.mean(values))
        assert stage.figures.std("auc") == pytest.approx(statistics.stdev(values))
        folds = [fold.accuracy for fold in stage.figures.folds]
        assert len(folds) == 10 and stage.figures.over_folds("accuracy") == pytest.approx(statistics.stdev(folds))
        assert set(stage.interval) == {"accuracy", "recall", "false_alarm_rate", "auc"}
        for name, (low, high) in stage.interval.items():
            assert low <= stage.figures.mean(name) <= high
            assert low < high


def test_stages_against_the_baseline(study):
    whole, pruned = study.configurations[0].stages
    assert whole.change is None
    assert pruned.change == pytest.approx(pruned.figures.mean("accuracy") - whole.figures.mean("accuracy"))
    assert (whole.params, pruned.params) == (11170114, 5502211)
    assert (whole.mask_difference, pruned.mask_difference) == (None, 1.2e-6)
    assert whole.missing == pruned.missing == 0
    assert pruned.before_finetuning == pytest.approx(0.9)


def test_changes_are_those_of_the_repeats_that_both_stages_have():
    """The second repeat of the baseline is missing, the first of the pruned stage, and only the third has both."""
    three = study_sample.made(ONE, repeats=3, **FEW)
    some = left(three, "resnet18-adam-none/repeat1/fold0/baseline", "resnet18-adam-none/repeat0/fold4/hard1")
    whole, pruned = some.study().configurations[0].stages
    labels = three.evidence.images.labels
    shares = [metrics.accuracy_score(labels, pool(three, 2, name) >= 0.5) for name in ("hard1", "baseline")]
    assert pruned.change == pytest.approx(shares[0] - shares[1])
    assert pruned.change != pytest.approx(pruned.figures.mean("accuracy") - whole.figures.mean("accuracy"))
    none = left(some, "resnet18-adam-none/repeat2/fold0/hard1")
    assert none.study().configurations[0].stages[1].change is None


def test_a_file_is_what_is_in_it(tmp_path):
    """Two networks that differ in their names and in nothing else, and one that is not of ImageNet."""
    full = ResNetSpec.full(18, 1000, (32, 32, 3))
    narrow = full.resized(dict.fromkeys(full.by_group(), 2))
    files = [tmp_path / f"{name}.safetensors" for name in ("one", "two", "three")]
    for path, spec in zip(files, (narrow, narrow, dataclasses.replace(narrow, classes=2)), strict=True):
        weights.save(path, spec, weights.initial(spec, 0))
    recipes = [("adam", "none"), *(("adam", str(path)) for path in files), ("sgd", str(files[0]))]
    found = study_sample.sample(recipes=recipes, **FEW | {"rounds": 0, "final": "baseline"})
    named = [(one.pretrained, naming.file_of(found, one)) for one in found.configurations]
    assert named == [(False, None), (True, "one.safetensors"), (True, "two.safetensors"), (None, None), (True, None)]
    assert paper.accuracy(found.configurations[4], "hard3") == paper.pruned_accuracy(18, "sgd", True, "hard3")


def test_recall_by_defect_counts_images(given, study):
    defects, labels = given.evidence.images.defects, given.evidence.images.labels
    called = np.array([pool(given, repeat, "baseline") >= 0.5 for repeat in range(2)])
    found = study.configurations[0].baseline.figures.by_defect
    assert list(found) == ["D1", "D2", "D3"]
    for kind, values in found.items():
        chosen = [index for index in range(len(labels)) if kind in defects[index].split("+") and labels[index]]
        assert values.images == len(chosen)
        assert values.recall == pytest.approx(called[:, chosen].mean())


def test_the_threshold_of_a_fold_comes_from_the_others(given, study):
    labels, recalls, alarms, thresholds = given.evidence.images.labels, [], [], []
    for repeat, parts in enumerate(given.evidence.folds):
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
    found = study.configurations[0].stages[1].operating[0]
    assert found.rule == ThresholdRule(recall=0.99)
    assert found.figures.mean("recall") == pytest.approx(np.mean(recalls))
    assert found.figures.mean("false_alarm_rate") == pytest.approx(np.mean(alarms))
    assert found.threshold == pytest.approx(np.mean(thresholds))
    low, high = found.interval["false_alarm_rate"]
    assert low <= np.mean(alarms) <= high


def test_thresholding_is_measured_as_the_networks_are(given, study):
    labels = given.evidence.images.labels
    calls, scores = given.compared[THRESHOLDING, ""][0]
    found = study.baseline(THRESHOLDING)
    assert found.figures.mean("auc") == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert found.figures.mean("accuracy") == pytest.approx(metrics.accuracy_score(labels, calls))
    assert found.figures.mean("recall") == pytest.approx(metrics.recall_score(labels, calls))
    assert found.figures.std("recall") == 0
    assert set(found.figures.by_defect) == {"D1", "D2", "D3"}
    assert found.operating == ()
    part = given.evidence.folds[0][0]
    assert found.figures.folds[0].accuracy == pytest.approx(metrics.accuracy_score(labels[part], calls[part]))


def test_frozen_features_are_measured_once_for_the_weights_that_several_start_from():
    given = study_sample.made((("adam", "none"), ("adam", "imagenet"), ("sgd", "imagenet")), **FEW)
    found, labels = given.study(), given.evidence.images.labels
    assert [one.frozen for one in found.configurations] == [None, *["resnet18-imagenet"] * 2]
    assert [(each.kind, each.name) for each in found.baselines] == [(THRESHOLDING, ""), (FROZEN, "resnet18-imagenet")]
    calls, scores = given.compared[FROZEN, "resnet18-imagenet"][0]
    figures = found.baselines[1].figures
    assert figures.mean("accuracy") == pytest.approx(metrics.accuracy_score(labels, calls))
    assert figures.mean("auc") == pytest.approx(metrics.roc_auc_score(labels, scores))
    # By the rule of the study, on the other folds.
    rule, right = given.evidence.rules[1], 0
    for part in given.evidence.folds[0]:
        others = np.setdiff1d(np.arange(len(labels)), part)
        right += ((scores[part] >= rule.chosen(labels[others], scores[others])) == labels[part]).sum()
    by_rule = found.baselines[1].operating[1].figures.repeats[0]
    assert by_rule.accuracy == pytest.approx(right / len(labels))


def test_a_repeat_without_a_fold_has_no_figures(given, study):
    unit = "resnet18-adam-none/repeat1/fold3/hard1"
    some = left(given, unit)
    some.failures = {unit: (Attempt("diverged", "first"), Attempt("died", "memory"))}
    found = some.study()
    whole, pruned = found.configurations[0].stages
    assert whole == study.configurations[0].stages[0]
    complete = study.configurations[0].stages[1].figures.repeats[0]
    assert pruned.figures.repeats == (complete, None)
    assert pruned.figures.mean("auc") == complete.auc and pruned.figures.std("auc") is None
    assert pruned.missing == 1
    assert found.failures == (results.Failure(unit, 2, "died: memory"),)


def test_nothing_is_made_up_where_nothing_is_complete(given):
    for stage in left(given, *given.evidence.records).study().configurations[0].stages:
        assert stage.figures == score_results.Figures((None, None))
        assert stage.figures.mean("accuracy") is None and stage.figures.std("accuracy") is None
        assert (stage.interval, stage.operating, stage.missing) == ({}, (), 10)
        assert {stage.params, stage.macs, stage.operations, stage.change, stage.mask_difference} == {None}
    without = [name for name in given.evidence.records if name.endswith("baseline")]
    pruned = left(given, *without).study().configurations[0].stages[1]
    assert pruned.figures.mean("accuracy") > 0
    assert pruned.change is None


def replaced(given, unit: str, **changes) -> study_sample.Made:
    records = given.evidence.records | {unit: dataclasses.replace(given.evidence.records[unit], **changes)}
    return dataclasses.replace(given, evidence=dataclasses.replace(given.evidence, records=records))


def test_records_that_are_not_of_this_study_are_refused(given):
    unit = "resnet18-adam-none/repeat0/fold0/baseline"
    scores = given.evidence.records[unit].scores
    other = given.evidence.records["resnet18-adam-none/repeat0/fold1/baseline"].held_out
    for changes, message in (
        ({"held_out": other}, f"{unit}: its record is of other folds"),
        ({"scores": (float("nan"), *scores[1:])}, f"{unit}: its scores are not finite"),
        ({"scores": scores[1:]}, f"{unit}: its scores are .*not one per image"),
        ({"metrics": None}, f"{unit}: its scores are .*without metrics"),
    ):
        with pytest.raises(WoolError, match=message):
            replaced(given, unit, **changes).study()


def test_settings_and_data():
    found = study_sample.sample(recipes=(("adam", "none"), ("sgd", "none")), **FEW)
    assert found.settings == study_sample.config("adam", "none", **FEW)
    rows = dict(provenance.settings(found).rows)
    assert (rows["optimizer"], rows["depth"], rows["weights"]) == ("adam, sgd", "18", "none")
    assert not found.optimistic and study_sample.sample(recipes=ONE, select="best", **FEW).optimistic
    assert found.data.group_by == "sample"
    assert (found.data.images, found.data.defective, found.data.groups, found.data.sound) == (240, 90, 60, 150)
    assert found.seconds == 10.0 * 2 * 2 * 2 * 5
    assert (found.commits, found.processors) == (("abc123",), ("one (avx2)",))


def wrong(share: float) -> int:
    return round(IMAGES * (1 - share / 100))


def of_the_paper(recipes, monkeypatch) -> Study:
    """A study of records that are wrong as often as the paper's networks were."""
    monkeypatch.setattr(bootstrap, "draw", functools.partial(bootstrap.draw, draws=3))
    # Most of a minute for so many images, and no table tells of it.
    monkeypatch.setattr(study_sample, "_search", lambda *images: [])
    images = study_sample.dataset(samples=IMAGES // 2, per_sample=2)
    labels, parts = images.labels, [np.array_split(np.arange(IMAGES), 2)] * 3
    configs, records = [], {}
    for depth, optimizer, pretrained in recipes:
        settings = {"depth": depth, "folds": 2, "repeats": 3, "controls": ()}
        one = study_sample.config(optimizer, "imagenet" if pretrained else "none", **settings)
        configs.append(one)
        for stage in one.stages:
            key = depth, optimizer, pretrained
            mean, spread = paper.BASELINE[key] if stage == "baseline" else (paper.pruned_accuracy(*key, stage), 0)
            # The standard deviation of m − s, m, m + s is s.
            for repeat, share in enumerate((mean - spread, mean, mean + spread)):
                right = np.arange(IMAGES) >= wrong(share)
                scores = np.where(right == (labels == 1), 0.9, 0.1)
                for fold, part in enumerate(parts[repeat]):
                    found = study_sample.record(stage, np.array([0, 1]), np.arange(2), np.array([0.1, 0.9]))
                    found = dataclasses.replace(
                        found, held_out=tuple(part.tolist()), scores=tuple(scores[part].tolist())
                    )
                    records[f"{one.configuration}/repeat{repeat}/fold{fold}/{stage}"] = found
    return study_sample.Made(configs, Evidence(images, parts, records, ()), {}, {}).study()


@pytest.mark.parametrize(
    "recipes", [((18, "adam", False), (34, "sgd", True)), ((101, "adam", False), (152, "sgd", False))]
)
def test_accuracies_of_the_paper_make_the_tables_of_the_paper(recipes, monkeypatch):
    if not TABLES.exists():
        pytest.skip(f"the paper's tables are not here ({TABLES})")
    found = export.to_csv(of_the_paper(recipes, monkeypatch))
    for name in ("table1.csv", "table2.csv"):
        with open(TABLES / name, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        chosen = [row for row in rows if (int(row[0]), row[1], row[2] == "1") in recipes]
        assert list(csv.reader(io.StringIO(found[name]))) == [header, *chosen]
