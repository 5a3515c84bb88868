"""The answer that a report begins with."""

import dataclasses
import shlex

import pytest

from study_sample import configuration, delivered, figures, made, stage, written
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.naming import CropNaming
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.report import advice
from wool_tf.report.error_rates import per_thousand
from wool_tf.report.verdict import COMPARED, EQUALLED, FIT, NOT_FIT, UNKNOWN, ends, smallest, verdict
from wool_tf.study.board_results import Advantage
from wool_tf.study.image_results import HeldOutImage
from wool_tf.study.score_results import FROZEN, THRESHOLDING, Baseline, OperatingPoint
from wool_tf.training.config import TrainingConfig


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


@pytest.mark.parametrize("weights", ["imagenet", "none"])
def test_better_training_is_not_sought_by_a_measure_of_before(delivered, weights):
    one = dataclasses.replace(delivered.configurations[0], weights=weights)
    study = dataclasses.replace(
        delivered,
        command="python experiments/reproduce.py --data=data/campaign --importance=l1 --out=runs/x",
        configurations=(one,),
        settings=dataclasses.replace(delivered.settings, importance="l1"),
    )
    told, command = advice.better_training(study, one)
    assert "Filters were ranked by L1 norms; the command goes by how much the training loss" in told
    assert "importance" not in command
    told, _ = advice.better_training(dataclasses.replace(study, settings=delivered.settings), one)
    assert "ranked" not in told


def test_commands_read_the_images_as_the_study_did(delivered):
    """And search with its settings."""
    named = "--defective_label=bad", "--bits=12", "--on_bad_image=skip"
    study = dataclasses.replace(
        delivered,
        command="python experiments/reproduce.py --data=data/campaign --out runs/x --defective_label bad --bits=12 "
        "--on_bad_image=skip --image_size=64",
        settings=dataclasses.replace(delivered.settings, image_size=64, epochs=6, repeats=2),
    )
    worse = changed(study, advantages=(Advantage(THRESHOLDING, "", -1.0, (-9.0, 9.0)),))
    search = verdict(worse).command
    assert all(flag in search for flag in (*named, "--image_size=64", "--epochs=6")) and "--repeats" not in search
    assert all(flag in " ".join(advice.converting(study)) for flag in named)
    one = study.configurations[0]
    assert all(flag in advice.delivering(study, one, one.stages[0]) for flag in named)


def test_what_a_flagfile_says_of_the_images_goes_on_to_the_next_command(delivered):
    """As after a search, whose best.cfg has it."""
    reading = CropReading("skip", CropNaming("^(S[0-9]+)_", ("NG",), ("OK",)), 4095)
    command = "python experiments/reproduce.py --flagfile=runs/search/best.cfg"
    said = advice.converting(dataclasses.replace(delivered, command=command, reading=reading))
    named = {"--sample_from=^(S[0-9]+)_", "--defective_label=NG", "--non_defective_label=OK", "--on_bad_image=skip"}
    assert named | {"--white=4095"} <= set(said)


def test_a_network_that_only_equals_something_simpler_is_not_recommended(delivered):
    """Frozen features are simpler to train, but a board would have to compute all of the unpruned network."""
    tie = Advantage(FROZEN, "resnet18-imagenet", -1.0, (-9.0, 9.0))
    beaten = Advantage(THRESHOLDING, "", 20.0, (5.0, 35.0))
    found = verdict(changed(delivered, advantages=(beaten, tie)))
    whole, pruned = (delivered.configurations[0].stage(name).macs for name in ("baseline", "hard3"))
    assert found.kind == EQUALLED and found.kind.startswith("Not recommended")
    assert found.advice.startswith("If you need its speed, try it")
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


