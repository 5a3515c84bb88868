"""Tables of quality, and how things are named, against cells written by hand."""

import dataclasses

import pytest

from study_sample import configuration, figures, stage, written
from wool_tf.evaluation.bootstrap import DefectRecall
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.pruning.importance import MEASURES
from wool_tf.report import delivered_model as delivered_tables
from wool_tf.report import naming, page, paper, paper_tables, provenance, quality, size
from wool_tf.report.tables import Table
from wool_tf.study import results
from wool_tf.study.score_results import FROZEN, THRESHOLDING, Baseline, OperatingPoint
from wool_tf.training.config import IMPORTANCES, TrainingConfig

TABLES = (
    paper_tables.table1,
    paper_tables.table2,
    quality.quality,
    quality.by_defect,
    quality.operating,
    quality.confusion,
    quality.summary,
    size.size,
    paper_tables.table3,
    size.removal,
    provenance.data,
    provenance.folds,
    provenance.settings,
    provenance.environment,
)
OF_A_DELIVERY = (size.latency, delivered_tables.quantisation, delivered_tables.files, delivered_tables.mistakes)
FLATTERED = (*TABLES[:7], size.removal)


def of_the_paper() -> results.Study:
    """A study with the figures of the paper itself, in an order that is not the paper's."""
    found = []
    for (depth, optimizer, pretrained), (mean, spread) in reversed(paper.BASELINE.items()):
        pruned = zip(paper.PRUNED_STAGES, paper.PRUNED[depth, optimizer, pretrained], strict=True)
        stages = [stage("baseline", mean / 100, spread / 100)]
        stages += [stage(name, value / 100, change=(value - mean) / 100) for name, value in pruned]
        weights = "imagenet" if pretrained else "none"
        found.append(configuration(*stages, depth=depth, optimizer=optimizer, weights=weights))
    return written(*found)


def test_table_1_by_hand():
    study = written(configuration(stage("baseline", 0.98125, 0.0025)))
    assert paper_tables.table1(study).rows == (
        ("ResNet-18, Adam, from scratch", "98.12", "0.25", "–", "96.9–98.9", "2 of 2"),
        ("– the paper", "98.08", "0.24", "–", "–", "–"),
        ("– difference (points)", "+0.04", "–", "–", "–", "–"),
    )
    (row,) = paper_tables.table1(written(configuration(stage("baseline", None), weights="own.safetensors"))).rows
    assert row == ("ResNet-18, Adam, from own.safetensors", "–", "–", "–", "–", "0 of 2")
    assert "the images in data/crops" in paper_tables.table1(study).note


def test_table_2_by_hand():
    changed = stage("hard1", 0.9666, change=-0.0134), stage("hard2", 0.98, change=0.0), stage("asfp10", None)
    table = paper_tables.table2(written(configuration(stage("baseline", 0.98), *changed)))
    assert table.header == ("Network", "Baseline", "Round 1", "Round 2", "ASFP 10 %")
    assert table.rows == (
        ("ResNet-18, Adam, from scratch", "98.00", "96.66 (−1.34)", "98.00 (0.00)", "–"),
        ("– the paper", "98.08", "98.16 (+0.08)", "98.12 (+0.04)", "96.91 (−1.17)"),
        ("– difference (points)", "−0.08", "−1.50", "−0.12", "–"),
    )
    assert paper_tables.table2(written(configuration(stage("baseline", 0.98)))) is None


def test_table_2_says_by_what_filters_were_ranked():
    study = written(configuration(stage("baseline", 0.98), stage("hard1", 0.97)))
    for measure in IMPORTANCES:
        words = MEASURES[measure].words
        ranked = dataclasses.replace(study.settings, importance=measure)
        told = (
            "here by L1 norms, as in the paper." if measure == "l1" else f"here by {words}; the paper goes by L1 norms."
        )
        assert told in paper_tables.table2(dataclasses.replace(study, settings=ranked)).text


