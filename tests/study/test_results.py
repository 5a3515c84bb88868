"""Figures and counts of a study that are known, and those that are not."""

import pytest

import study_sample


def test_a_known_mean_is_the_mean_over_repeats():
    assert study_sample.figures(0.9, spread=0.02).known_mean("accuracy") == pytest.approx(0.9)


def test_a_known_mean_needs_a_complete_repeat():
    figures = study_sample.figures(None)
    assert figures.mean("accuracy") is None
    with pytest.raises(ValueError, match="accuracy: .* no repeat is complete"):
        figures.known_mean("accuracy")


def test_share_of_another_network_is_known_where_both_counts_are():
    whole, half = study_sample.stage("baseline", 0.9, params=1000), study_sample.stage("hard1", 0.9, params=500)
    unknown = study_sample.stage("hard1", None, params=None)
    assert half.share_of(whole, "params") == 0.5
    assert unknown.share_of(whole, "params") is None
    assert whole.share_of(unknown, "params") is None


def test_delivered_has_the_stages_before_and_after_conversion():
    study = study_sample.delivered(asfp_rates=())
    found = study.delivered
    assert (found.float_stage.name, found.int8_stage.name) == ("hard3", "hard3-int8")
    assert found.delivery is study.delivery
    assert found.at_rule.rule == study.delivery.rule
    assert study_sample.sample(recipes=study_sample.RECIPES[:1], asfp_rates=(), controls=()).delivered is None