def test_commands_run_the_python_that_ran_the_study(delivered):
    private = dataclasses.replace(delivered, command=".venv/bin/python experiments/reproduce.py --data=data/campaign")
    one, here = private.configurations[0], ".venv/bin/python experiments/"
    assert verdict(private).command.startswith(".venv/bin/python tflite/classify.py ")
    assert advice.delivering(private, one, one.stages[0]).startswith(f"{here}reproduce.py ")
    assert advice.better_training(private, one)[1].startswith(f"{here}search.py ")
    assert shlex.join(advice.converting(private)).startswith(f"{here}convert.py ")
    unknown = dataclasses.replace(delivered, command="reproduce.py --data=crops")
    assert verdict(unknown).command.startswith("python tflite/classify.py ")


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
    chosen = dataclasses.replace(delivered, settings=dataclasses.replace(delivered.settings, select="best"))
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


def converted(delivered, before, after):
    """The study with these accuracies of the delivered network and of its int8 file."""
    one, named = delivered.configurations[0], {"hard3": figures(before), "hard3-int8": figures(after)}
    stages = [dataclasses.replace(each, figures=named.get(each.name, each.figures)) for each in one.stages]
    return dataclasses.replace(delivered, configurations=(dataclasses.replace(one, stages=tuple(stages)),))


@pytest.mark.parametrize("right", range(90, 100))
def test_a_loss_of_one_point_is_tolerated_whatever_rounding_makes_of_it(delivered, right):
    found = verdict(converted(delivered, (right + 1) / 100, right / 100))
    assert not any("Conversion" in reason for reason in found.reasons)


def test_accuracy_that_int8_costs_is_not_fit(delivered):
    found = verdict(converted(delivered, 0.961, 0.95))
    assert found.kind == NOT_FIT and "Conversion to int8 lowers accuracy" in found.reasons[0]
    assert "--precisions=qat" in found.command


def test_of_networks_that_cannot_be_told_apart_the_smallest_is_recommended():
    images = [HeldOutImage(f"{index}.png", index % 2, f"S{index % 50}") for index in range(400)]

    def judged(name: str, wrong, **changes):
        scores = [abs(one.label - 0.9 * (index in wrong)) for index, one in enumerate(images)]
        return stage(name, 1 - len(wrong) / len(images), scores=tuple(scores), **changes)

    # Round 1 has more errors, but not only: it mends two. Round 2 has hardly more, and mends none.
    stages = (judged("baseline", range(8)), judged("hard1", range(2, 14), params=500),
              judged("hard2", range(13), params=300))  # fmt: skip
    study = written(configuration(*stages), held_out=tuple(images))
    assert smallest(study)[1].name == "hard1"
    assert verdict(study).kind == COMPARED
    assert "--final=hard1" in verdict(study).command and "--image_size" not in verdict(study).command
    settings = TrainingConfig(image_size=112, epochs=6, repeats=10, folds=5)
    found = verdict(dataclasses.replace(study, settings=settings, out="runs/a b"))
    assert found.command == (
        "python experiments/reproduce.py --data=data/crops --depth=18 --optimizer=adam --weights=none --final=hard1 "
        "--asfp_rates= --image_size=112 --folds=5 --epochs=6 '--out=runs/a b-delivered'"
    )
    # Of those that a baseline does not equal the smallest, though smaller ones cannot be told from the best, either.
    between = dataclasses.replace(study, baselines=(Baseline(THRESHOLDING, "", figures(0.975)),))
    assert smallest(study, 0.975)[1].name == "baseline" and "--final=baseline" in verdict(between).command
    simple = Baseline(THRESHOLDING, "", figures(0.99))
    several = (*study.configurations, configuration(stage("baseline", 0.9), weights="imagenet"))
    found = verdict(dataclasses.replace(study, baselines=(simple,), configurations=several))
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


@pytest.mark.parametrize(
    ("spared", "told"),
    [
        ((-18, 12), "12 fewer to 18 more"),
        ((-12, 0), "0 to 12 more"),
        ((-12, -3), "3 to 12 more"),
        ((3, 12), "3 to 12 fewer"),
        ((0, 12), "0 to 12 fewer"),
    ],
)
def test_the_ends_of_an_interval_on_one_side_are_told_once(spared, told):
    assert ends(spared) == told
