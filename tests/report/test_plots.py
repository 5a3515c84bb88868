"""The plots: what they show, that they are whole SVG images, and that the same results give the same bytes."""

import copy
import dataclasses
import threading
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from test_quality import of_the_paper

from study_sample import configuration, stage, written
from wool_tf.networks.unit_records import History
from wool_tf.report import naming, plots, schedule_plots, score_plots, tradeoff_plots
from wool_tf.training.config import TrainingConfig

BUILDERS = (plots.verdict, plots.accuracy, plots.changes, plots.training, plots.latency, score_plots.roc,
            score_plots.precision_recall, score_plots.reliability, tradeoff_plots.parameters,
            tradeoff_plots.measured_time)  # fmt: skip


@pytest.mark.parametrize("build", BUILDERS)
def test_plots_are_svg_with_words_beside_them(build, delivered):
    plot = build(delivered)
    assert ElementTree.fromstring(plot.svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert plot.title and plot.text and plot.alt
    assert 300 < plot.width <= 44 * 16
    assert plot.uri.startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize("build", BUILDERS)
def test_the_same_results_give_the_same_bytes_under_any_style(build, delivered):
    first = build(delivered).svg
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "other", "axes.grid": True}):
        assert build(copy.deepcopy(delivered)).svg == first