def test_a_change_that_is_not_the_difference_of_its_columns_is_explained():
    incomplete = stage("hard1", 0.96, change=-0.01, missing=1)
    table = paper_tables.table2(written(configuration(stage("baseline", 0.98), incomplete)))
    assert table.rows[0][2] == "96.00 (−1.00)"
    assert "the change is that of the repeats which both stages have" in table.note
    whole = dataclasses.replace(incomplete, missing=0)
    assert "both stages" not in paper_tables.table2(written(configuration(stage("baseline", 0.98), whole))).note


def test_the_papers_own_figures_differ_by_nothing():
    rows = paper_tables.table2(of_the_paper()).rows
    assert rows[::3] == tuple((ours[0], *papers[1:]) for ours, papers in zip(rows[::3], rows[1::3], strict=True))
    assert {cell for row in rows[2::3] for cell in row[1:]} == {"0.00"}
    by_name = {row[0]: row[1:] for row in rows[::3]}
    assert by_name["ResNet-34, SGD, pretrained"][3] == "79.35 (−19.09)"
    assert by_name["ResNet-152, SGD, from scratch"][3] == "95.19 (+12.30)"
    assert by_name["ResNet-50, Adam, pretrained"][2] == "98.37 (0.00)"
    assert {row[1] for row in paper_tables.table1(of_the_paper()).rows[2::3]} == {"0.00"}


def test_controls_by_hand():
    names = ("baseline", "hard1", "hard3", "random1", "random3", "scratch3")
    stages = [stage(name, 0.99 - 0.01 * number) for number, name in enumerate(names)]
    name = "ResNet-18, Adam, from scratch"
    assert quality.controls(written(configuration(*stages))).rows == (
        (name, "Hard pruning, round 1", "98.0\u00a0±\u00a00.0", "96.0\u00a0±\u00a00.0", "–"),
        (name, "Hard pruning, round 3", *(f"{share}\u00a0±\u00a00.0" for share in ("97.0", "95.0", "94.0"))),
    )
    assert quality.controls(written(configuration(*stages[:3]))) is None


def test_defects_by_hand():
    kinds = {"D1": DefectRecall(30, 0.9), "D2": DefectRecall(4, 0.25)}
    simple = Baseline(THRESHOLDING, "", figures(0.7, by_defect={"D1": DefectRecall(30, 0.5)}))
    table = quality.by_defect(written(configuration(stage("baseline", 0.9, by_defect=kinds)), baselines=(simple,)))
    assert table.header[1:] == ("D1 melt drops (30)", "D2 binder lump (4)")
    assert table.rows == (("Thresholding, without a network", "50.0", "–"), ("Baseline", "90.0", "25.0"))
    assert quality.by_defect(written(configuration(stage("baseline", 0.9)))) is None


def test_operating_points_by_hand():
    point = OperatingPoint(ThresholdRule(recall=0.99), 0.2345, figures(0.985))
    one = configuration(stage("baseline", 0.975, operating=(point,)))
    simple = Baseline(THRESHOLDING, "", figures(0.7))
    rows = quality.operating(written(one, baselines=(simple,))).rows
    # False alarms are counted from the confusion: 3 of 100.
    assert rows == (
        ("Thresholding, without a network", "its own limits", "–", "70.0", "3.0", "90.0", "70.0"),
        ("Baseline", "0.5", "0.500", "97.5", "3.0", "90.0", "97.5"),
        ("Baseline", "recall ≥ 0.99", "0.234", "98.5", "3.0", "90.0", "98.5"),
    )
    (_, counts, _) = quality.confusion(written(one, baselines=(simple,))).rows
    assert counts == ("Baseline", "0.5", "98", "2", "97", "3")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (ThresholdRule(recall=0.95), "recall ≥ 0.95"),
        (ThresholdRule(cost_ratio=2.5), "a miss costs 2.5 false alarms"),
        (ThresholdRule(cost_ratio=1), "a miss costs 1 false alarm"),
        (ThresholdRule(threshold=0.25), "given: 0.25"),
    ],
)
def test_rules_are_named_after_what_is_asked(rule, words):
    assert naming.rule(rule) == words


