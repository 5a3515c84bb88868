"""Cells, tables and findings, against numbers worked out by hand or counted from the scores."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_sample import AT, sample, with_frozen_features

from wool_tf.report import baselines, cells, delivered, findings, tables

BUILDERS = (
    tables.summary,
    tables.data,
    tables.folds,
    tables.accuracy,
    tables.by_defect,
    tables.complexity,
    delivered.decisions,
    delivered.confusion,
    delivered.quantisation,
    delivered.files,
    tables.latency,
    tables.settings,
    tables.environment,
)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (cells.significant(0.51), "0.510"),
        (cells.significant(5.1), "5.10"),
        (cells.significant(188.7), "189"),
        (cells.significant(1886.8), "1887"),
        (cells.significant(0), "0"),
        (cells.count(11170114), "11.2 M"),
        (cells.count(1.82e9), "1.82 G"),
        (cells.count(812, "B"), "812 B"),
        (cells.count(0, "B"), "0 B"),
        (cells.count(44712345, "B"), "44.7 MB"),
        (cells.percent(0.9501, 0.0123), "95.0\u00a0±\u00a01.2"),
        (cells.percent(1.0), "100.0"),
        (cells.decimals(0.98765, 0.001), "0.988\u00a0±\u00a00.001"),
        (cells.tiny(1.23e-6), "1.2e-6"),
        (cells.tiny(0), "0"),
        (cells.ratio(44.0, 2.0), "22.0×"),
        (cells.ratio(1.0, 0.0), cells.MISSING),
        (cells.duration(512.3), "8 min 32 s"),
        (cells.duration(59.7), "1 min 0 s"),
        (cells.duration(7322), "2 h 2 min"),
        (cells.plain([0.3, 0.3]), "0.3, 0.3"),
        (cells.plain(False), "False"),
        (cells.plain(0), "0"),
        (cells.plain([]), cells.MISSING),
    ],
)
def test_cells(cell, expected):
    assert cell == expected


@pytest.mark.parametrize("value", [None, math.nan])
def test_unknown_values_are_a_dash(value):
    for form in (cells.significant, cells.count, cells.percent, cells.decimals, cells.tiny, cells.duration):
        assert form(value) == cells.MISSING
    assert cells.ratio(value, 1.0) == cells.ratio(1.0, value) == cells.MISSING


@given(st.floats(1e-9, 1e12))
def test_three_significant_digits_are_enough(value):
    assert float(cells.significant(value)) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("document", [sample(), sample(stages=("baseline",), folds=1), sample(separation=1.0)])
def test_tables_are_rectangular_and_explained(build, document):
    table = build(document)
    assert len(table.align) == len(table.header) > 1
    assert set(table.align) <= {"l", "r"}
    for row in table.rows:
        assert len(row) == len(table.header)
        assert all(isinstance(cell, str) and cell for cell in row)
    assert table.title
    assert table.text.endswith(".")


@pytest.mark.parametrize("build", BUILDERS)
def test_nothing_known_makes_no_table(build):
    assert build({}) is None
    assert build(dict.fromkeys(sample())) is None


def test_stages_without_figures_stay_in_the_tables():
    document = sample(stages=("baseline",))
    document["stages"][0] |= dict.fromkeys(("mean", "std", "folds", "params", "macs", "params_share", "macs_share"))
    document["stages"][0] |= {"repeats": None, "decided": None}
    assert tables.accuracy(document).rows[1][:6] == ("Baseline", *[cells.MISSING] * 5)
    assert [row[0] for row in delivered.confusion(document).rows] == [baselines.THRESHOLDING]
    assert delivered.decisions(document) is None


def test_confusion_counts_the_out_of_fold_scores():
    document = sample(separation=1.5)
    table = delivered.confusion(document)
    titles = ["Baseline", "Hard pruning, round 3", "Hard pruning, round 3, int8"]
    assert [row[0] for row in table.rows] == [baselines.THRESHOLDING, *(title for title in titles for _ in range(2))]
    ways = [(stage, at) for stage in ("baseline", "hard3", "hard3-int8") for at in (("0.5", 0.5), ("by the rule", AT))]
    for (stage, (name, at)), row in zip(ways, table.rows[1:], strict=True):
        pairs = [(score["label"], int(score[stage] >= at)) for score in document["scores"]]
        assert row[1] == name
        assert row[2:] == tuple(str(pairs.count(pair)) for pair in ((1, 1), (1, 0), (0, 0), (0, 1)))


def test_the_paper_stands_beside_its_own_recipe_only():
    document = sample()
    table = tables.accuracy(document)
    assert table.header[-1] == "Paper’s accuracy (%)"
    assert [row[-1] for row in table.rows[1:]] == ["98.08", "98.16", "98.12", "98.50", "96.91", "96.45", "94.05", "–"]
    assert "cannot be compared one to one" in table.note
    document["settings"]["optimizer"] = "lion"
    assert "Paper’s accuracy (%)" not in tables.accuracy(document).header


def test_the_papers_shares_of_table_3():
    document = sample()
    assert not any("Paper" in name for name in tables.complexity(document).header)
    document["settings"]["recipe"] = "paper-table3"
    rows = {row[0]: row[-2:] for row in tables.complexity(document).rows}
    assert rows["Baseline"] == ("100", "100")
    assert rows["Hard pruning, round 1"] == ("40", "56")
    assert rows["ASFP, 10 %"] == ("–", "–")


def test_latency_is_told_against_the_first_row():
    rows = tables.latency(sample()).rows
    assert rows[0][3] == rows[0][-1] == "1.00×"
    assert rows[2][3] == "31.9×"
    assert rows[2][-1] == "10.0×"


def test_the_delivered_model_is_not_taken_for_a_test():
    document = sample()
    assert delivered.quantisation(document).header == ("Property", "Held-out folds", "Delivered model")
    assert "trained on all images" in delivered.quantisation(document).note
    del document["final"]["delivered"]
    assert delivered.quantisation(document).header == ("Property", "Held-out folds")
    assert "trained on all images" not in delivered.quantisation(document).note


def test_a_final_baseline_is_compared_with_its_int8():
    document = sample(stages=("baseline", "hard1"))
    document["final"]["stage"] = "baseline"
    document["stages"].append(document["stages"][0] | {"stage": "baseline-int8", "title": "Baseline, int8"})
    assert list(tables.key_stages(document)) == ["baseline", "int8"]


def test_a_good_run_has_no_warnings():
    assert findings.warnings(sample()) == []


def test_poor_recall_is_told_with_its_worst_fold():
    document = sample(separation=0.8)
    folds = [fold["confusion"][1] for fold in document["stages"][0]["folds"]]
    missed = [100 * fold[0] / sum(fold) for fold in folds]
    expected = f"{sum(missed) / 3:.1f} % of the defective images ({max(missed):.1f} % in the worst fold) at the "
    (line,) = (line for line in findings.warnings(document) if line.startswith("Baseline misses"))
    assert line.startswith(f"Baseline misses {expected}threshold 0.5, and ")


@pytest.mark.parametrize(("defective", "word"), [(0, "no defective"), (60, "no non-defective")])
def test_folds_of_one_class_are_told(defective, word):
    document = sample()
    document["folds"][1]["defective"] = defective
    assert any("fold 2" in warning and word in warning for warning in findings.warnings(document))


def test_an_accuracy_of_the_majority_is_told():
    document = sample()
    document["data"] |= {"defective": 2, "non_defective": 178}
    assert sum("no better than always giving" in warning for warning in findings.warnings(document)) == 2


def test_losses_in_int8_and_timing_are_told():
    document = sample()
    document["stages"][-1]["mean"]["recall"] -= 0.02
    document["final"]["check"]["agreement"] = 0.95
    document["latency_warnings"] = ["other programs kept 1.5 of 2 cores busy"]
    lowered, disagreeing, timing = findings.warnings(document)
    assert lowered.startswith("Conversion to int8 lowers recall at the threshold 0.5 from 97.8 to")
    assert "5.0 % of the held-out images" in disagreeing
    assert timing == "Timing: other programs kept 1.5 of 2 cores busy"


def test_sentences_name_size_and_speed():
    found = findings.sentences(sample())
    assert len(found) == 5
    assert "keeps 11.9\u00a0% of its parameters and 13.4\u00a0% of its arithmetic" in found[1]
    assert "31.9× smaller and 10.0× faster" in found[4]
    assert findings.sentences({}) == []


def test_tables_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        tables.data(sample()).title = "other"


def test_thresholding_stands_beside_the_networks():
    document = sample()
    mean = document["thresholding"]["mean"]
    # Wrong about one image in four, and these are all of one class.
    assert mean["accuracy"] == pytest.approx(0.75)
    for build in (tables.summary, tables.accuracy):
        first = build(document).rows[0]
        assert first[0] == baselines.THRESHOLDING
        assert first[1].startswith(f"{100 * mean['accuracy']:.1f}")
        assert first[2].startswith(f"{100 * mean['recall']:.1f}")
    assert tables.accuracy(document).rows[0][-1] == "76–82"


def told(rows, truth_and_calls):
    """A row's figures by counting: recall, false alarms, precision, accuracy."""
    pairs = list(truth_and_calls)
    found, alarms = pairs.count((1, 1)), pairs.count((0, 1))
    sound, defective = (sum(truth == kind for truth, _ in pairs) for kind in (0, 1))
    right = found + sound - alarms
    shares = found / defective, alarms / sound, found / (found + alarms), right / len(pairs)
    assert rows[2:] == tuple(f"{100 * share:.1f}" for share in shares)


