"""The paper's claims, each with a verdict of the study."""

import math

import numpy as np

from study_sample import configuration, figures, stage, written
from wool_board import mcnemar
from wool_tf.evaluation import mover, paired_comparison
from wool_tf.report import claims, paper
from wool_tf.study.score_results import THRESHOLDING, Baseline


def claim(study) -> dict[str, tuple[str, str]]:
    """Of a study of one network: by claim what the records say, and the verdict."""
    return {told: (here, held) for told, held, here, _ in claims.claims(study).rows}


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


def test_networks_are_named_where_there_are_several():
    two = [configuration(stage("baseline", 0.99), optimizer=optimizer) for optimizer in ("adam", "sgd")]
    found = claims.claims(written(*two))
    assert found.header[:3] == ("Network", "Claim of the paper", "Verdict")
    assert [row[0] for row in found.rows] == ["ResNet-18, Adam, from scratch", "ResNet-18, SGD, from scratch"]


def test_a_claim_that_was_not_tested_says_what_would_test_it():
    only = claim(written(configuration(stage("baseline", 0.99))))
    untested = [told for told, (_, held) in only.items() if held == claims.NOT_RUN]
    assert len(untested) == 4 and "hard pruning costs at most 1.34 points of accuracy" in untested
    half = claim(written(configuration(stage("baseline", 0.99), stage("hard1", 0.98, change=-0.01))))
    here, held = half["hard pruning retains accuracy better than ASFP"]
    assert (here, held) == ("needs both in one run", "not run")
    assert [held for _, held in half.values()].count("not run") == 1


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
    rows = {told: (reported, held) for told, held, _, reported in claims.claims(study).rows}
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
        # 1.2 times what thresholding finds is 0.96; the interval of the ratio holds 1.2 or not.
        more, told = found["finds 20 % more defective products than thresholding"]
        low, high = (100 * (end - 1) for end in mover.ratio(0.98, ends["recall"], 0.8, around["recall"]))
        assert more == f"+22.5 % (98.0 against 80.0 %), 95 %: +{low:.1f} % to +{high:.1f} %"
        assert told == ("holds" if low >= 20 else "cannot be told")


def test_where_thresholding_may_find_nothing_the_gain_has_no_upper_end():
    whole = stage("baseline", 0.98, interval={"accuracy": (0.97, 0.99), "recall": (0.97, 0.99)})
    simple = Baseline(THRESHOLDING, "", figures(0.1), {"accuracy": (0.0, 0.2), "recall": (0.0, 0.2)})
    more, told = claim(written(configuration(whole), baselines=(simple,)))[
        "finds 20 % more defective products than thresholding"
    ]
    assert more.endswith(" % or more") and told == "holds"


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


def test_an_interval_needs_no_exact_test(delivered, monkeypatch):
    expected = claim(delivered)
    monkeypatch.setattr(mcnemar, "p_value", None)
    assert claim(delivered) == expected


def test_hard_pruning_and_asfp_are_compared_image_by_image(delivered):
    here, told = claim(delivered)["hard pruning retains accuracy better than ASFP"]
    stages = delivered.configurations[0].stages
    by_hard = min((each for each in stages if each.name in ("hard1", "hard2", "hard3")), key=lambda each: each.change)
    by_asfp = min((each for each in stages if each.name.startswith("asfp")), key=lambda each: each.change)
    truth = np.array([one.label == 1 for one in delivered.held_out])
    groups = np.array([one.group for one in delivered.held_out])
    calls = [np.array(each.scores) >= 0.5 for each in (by_asfp, by_hard)]
    found = paired_comparison.compare(truth, groups, *calls)
    low, high = found.interval
    ends = " to ".join(f"{100 * end:+.2f}".replace("-", "−").replace("+0.00", "0.00") for end in (low, high))
    assert here.endswith(f" points, 95 %: {ends}")
    assert told == ("cannot be told" if low <= 0 <= high else "holds" if low > 0 else "does not hold")


def test_what_is_said_of_the_paper_itself_is_in_its_tables():
    note = claims.claims(written(configuration(stage("baseline", 0.99)))).note
    assert "falls by 19.09 points in round 3, to 79.35 %" in note
    assert "ResNet-34 keeps 2.3 % after round 3 and ResNet-18 7.5 %" in note
    assert paper.PRUNED[34, "sgd", True][2] == 79.35