@pytest.mark.parametrize("build", (*TABLES, *OF_A_DELIVERY))
def test_tables_are_rectangular_and_explained(build, compared, delivered):
    for study in (delivered,) if build in OF_A_DELIVERY else (compared, delivered):
        table = build(study)
        assert isinstance(table, Table)
        assert len(table.align) == len(table.header) > 1
        assert set(table.align) <= {"l", "r"}
        assert table.rows
        for row in table.rows:
            assert len(row) == len(table.header)
            assert all(isinstance(cell, str) and cell for cell in row)
        assert table.title
        assert table.text.endswith(".")


@pytest.mark.parametrize("build", FLATTERED)
def test_the_best_epoch_is_called_optimistic_wherever_it_flatters(build, compared):
    assert "ptimistic" not in str(build(compared))
    flattered = dataclasses.replace(compared, settings=dataclasses.replace(compared.settings, select="best"))
    table = build(flattered)
    assert "optimistic" in table.title
    assert table.note.startswith("Optimistic")


def test_the_page_has_every_table():
    listed = [build for _, builders in page.SECTIONS for build in builders]
    assert set(TABLES) - {quality.summary} <= set(listed)
    assert set(OF_A_DELIVERY) <= set(listed)


def test_a_study_without_a_delivery_has_no_tables_of_one(compared):
    assert [build(compared) for build in OF_A_DELIVERY] == [None] * 4


def test_frozen_features_stand_beside_thresholding_and_are_told_apart(compared):
    titles = ["Thresholding, without a network", "Logistic regression on frozen features of ResNet-18, pretrained"]
    assert [row[0] for row in quality.summary(compared).rows][:2] == titles
    assert [row[0] for row in quality.by_defect(compared).rows][:2] == titles
    first = next(one for one in compared.configurations if one.frozen)
    other = dataclasses.replace(first, weights="/w/mine.pth", frozen="resnet18-mine", name="other")
    theirs = dataclasses.replace(compared.baseline(FROZEN, first.frozen), name="resnet18-mine")
    more = dataclasses.replace(
        compared,
        configurations=(*compared.configurations, other),
        baselines=(*compared.baselines, theirs),
    )
    assert naming.baseline_title(more, theirs) == f"{titles[1]} (mine.pth)"
    assert [row[0] for row in quality.summary(more).rows][:3] == [*titles, f"{titles[1]} (mine.pth)"]


def test_weights_of_a_file_that_are_imagenets_stand_beside_the_papers():
    stages = stage("baseline", 0.98), stage("hard1", 0.97, change=-0.01)
    one = configuration(*stages, weights="/weights/mine.pth", pretrained=True)
    ours, papers, _ = paper_tables.table1(written(one)).rows
    assert ours[0] == "ResNet-18, Adam, pretrained" and papers[:3] == ("– the paper", "98.33", "0.27")
    assert paper_tables.table2(written(one)).rows[1] == ("– the paper", "98.33", "98.58 (+0.25)")
    for build in (paper_tables.table1, paper_tables.table2):
        assert "Pretrained by a file: mine.pth, which has a head of 1000 classes" in build(written(one)).note
    assert paper_tables.table2(written(one)).rows[0][0] == "ResNet-18, Adam, pretrained"
    assert "Pretrained by a file" not in paper_tables.table1(written(configuration(*stages, weights="imagenet"))).note
    # Of another file nobody knows what it is.
    (row,) = paper_tables.table1(written(configuration(*stages, weights="/weights/mine.pth"))).rows
    assert row[0] == "ResNet-18, Adam, from mine.pth"


def test_two_pretrained_networks_are_told_apart():
    one = configuration(stage("baseline", 0.98), weights="imagenet")
    other = configuration(stage("baseline", 0.97), weights="/w/mine.pth", pretrained=True)
    study = written(one, other)
    assert [row[0] for row in paper_tables.table1(study).rows[::3]] == [
        naming.label(study, each) for each in study.configurations
    ]
    assert [naming.label(study, each) for each in study.configurations] == [
        "ResNet-18, Adam, pretrained", "ResNet-18, Adam, pretrained (mine.pth)"
    ]  # fmt: skip