def test_the_delivered_rule_stands_beside_the_threshold_of_the_paper():
    document = sample(separation=1.5)
    table = delivered.decisions(document)
    assert "a miss costs as much as 3 false alarms" in table.text
    assert "figures of the files of the folds" in table.note and "0.300 on the card" in table.note
    assert [row[0] for row in table.rows][::2] == [baselines.THRESHOLDING, *[row[0] for row in table.rows][1::2]]
    ways = [(stage, at) for stage in ("hard3", "hard3-int8") for at in (0.5, AT)]
    for row, (stage, at) in zip(table.rows[-4:], ways, strict=True):
        told(row, [(score["label"], int(score[stage] >= at)) for score in document["scores"]])
    shown = tables.summary(document).rows[-1]
    assert shown[0] == "Hard pruning, round 3, int8, at a threshold by the delivered rule"
    assert shown[1:3] == (table.rows[-1][-1], table.rows[-1][2])
    assert f"{table.rows[-1][2]}\u00a0% of the defective ones found" in findings.sentences(document)[3]


def test_every_network_has_one_accuracy():
    """At one threshold it is the same in every table: that of all held-out images together."""
    document = sample(separation=1.5)
    for stage in document["stages"]:
        right = [(row[stage["stage"]] >= 0.5) == row["label"] for row in document["scores"]]
        cells = [row[1] for build in (tables.summary, tables.accuracy) for row in build(document).rows
                 if row[0].split(" (")[0] == stage["title"]]  # fmt: skip
        cells += [row[-1] for row in delivered.decisions(document).rows if row[:2] == (stage["title"], "0.5")]
        assert set(cells) == {f"{100 * sum(right) / len(right):.1f}"}