def test_threads_get_the_same_bytes_and_leave_no_style_behind(delivered):
    expected, before, found = score_plots.roc(delivered).svg, dict(matplotlib.rcParams), []
    workers = [threading.Thread(target=lambda: found.append(score_plots.roc(delivered).svg)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 4
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("build", BUILDERS)
def test_nothing_complete_makes_no_plot(build):
    assert build(written(configuration(stage("baseline", None)))) is None


def test_a_study_that_delivers_nothing_has_no_plots_of_scores(compared):
    assert [build(compared) for build in (plots.verdict, score_plots.roc, plots.latency)] == [None] * 3
    # Of two networks the accuracies stand in tables.
    assert plots.accuracy(compared) is None


def test_the_area_in_words_is_that_of_the_scores(delivered):
    truth = [one.label for one in delivered.delivery.judged]
    for name in ("baseline", "hard3", "hard3-int8"):
        area = roc_auc_score(truth, [one.scores[name] for one in delivered.delivery.judged])
        assert f"area under the curve {area:.3f}" in score_plots.roc(delivered).alt


def test_the_first_figure_says_what_the_table_beside_it_says(delivered):
    metrics = delivered.delivered.at_rule.figures.repeats[0]
    missed, alarms = 1000 * metrics.missed / metrics.defective, 1000 * metrics.false_alarms / metrics.sound
    assert f"delivered: hard pruning, round 3, int8 {missed:.0f} and {alarms:.0f}" in plots.verdict(delivered).alt


def test_changes_stand_beside_the_papers(compared):
    one = next(one for one in compared.configurations if one.optimizer == "adam")
    plot = plots.changes(compared)
    assert f"ResNet-18, Adam, from scratch: H1 {naming.points(one.stages[1].change)}" in plot.alt
    # Drops as large as the paper's 19 points need a scale that keeps the small ones apart.
    plot = plots.changes(of_the_paper())
    assert "logarithmic" in plot.text
    assert "ResNet-34, SGD, pretrained: H1 −0.81, H2 −3.59, H3 −19.09, A10 +0.43" in plot.alt


def test_loss_curves_of_different_length():
    histories = tuple(History(loss, (1.0,) * len(loss), (0.1,) * len(loss)) for loss in ((0.8, 0.0, 0.2), (0.4, 0.0)))
    plot = plots.training(written(configuration(stage("baseline", 0.9, histories=histories))))
    # The mean of 0.8 and 0.4 in the first epoch, none in the second, 0.2 in the last.
    assert "Baseline from 0.600 to 0.200 in 2 epochs" in plot.alt
    zero = (History((0.0,), (1.0,), (0.1,)),)
    assert plots.training(written(configuration(stage("baseline", 0.9, histories=zero)))) is None
    one = (History((0.5,), (1.0,), (0.1,)),)
    assert plots.training(written(configuration(stage("baseline", 0.9, histories=one)))).svg


def test_aligned_masks_what_a_logarithm_cannot_show():
    aligned = plots._aligned([[1.0, 0.0, float("inf")], [2.0]])
    assert np.array_equal(aligned.mask, [[False, True, True], [False, True, True]])


def test_threads_are_named_where_they_differ(delivered):
    delivery = delivered.delivery
    rows = (*delivery.latency, dataclasses.replace(delivery.latency[-1], threads=2, p50_ms=0.3))
    study = dataclasses.replace(delivered, delivery=dataclasses.replace(delivery, latency=rows))
    alt = plots.latency(study).alt
    assert "compact int8, 2 threads" in alt and "round 1 float32, 1 thread 18.3 MB" in alt
    # What a network takes is of the fewest threads.
    assert "Hard pruning, round 3, int8 97.1 %, 0.510 ms" in tradeoff_plots.measured_time(study).alt


def test_accuracy_stands_against_the_time_of_every_network_that_was_timed(delivered):
    plot = tradeoff_plots.measured_time(delivered)
    one = delivered.configurations[0]
    for name, told in (("baseline", "5.10"), ("hard1", "2.90"), ("hard3", "1.02"), ("hard3-int8", "0.510")):
        accuracy = 100 * one.stage(name).figures.known_mean("accuracy")
        assert f"{one.stage(name).title} {accuracy:.1f} %, {told} ms" in plot.alt
    assert one.stage("hard2").title not in plot.alt
    untold = [dataclasses.replace(row, stage="") for row in delivered.delivery.latency]
    before = dataclasses.replace(delivered.delivery, latency=tuple(untold))
    assert tradeoff_plots.measured_time(dataclasses.replace(delivered, delivery=before)) is None


def test_networks_that_no_other_beats_are_joined():
    stages = [
        dataclasses.replace(stage("baseline", 0.95), operations=2_000_000_000),
        dataclasses.replace(stage("hard1", 0.96), operations=1_000_000_000),
        dataclasses.replace(stage("hard2", 0.90), operations=900_000_000),
        dataclasses.replace(stage("hard3", 0.94), operations=500_000_000),
    ]
    plot = tradeoff_plots.operations(written(configuration(*stages)))
    assert ElementTree.fromstring(plot.svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert plot.alt.count(" billion") == 4
    assert tradeoff_plots._front([(2, 95), (1, 96), (0.9, 90), (0.5, 94)]) == [(0.5, 94), (1, 96)]


def test_every_network_is_named_beside_its_point_or_below():
    stages = [stage(name, accuracy, params=params) for name, accuracy, params in (
        ("baseline", 0.96, 11_000_000), ("hard1", 0.95, 4_000_000), ("asfp30", 0.94, 5_000_000))]  # fmt: skip
    plot = tradeoff_plots.parameters(written(configuration(*stages)))
    # The image has what each text says in a comment.
    assert all(f"<!-- {name} -->" in plot.svg.decode() for name in ("Baseline", "Round 1", "ASFP 30 %"))
    assert "On the line" not in plot.text and "11.0 million" in plot.alt
    many = [configuration(*stages, optimizer=optimizer, weights=f"{n}.pth") for optimizer in ("adam", "sgd")
            for n in range(3)]  # fmt: skip
    plot = tradeoff_plots.parameters(written(*many))
    first = "ResNet-18, Adam, from 0.pth"
    assert plot.text.endswith(f"On the line, from the left: {first}, round 1; {first}, baseline.")
    assert "<!-- Round 1 -->" not in plot.svg.decode()


def test_networks_of_one_size_have_no_tradeoff():
    stages = [dataclasses.replace(stage(name, 0.95), operations=2_000_000_000) for name in ("baseline", "hard1")]
    assert tradeoff_plots.operations(written(configuration(*stages))) is None


def test_accuracy_against_predicted_time_has_the_networks_whose_time_is_known():
    stages = stage("baseline", 0.95, predicted_ms=4.0), stage("hard1", 0.94, predicted_ms=0.5), stage("hard2", 0.9)
    plot = tradeoff_plots.time(written(configuration(*stages)))
    assert plot.alt == ("Accuracy and predicted time: Baseline 95.0 %, 4.00 ms; Hard pruning, round 1 94.0 %, 0.500 ms")
    assert tradeoff_plots.time(written(configuration(stage("baseline", 0.95), stage("hard1", 0.9)))) is None


@pytest.mark.parametrize(("accuracy", "side"), [(0.99, 5), (0.97, 10), (0.91, 20), (0.8, 50), (0.6, 100)])
def test_the_corner_holds_the_marks_in_its_better_half(accuracy, side):
    # 3 false alarms of 100 sound images, whatever the accuracy, which is the recall of the sample.
    one = stage("baseline", accuracy)
    assert score_plots._corner([one], "recall") == side
    assert score_plots._corner([one], "false_alarm_rate") == 10
    assert score_plots._corner([one], "recall", "false_alarm_rate") == max(side, 10)


def test_a_corner_is_told(delivered):
    worst = max(100 - 100 * one.figures.mean("recall") for one in naming.key(delivered, delivered.configurations[0]))
    cut = "Only the upper left corner is drawn" in score_plots.roc(delivered).text
    assert cut == (score_plots._corner(naming.key(delivered, delivered.configurations[0]), "recall",
                                       "false_alarm_rate") < 100) and worst < 50  # fmt: skip


def test_scores_that_are_probabilities_have_no_gap(delivered):
    study = delivered
    name = study.delivered.int8_stage.name
    judged = tuple(
        dataclasses.replace(one, scores=one.scores | {name: float(one.label)}) for one in study.delivery.judged
    )
    exact = dataclasses.replace(study, delivery=dataclasses.replace(study.delivery, judged=judged))
    assert "The mean distance is 0.0 points" in score_plots.reliability(exact).text
    # Always surely wrong.
    judged = tuple(
        dataclasses.replace(one, scores=one.scores | {name: 1.0 - one.label}) for one in study.delivery.judged
    )
    wrong = dataclasses.replace(study, delivery=dataclasses.replace(study.delivery, judged=judged))
    distance = float(score_plots.reliability(wrong).text.split("distance is ")[1].split()[0])
    # The one group that holds both kinds is between.
    assert distance > 85


def test_the_papers_diamonds_are_named_only_where_there_are_some():
    stages = stage("baseline", 0.99), stage("hard1", 0.98, change=-0.01)
    for weights, named in (("imagenet", True), ("own.safetensors", False)):
        one = configuration(*stages, weights=weights)
        assert ("Diamonds" in plots.changes(written(one)).text) == named


def test_the_rate_of_asfp_is_three_quarters_of_its_goal_after_an_eighth_of_the_epochs():
    study = written(configuration(stage("baseline", 0.9), stage("asfp30", 0.9)))
    settings = TrainingConfig(asfp_rates=(0.2, 0.3), asfp_epochs=9, asfp_finetune_epochs=3)
    plot = schedule_plots.asfp_rates(dataclasses.replace(study, settings=settings))
    # By the publication P(N/8) = ¾ · goal, with N = 8 steps between 9 epochs.
    assert "ASFP 30 %: 0.0, 22.5, " in plot.alt and plot.alt.endswith(", 30.0 %") and "20 %" not in plot.alt
    assert ElementTree.fromstring(plot.svg).tag.endswith("svg") and "Dashed" in plot.text
    hard = written(configuration(stage("baseline", 0.9)))
    assert schedule_plots.asfp_rates(dataclasses.replace(hard, settings=settings)) is None
