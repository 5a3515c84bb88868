"""The findings of a report in sentences, and what speaks against its figures."""

import dataclasses

from study_sample import configuration, stage, written
from wool_tf.report import findings
from wool_tf.study.image_results import ImageCounts
from wool_tf.study.results import Failure
from wool_tf.training.config import TrainingConfig


def test_sentences_name_the_best_network_and_what_pruning_costs(compared):
    best, others, hard, asfp, spread, papers = findings.sentences(compared)
    assert best.startswith("The best of 2 unpruned networks, ResNet-18, SGD, pretrained, judges ")
    assert "other networks" in others
    one = next(one for one in compared.configurations if one.optimizer == "sgd")
    change = 100 * (one.stage("hard3").figures.mean("accuracy") - one.baseline.figures.mean("accuracy"))
    assert hard.startswith("Hard pruning, round 3, leaves 11.9 % of its parameters")
    assert f"by −{-change:.2f} percentage points" in hard
    assert asfp.startswith("ASFP, 30 %, leaves 49.3")
    assert spread.startswith("Over all networks")
    assert papers.startswith("The paper reports 98.92")


def test_sentences_of_a_delivery_name_size_and_speed(delivered):
    found = findings.sentences(delivered)
    assert any("“compact int8” is 31.9× smaller and 10.0× faster: 0.510 ms per image" in one for one in found)


def test_equals_of_the_best_are_told():
    one, near, far = (configuration(stage("baseline", share)) for share in (0.98, 0.975, 0.90))
    assert findings.sentences(written(one, near, far))[1].startswith("The accuracy of 1 of the 2 other networks lies")
    assert "lie below that interval" in findings.sentences(written(one, far, far))[1]
    assert findings.sentences(written(configuration(stage("baseline", None)))) == [
        "No network has a complete repeat yet, so there is nothing to report."
    ]


def test_what_speaks_against_the_figures():
    stages = stage("baseline", 0.4, missing=3), stage("hard1", 0.85), stage("random1", 0.1)
    stages = [dataclasses.replace(one, figures=dataclasses.replace(one.figures, repeats=one.figures.repeats[:1]))
              for one in stages]  # fmt: skip
    whole = written(configuration(*stages))
    data = dataclasses.replace(whole.data, groups=12, grouped=False, group_by="scan", skipped=("a", "b"))
    failures = tuple(Failure(f"u{number}", 2, "") for number in range(5))
    folds = ((ImageCounts(200, 100, 6), ImageCounts(200, 100, 6)),)
    found = findings.warnings(
        dataclasses.replace(whole, data=data, failures=failures, folds=folds, settings=TrainingConfig(select="best"),
                            commits=("abc", "def"), processors=("slow one (avx2)", "slow one (avx2), a GPU"))
    )  # fmt: skip
    begins = (
        "Run with --select=best",
        "No manifest says",
        "The folds keep only each scan together (--group_by=scan)",
        "The records were made with 2 versions of the code (abc, def)",
        "The records were computed on 2 kinds of processors (slow one (avx2); slow one (avx2), a GPU)",
        "There are only 12 physical samples",
        "Bad images that were left out: 2 (a; b)",
        "There is only one repeat",
        "Folds without a result: 3",
        "Failed trainings: 5 (u0; u1; u2 and 2 more)",
        "No better than always giving the more frequent answer, right for 50.0 % of the images: "
        "Baseline (optimistic: best epoch).",
        "At the threshold 0.5, more than 10 % of the defective images are missed by Hard pruning, round 1",
    )
    assert len(found) == len(begins)
    for warning, begin in zip(found, begins, strict=True):
        assert warning.startswith(begin)


def test_a_sound_study_has_no_warnings():
    good = stage("baseline", 0.98)
    good = dataclasses.replace(good, figures=dataclasses.replace(good.figures, repeats=good.figures.repeats[:1] * 5))
    assert findings.warnings(written(configuration(good))) == []


def test_that_something_simpler_does_as_well_is_said_first(compared):
    assert not any("Thresholding" in one or "frozen" in one for one in findings.warnings(compared))
    above = compared.configurations[0].baseline.figures
    simple = [dataclasses.replace(each, figures=above) for each in compared.baselines]
    found = findings.warnings(dataclasses.replace(compared, baselines=tuple(simple)))
    accuracy = 100 * above.mean("accuracy")
    assert found[0].startswith(f"Thresholding, without a network, judges {accuracy:.1f} % of the images correctly")
    assert found[1].startswith("Logistic regression on frozen features of ResNet-18, pretrained, judges ")
    assert found[2].startswith(
        "Training gained no accuracy, for logistic regression on frozen features of the initial "
    )
    assert "ResNet-18, SGD, pretrained: Baseline" in found[2] and "from scratch" not in found[2]


def test_lines_for_a_terminal(delivered):
    lines = findings.closing(delivered)
    assert lines[0].startswith(
        "Fit for use: By the delivered rule for the threshold, 2 of 90 defective images would pass unseen"
    )
    assert lines[-1].strip() == "python tflite/classify.py runs/x/model/compact-int8.tflite NEW_CROPS --csv"
    assert sum("at the threshold 0.5" in line for line in lines) == len(delivered.configurations[0].stages)
    assert "1 false alarms" not in " ".join(lines)