def test_the_key_stages_do_not_depend_on_the_order_of_the_rates():
    rates = [stage(name, 0.9) for name in ("asfp5", "asfp30", "asfp12.5", "asfp10")]
    one = configuration(stage("baseline", 0.98), stage("hard1", 0.97), stage("hard2", 0.96), *rates)
    assert [each.name for each in naming.key(written(one), one)] == ["baseline", "hard2", "asfp30"]


def test_the_key_stages_of_a_delivery_are_the_unpruned_the_final_and_its_int8(delivered):
    assert [each.name for each in naming.key(delivered, delivered.configurations[0])] == [
        "baseline", "hard3", "hard3-int8"
    ]  # fmt: skip


GONE = {"layer1": 0.1, "layer1.0.conv1": 0.1, "layer2": 0.36, "layer2.0.conv1": 0.2, "layer3": 0.36, "layer4": 0.512}


def test_shares_of_trunks_and_the_ends_of_the_others():
    whole = stage("baseline", 0.99, removed=dict.fromkeys(GONE, 0.0))
    pruned = stage("hard1", 0.98, removed=GONE, before_finetuning=0.84)
    table = size.removal(written(configuration(whole, pruned)))
    name = "Hard pruning, round 1"
    assert table.rows == ((name, "–", "10.0", "36.0", "36.0", "51.2", "10.0–20.0", "84.0", "98.0"),)
    assert size.removal(written(configuration(whole))) is None


def test_a_bottleneck_network_has_a_stem_of_its_own_and_equal_shares_are_one_number():
    one = stage("asfp30", 0.9, removed=dict.fromkeys(["conv1", *GONE], 0.3))
    table = size.removal(written(configuration(stage("baseline", 0.9), one)))
    assert table.rows[0][1:7] == ("30.0", "30.0", "30.0", "30.0", "30.0", "30.0")


def test_the_papers_shares_of_table_3():
    stages = stage("baseline", 0.98), stage("hard1", 0.97, params=400, operations=1650), stage("asfp10", 0.9)
    study = written(configuration(*stages), settings=TrainingConfig(recipe="paper-table3"))
    name = "ResNet-18, Adam, from scratch"
    # By hand: 4.8 of 12 million, and 1.0 of 1.8 billion.
    assert paper_tables.table3(study).rows == (
        (f"{name}: parameters", "1.00 k", "400 (40.0 %)", "1.00 k (100.0 %)"),
        ("– the paper", "12 M", "4.8 M (40.0 %)", "–"),
        ("– difference (points)", "–", "0.0", "–"),
        (f"{name}: operations", "3.00 k", "1.65 k (55.0 %)", "3.00 k (100.0 %)"),
        ("– the paper", "1.8 G", "1 G (55.6 %)", "–"),
        ("– difference (points)", "–", "−0.6", "–"),
    )
    otherwise = written(configuration(*stages), settings=TrainingConfig(recipe="paper-text"))
    assert [row[0] for row in paper_tables.table3(otherwise).rows] == [f"{name}: parameters", f"{name}: operations"]
    assert paper_tables.table3(written(configuration(stages[0]))) is None


def in_pytorch(*stages, **changes):
    """A study of PyTorch's, in which the network is called as ours."""
    given = {"out": "runs/pt", "command": "python experiments/pytorch_kfold.py --data=data/crops"} | changes
    return written(configuration(*stages), **given)