@pytest.mark.parametrize(("separation", "better"), [(5.0, False), (0.5, True)])
def test_that_thresholding_does_as_well_is_said_first(separation, better):
    document = sample(separation=separation)
    at = {"thresholding": document["thresholding"]["mean"], "network": document["stages"][-1]["decided"]}
    assert (at["thresholding"]["accuracy"] >= at["network"]["accuracy"]) == better
    for lines in (findings.warnings(document), findings.closing(document)):
        said = [line.startswith("Thresholding, without a network, judges as many images") for line in lines]
        assert said[:1] == [True] if better else not any(said)
    assert findings.closing(document)[-1].startswith("At thresholds by the rule of the delivered model (a miss costs")
    if better:
        for found in at.values():
            assert f"{100 * found['accuracy']:.1f}\u00a0% of the held-out images" in findings.warnings(document)[0]


def test_thresholding_that_costs_less_is_told_though_it_errs_more():
    document = sample(separation=2.5)
    document["stages"][-1]["decided"] |= {"accuracy": 0.9, "confusion": [[88, 2], [16, 74]]}
    document["thresholding"] |= {"repeats": [{"confusion": [[58, 32], [0, 90]]}]}
    assert 32 < 2 + 16 * 3
    assert findings.warnings(document)[0].startswith("Thresholding, without a network, costs as little, a miss being")
    document["final"]["decision"]["asked"] |= {"cost_ratio": None, "recall": 0.8}
    assert not any("Thresholding, without" in line for line in findings.warnings(document))


def test_recall_by_type_of_defect():
    table = tables.by_defect(sample())
    assert table.header == ("Network", "D1 (20)", "D6 (10)")
    assert table.rows[0] == (baselines.THRESHOLDING, "75.0", "50.0")
    assert table.rows[1:3] == (("Baseline", "95.0", "90.0"), ("Baseline, by the delivered rule", "100.0", "90.0"))


def test_frozen_features_stand_beside_thresholding():
    document = with_frozen_features(sample())
    title = f"{baselines.FROZEN}, without training"
    for build in (tables.summary, tables.accuracy):
        first, second = build(document).rows[:2]
        assert (first[0], second[0], second[1]) == (baselines.THRESHOLDING, title, "80.0")
    assert tables.accuracy(document).rows[1][-1] == cells.MISSING
    assert tables.by_defect(document).rows[1:3] == (
        (title, "80.0", "70.0"), (f"{title}, by the delivered rule", "80.0", "70.0")
    )  # fmt: skip
    for build in (delivered.decisions, delivered.confusion):
        assert [row[:2] for row in build(document).rows[1:3]] == [(title, "0.5"), (title, "by the rule")]
    assert f"; {title[0].lower()}{title[1:]}: 80.0\u00a0% of the" in findings.sentences(document)[3]
    assert any(line.startswith(f"{title}: accuracy 0.800") for line in findings.closing(document))
    assert "Logistic" not in str([build(sample()) for build in BUILDERS])


@pytest.mark.parametrize(("wrong_in", "said"), [(5, False), (60, True)])
def test_a_network_that_frozen_features_beat_is_said_first_to_be_not_worth_its_training(wrong_in, said):
    document = with_frozen_features(sample(separation=3.5), wrong_in)
    assert (1 - 1 / wrong_in >= document["stages"][-1]["decided"]["accuracy"]) == said
    for lines in (findings.warnings(document), findings.closing(document)):
        assert lines[0].startswith("Logistic regression on frozen features, without training, judges as many") == said
        assert ("by that, the network is not worth its training" in lines[0]) == said
