"""The sentences of a report, what speaks against it, the verdict, and the paper's claims."""

import dataclasses
import math

import numpy as np
import pytest

from study_sample import configuration, delivered, figures, made, stage, written
from wool_tf.evaluation import paired_comparison
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.report import advice, claims, findings, paper
from wool_tf.report.error_rates import per_thousand
from wool_tf.report.verdict import COMPARED, EQUALLED, FIT, NOT_FIT, UNKNOWN, smallest, verdict
from wool_tf.study.board_results import Advantage
from wool_tf.study.image_results import ImageCounts
from wool_tf.study.results import Failure
from wool_tf.study.score_results import FROZEN, THRESHOLDING, Baseline, OperatingPoint


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
    folds = ((ImageCounts(200, 0, 6), ImageCounts(200, 200, 6)),)
    found = findings.warnings(
        dataclasses.replace(whole, data=data, failures=failures, folds=folds, settings={"select": "best"},
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
        "Held-out fold 1 has no defective image",
        "Held-out fold 2 has no non-defective image",
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


def changed(study, **changes):
    """The study with another delivery."""
    return dataclasses.replace(study, delivery=dataclasses.replace(study.delivery, **changes))


def with_point(study, point: OperatingPoint):
    """The study with other figures of the int8 file by the delivered rule."""
    one = study.configurations[0]
    stages = [dataclasses.replace(each, operating=(point,)) if each.int8 else each for each in one.stages]
    return dataclasses.replace(study, configurations=(dataclasses.replace(one, stages=tuple(stages)),))


def test_a_model_that_beats_what_is_simpler_is_fit(delivered):
    found = verdict(delivered)
    assert found.kind == FIT
    assert "it spares" in found.reasons[1] and "interval" in found.reasons[1]


def test_no_model_is_recommended_where_something_simpler_is_as_good(delivered):
    for advantage in (
        Advantage(THRESHOLDING, "", 0.0, (-9.0, 9.0)),
        Advantage(FROZEN, "resnet18-imagenet", -9.0, (-19.0, -1.0)),
    ):
        found = verdict(changed(delivered, advantages=(advantage,)))
        assert found.kind == NOT_FIT
        assert "is as good or better" in found.reasons[0]
        assert found.command.startswith("python experiments/search.py --data=data/campaign")


def test_commands_read_the_images_as_the_study_did(delivered):
    """And search with its settings."""
    named = "--defective_label=bad", "--bits=12", "--on_bad_image=skip"
    study = dataclasses.replace(
        delivered,
        command="python experiments/reproduce.py --data=data/campaign --out runs/x --defective_label bad --bits=12 "
        "--on_bad_image=skip --image_size=64",
        settings=delivered.settings | {"image_size": 64, "epochs": 6, "repeats": 2},
    )
    worse = changed(study, advantages=(Advantage(THRESHOLDING, "", -1.0, (-9.0, 9.0)),))
    search = verdict(worse).command
    assert all(flag in search for flag in (*named, "--image_size=64", "--epochs=6")) and "--repeats" not in search
    assert all(flag in " ".join(advice.converting(study)) for flag in named)
    one = study.configurations[0]
    assert all(flag in advice.delivering(study, one, one.stages[0]) for flag in named)


def test_a_network_that_only_equals_something_simpler_is_recommended_for_its_speed_alone(delivered):
    """Frozen features are simpler to train, but a board would have to compute all of the unpruned network."""
    tie = Advantage(FROZEN, "resnet18-imagenet", -1.0, (-9.0, 9.0))
    beaten = Advantage(THRESHOLDING, "", 20.0, (5.0, 35.0))
    found = verdict(changed(delivered, advantages=(beaten, tie)))
    whole, pruned = (delivered.configurations[0].stage(name).macs for name in ("baseline", "hard3"))
    assert found.kind == EQUALLED
    assert "is as good, as far as these images tell" in found.reasons[0]
    assert found.reasons[0].endswith("take the pruned one where that is too slow, and not for its accuracy.")
    assert f"{whole / pruned:.1f} times the multiply-accumulates" in found.reasons[0]
    assert "Against thresholding" in found.reasons[2] and len(found.reasons) == 3
    # Not where thresholding is in doubt, nor where the network is no cheaper.
    assert (
        verdict(changed(delivered, advantages=(dataclasses.replace(beaten, interval=(-5.0, 45.0)), tie))).kind
        == UNKNOWN
    )
    one = delivered.configurations[0]
    same = [dataclasses.replace(each, macs=one.stages[0].macs) for each in one.stages]
    costly = dataclasses.replace(delivered, configurations=(dataclasses.replace(one, stages=tuple(same)),))
    assert verdict(changed(costly, advantages=(beaten, tie))).kind == NOT_FIT


def test_that_few_images_tell_no_difference_makes_no_equal(delivered):
    beaten = Advantage(THRESHOLDING, "", 200.0, (150.0, 250.0))
    for spared, kind in ((-1.0, NOT_FIT), (1.0, UNKNOWN)):
        wide = Advantage(FROZEN, "resnet18-imagenet", spared, (-60.0, 60.0))
        assert verdict(changed(delivered, advantages=(beaten, wide))).kind == kind


def test_the_difference_to_an_equal_is_told_with_its_interval(delivered):
    tie = Advantage(FROZEN, "resnet18-imagenet", -4.0, (-18.0, 12.0))
    beaten = Advantage(THRESHOLDING, "", 20.0, (5.0, 35.0))
    told = verdict(changed(delivered, advantages=(beaten, tie))).reasons[0]
    assert "the network makes 4 more false alarms, a miss counting as 3, of 1000 images" in told
    assert "(95 % interval 12 fewer to 18 more)" in told


def test_figures_that_are_too_good_recommend_nothing(delivered):
    leaking = dataclasses.replace(
        delivered,
        data=dataclasses.replace(delivered.data, group_by="scan"),
        command="python experiments/reproduce.py --group_by scan --out 'runs/a b' --epochs=6",
        out="runs/a b",
    )
    assert verdict(leaking).kind == UNKNOWN and "too good" in verdict(leaking).reasons[0]
    assert verdict(leaking).command == (
        "python experiments/reproduce.py --epochs=6 --group_by=sample '--out=runs/a b-sample'"
    )
    chosen = dataclasses.replace(delivered, settings=delivered.settings | {"select": "best"})
    assert verdict(chosen).kind == UNKNOWN and "--select=last" in verdict(chosen).command
    unlisted = dataclasses.replace(delivered, data=dataclasses.replace(delivered.data, grouped=False))
    assert verdict(unlisted).kind == FIT and "no manifest" in verdict(unlisted).reasons[-1]


def test_random_weights_are_told_to_start_from_imagenets():
    study = delivered(frozen=False)
    found = verdict(changed(study, advantages=(Advantage(THRESHOLDING, "", -1.0, (-9.0, 9.0)),)))
    assert found.kind == NOT_FIT and "--weights=imagenet" in found.command


def test_an_advantage_that_may_be_chance_asks_for_more_samples(delivered):
    found = verdict(changed(delivered, advantages=(Advantage(THRESHOLDING, "", 10.0, (-10.0, 30.0)),)))
    assert found.kind == UNKNOWN
    # Half of the width is twice the advantage: four times the 60 samples.
    assert "about 240 in all" in found.advice
    assert found.command.endswith("--out=runs/x-more")


def test_few_samples_say_nothing(delivered):
    few = dataclasses.replace(delivered, data=dataclasses.replace(delivered.data, groups=19))
    assert verdict(few).kind == UNKNOWN and "19 physical samples" in verdict(few).reasons[0]


def test_few_defective_images_ask_for_more_samples_than_there_are(delivered):
    data = dataclasses.replace(delivered.data, defective=10)
    sizes = tuple(dataclasses.replace(size, defective=2) for size in delivered.folds[0])
    found = verdict(dataclasses.replace(delivered, data=data, folds=(sizes,)))
    # 10 defective images of 60 samples: 20 are of 120.
    assert found.kind == UNKNOWN and "about 120 in all" in found.advice


def test_a_given_threshold_is_not_said_to_come_from_folds():
    study = delivered(rule=ThresholdRule(threshold=0.5))
    assert "at the threshold 0.5, which was given" in per_thousand(study).text
    assert "other folds" not in per_thousand(study).text


def test_no_error_is_not_told_as_none_possible():
    note = per_thousand(delivered(separation=40.0)).note
    # 0.05^(1/60) = 0.951.
    assert "every one of the 60 samples were of that class, up to 49 of 1000" in note


def test_guessing_is_not_fit(delivered):
    # 150 of the 240 images are sound.
    point = OperatingPoint(delivered.delivery.rule, 0.5, figures(150 / 240))
    found = verdict(with_point(delivered, point))
    assert found.kind == NOT_FIT and "no better than always giving the more frequent answer" in found.reasons[0]


@pytest.mark.parametrize(("high", "kind"), [(0.94, NOT_FIT), (0.97, UNKNOWN)])
def test_a_recall_that_was_asked_for_and_is_not_reached(high, kind):
    study = delivered(rule=ThresholdRule(recall=0.95))
    measured = figures(0.92)
    found = verdict(with_point(study, OperatingPoint(study.delivery.rule, 0.5, measured, {"recall": (0.88, high)})))
    assert found.kind == kind and "A recall of 95.0 % was asked for" in found.reasons[0]


def test_accuracy_that_int8_costs_is_not_fit(delivered):
    one = delivered.configurations[0]
    better = figures(one.stage("hard3-int8").figures.mean("accuracy") + 0.011)
    stages = [dataclasses.replace(each, figures=better) if each.name == "hard3" else each for each in one.stages]
    study = dataclasses.replace(delivered, configurations=(dataclasses.replace(one, stages=tuple(stages)),))
    found = verdict(study)
    assert found.kind == NOT_FIT and "Conversion to int8 lowers accuracy" in found.reasons[0]
    assert "--precisions=qat" in found.command


def test_of_networks_that_cannot_be_told_apart_the_smallest_is_recommended():
    stages = stage("baseline", 0.98), stage("hard1", 0.97, params=500), stage("hard2", 0.96, params=300)
    study = written(configuration(*stages))
    # The interval of the best one begins at 96.8 %.
    assert smallest(study)[1].name == "hard1"
    assert verdict(study).kind == COMPARED
    assert "--final=hard1" in verdict(study).command and "--image_size" not in verdict(study).command
    settings = {"select": "last", "image_size": 112, "epochs": 6, "repeats": 10, "folds": 5, "latency_table": ""}
    found = verdict(dataclasses.replace(study, settings=settings, out="runs/a b"))
    assert found.command == (
        "python experiments/reproduce.py --data=data/crops --depth=18 --optimizer=adam --weights=none --final=hard1 "
        "--asfp_rates= --image_size=112 --epochs=6 --folds=5 '--out=runs/a b-delivered'"
    )
    # Of those that a baseline does not equal the smallest, though smaller ones lie within the interval, too.
    between = dataclasses.replace(study, baselines=(Baseline(THRESHOLDING, "", figures(0.975)),))
    assert smallest(study, 0.975)[1].name == "baseline" and "--final=baseline" in verdict(between).command
    simple = Baseline(THRESHOLDING, "", figures(0.99))
    found = verdict(dataclasses.replace(study, baselines=(simple,), settings={"weights": ["none", "imagenet"]}))
    assert found.kind == COMPARED and "is as good or better" in found.reasons[0]
    assert "none of the networks is recommended" in found.reasons[0] and "search.py" in found.command
    assert "--weights=none" in found.command
    scans = dataclasses.replace(study, data=dataclasses.replace(study.data, group_by="scan"))
    assert "too good" in verdict(scans).reasons[0]
    empty = written(configuration(stage("baseline", None)))
    assert smallest(empty) is None and "No network" in verdict(empty).reasons[0]


def test_misses_and_false_alarms_of_a_thousand(delivered):
    rows = per_thousand(delivered).rows
    metrics = delivered.delivered.at_rule.figures.repeats[0]
    assert (
        rows[0][1] == f"{1000 * metrics.missed / 90:.0f}" and rows[0][3] == f"{1000 * metrics.false_alarms / 150:.0f}"
    )
    low, high = map(int, rows[0][2].split("–"))
    assert low <= int(rows[0][1]) <= high
    assert [row[0] for row in rows[1:]] == [
        "Thresholding, without a network", "Logistic regression on frozen features, without training"
    ]  # fmt: skip


def test_the_advantage_is_the_difference_of_the_costs():
    given = made(recipes=(("adam", "imagenet"),), rules=(ThresholdRule(cost_ratio=3.0),), int8=True, repeats=1,
                 controls=(), asfp_rates=(0.3,))  # fmt: skip
    study = delivered()
    labels, (calls, _) = given.evidence.images.labels, given.compared[THRESHOLDING, ""][0]
    ours = study.delivered.at_rule.figures.repeats[0]
    theirs = 3 * ((labels == 1) & (calls == 0)).sum() + ((labels == 0) & (calls == 1)).sum()
    found = study.delivery.advantages[0]
    assert found.spared == pytest.approx(1000 * (theirs - 3 * ours.missed - ours.false_alarms) / len(labels))
    assert found.interval[0] < found.spared < found.interval[1]


def claim(study) -> dict[str, tuple[str, str]]:
    return {row[1]: row[3:] for row in claims.claims(study).rows}


def test_the_papers_claims_by_hand():
    stages = (
        stage("baseline", 0.99),
        stage("hard1", 0.985, change=-0.005, params=400, operations=1350),
        stage("hard2", 0.996, change=0.006, params=150, operations=600, interval={"accuracy": (0.99, 1.0)}),
        stage("asfp10", 0.95, change=-0.04),
    )
    simple = Baseline(THRESHOLDING, "", figures(0.8))
    found = claim(written(configuration(*stages), baselines=(simple,)))
    assert found["more than 98 % accuracy with a pruned network"] == (
        "Hard pruning, round 2: 99.6 % (99.0–100.0)", "holds"
    )  # fmt: skip
    assert found["at least 16.96 points more accurate than thresholding"][1] == "holds"
    assert found["finds 20 % more defective products than thresholding"][0].startswith("+24.5 %")
    assert found["hard pruning costs at most 1.34 points of accuracy"] == ("−0.50 points", "holds")
    assert found["rounds leave 10 to 40 % of the parameters"] == ("15.0–40.0 %", "holds")
    assert found["rounds leave 10 to 45 % of the operations"] == ("20.0–45.0 %", "holds")
    assert found["hard pruning retains accuracy better than ASFP"][1] == "holds"


def test_claims_that_fail_or_cannot_be_told():
    stages = (
        stage("baseline", 0.99),
        stage("hard1", 0.975, change=-0.015, params=90, operations=290),
        stage("asfp10", 0.976, change=-0.014),
    )
    found = claim(written(configuration(*stages), baselines=(Baseline(THRESHOLDING, "", figures(0.9)),)))
    fails = "does not hold"
    assert [verdict for _, verdict in found.values()] == [
        "cannot be told", *[fails] * 3, *[f"{fails}, nor in the paper’s tables"] * 2, "cannot be told"
    ]  # fmt: skip


def test_the_papers_own_tables_stand_beside_its_claims():
    stages = stage("baseline", 0.99), stage("hard1", 0.9, change=-0.09, params=90, operations=1400)
    study = written(configuration(*stages, depth=34, optimizer="sgd", weights="imagenet"))
    rows = {row[1]: (row[2], row[4]) for row in claims.claims(study).rows}
    contradicted = "does not hold, nor in the paper’s tables"
    assert rows["hard pruning costs at most 1.34 points of accuracy"] == ("−19.09 points", contradicted)
    # Table III of ResNet-34: 5.3, 1.4 and 0.5 of 22 million parameters.
    assert rows["rounds leave 10 to 40 % of the parameters"] == ("2.3–24.1 %", contradicted)
    # 1.3, 0.62 and 0.35 of 3.7 billion operations: 9.46 % is not 10 %, and 46.7 % of the operations are too many.
    assert rows["rounds leave 10 to 45 % of the operations"] == ("9.5–35.1 %", contradicted)
    assert rows["more than 98 % accuracy with a pruned network"][0] == "79.35 %"


def test_a_gain_over_thresholding_within_chance_is_not_told():
    ends = {"accuracy": (0.97, 0.99), "recall": (0.97, 0.99)}
    stages = stage("baseline", 0.98, interval=ends), stage("hard1", 0.98, change=0.0, interval=ends)
    for lowest, expected in ((0.70, "cannot be told"), (0.79, "cannot be told"), (0.7999, "holds")):
        around = dict.fromkeys(("accuracy", "recall"), (lowest, 1.6 - lowest))
        simple = Baseline(THRESHOLDING, "", figures(0.8), around)
        found = claim(written(configuration(*stages), baselines=(simple,)))
        gain, told = found["at least 16.96 points more accurate than thresholding"]
        # By hand: √(1² + half²) on both sides.
        half = 100 * (0.8 - lowest)
        assert gain.endswith(f"95 %: +{18 - math.hypot(1, half):.2f} to +{18 + math.hypot(1, half):.2f}")
        assert told == expected


def test_losses_are_compared_image_by_image_where_images_are_known(delivered):
    found = claim(delivered)
    here, told = found["hard pruning costs at most 1.34 points of accuracy"]
    assert "95 %: " in here
    worst = min(delivered.configurations[0].stages[1:4], key=lambda each: each.change)
    truth = np.array([one.label == 1 for one in delivered.held_out])
    calls = [np.array(each.scores) >= 0.5 for each in (delivered.configurations[0].baseline, worst)]
    groups = np.array([one.group for one in delivered.held_out])
    low, high = paired_comparison.compare(truth, groups, *calls).interval
    assert told == ("holds" if low >= -0.0134 else "does not hold" if high < -0.0134 else "cannot be told")


def test_what_is_said_of_the_paper_itself_is_in_its_tables():
    note = claims.claims(written(configuration(stage("baseline", 0.99)))).note
    assert "falls by 19.09 points in round 3, to 79.35 %" in note
    assert "ResNet-34 keeps 2.3 % after round 3 and ResNet-18 7.5 %" in note
    assert paper.PRUNED[34, "sgd", True][2] == 79.35