def test_values_of_another_framework_stand_below_those_of_the_paper():
    recipe = TrainingConfig(recipe="paper-table3")
    ours = stage("baseline", 0.98), stage("hard1", 0.97, change=-0.01, params=400), stage("asfp10", 0.9, change=-0.08)
    theirs = stage("baseline", 0.985, 0.002), stage("hard1", 0.975, change=-0.01, params=410, operations=1500)
    study, other = written(configuration(*ours), settings=recipe), in_pytorch(*theirs, settings=recipe)
    first, second, third = (
        build(study, other) for build in (paper_tables.table1, paper_tables.table2, paper_tables.table3)
    )
    assert first.rows[3:] == (
        ("– PyTorch", "98.50", "0.20", "–", "97.3–99.3", "2 of 2"),
        ("– difference (points)", "−0.50", "–", "–", "–", "–"),
    )
    assert second.rows[3:] == (
        ("– PyTorch", "98.50", "97.50 (−1.00)", "–"),
        ("– difference (points)", "−0.50", "−0.50", "–"),
    )
    assert third.rows[3:5] == (
        ("– PyTorch", "1.00 k", "410 (41.0 %)", "–"),
        ("– difference (points)", "0.00", "−1.00", "–"),
    )
    assert third.rows[8:] == (
        ("– PyTorch", "3.00 k", "1.50 k (50.0 %)", "–"),
        ("– difference (points)", "0.00", "+50.00", "–"),
    )
    for table in (first, second, third):
        assert "PyTorch: the networks of runs/pt;" in table.note
    # A page of PyTorch's run has ours below its own, and one beside a run of its own framework neither.
    assert paper_tables.table1(other, study).rows[3][:2] == ("– Keras", "98.00")
    for build in page.OF_TWO_RUNS:
        assert build(study, study) == build(study, None) == build(study)
    elsewhere = dataclasses.replace(other, configurations=(configuration(*theirs, optimizer="sgd"),))
    assert paper_tables.table2(study, elsewhere).rows == paper_tables.table2(study).rows


def test_predicted_times_and_widths_of_a_network_that_was_pruned_to_a_time():
    whole = stage("baseline", 0.98, predicted_ms=4.417, widths={"layer1": 64, "layer1.0.conv1": 64})
    pruned = stage("hard1", 0.97, predicted_ms=1.032, widths={"layer1": 16, "layer1.0.conv1": 48})
    by_time = TrainingConfig(recipe="latency", latency_table="times.json", target_ratio=0.5)
    given = {"settings": by_time, "predicted_on": "a slide rule, LiteRT 0, 1 thread"}
    study = written(configuration(whole, pruned), **given)
    table = size.size(study)
    assert table.header[-1] == "Predicted (ms)" and [row[-1] for row in table.rows] == ["4.42", "1.03"]
    assert table.note.endswith("by the times of single convolutions on a slide rule, LiteRT 0, 1 thread.")
    assert size.widths(study).header == ("Channel group", "Unpruned", "Round 1")
    assert size.widths(study).rows == (("layer1", "64", "16 (75.0)"), ("layer1.0.conv1", "64", "48 (25.0)"))
    assert "millisecond" in size.widths(study).text
    # Of a single network filters are told whatever the recipe, and a round without a result has a dash.
    lacking = stage("hard2", None, widths={})
    table = size.widths(written(configuration(whole, pruned, lacking), settings=TrainingConfig(recipe="paper-text")))
    assert table.rows[0] == ("layer1", "64", "16 (75.0)", "–") and "millisecond" not in table.text
    two = configuration(whole, pruned), configuration(whole, pruned, optimizer="sgd")
    assert size.widths(written(*two, settings=TrainingConfig(recipe="paper-text"))) is None
    assert size.widths(written(configuration(whole), settings=TrainingConfig(recipe="paper-text"))) is None


def test_latency_is_told_against_the_first_row_and_doubts_stand_below(delivered):
    rows = size.latency(delivered).rows
    assert rows[0][3] == rows[0][-1] == "1.00×"
    assert (rows[-1][3], rows[-1][-1]) == ("31.9×", "10.0×")
    doubtful = dataclasses.replace(delivered.delivery, latency_warnings=("the CPU reached 85 °C", "a.tflite: slow"))
    note = size.latency(dataclasses.replace(delivered, delivery=doubtful)).note
    assert note.endswith(" doubtful: the CPU reached 85 °C; a.tflite: slow.")


def test_every_mistake_of_the_delivered_rule_is_listed_the_surest_first(delivered):
    stage_ = delivered.delivered.int8_stage
    rows = delivered_tables.mistakes(delivered).rows
    metrics = stage_.operating[0].figures.repeats[0]
    assert len(rows) == metrics.missed + metrics.false_alarms
    assert sum(row[1] == "missed" for row in rows) == metrics.missed
    apart = [abs(float(row[4]) - float(row[5])) for row in rows]
    assert apart == sorted(apart, reverse=True)
