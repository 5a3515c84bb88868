"""What a search may try."""

import dataclasses

import pytest

from wool_tf.errors import WoolError
from wool_tf.search import space
from wool_tf.training.config import TrainingConfig


def test_every_name_is_a_setting():
    assert set(space.SPACE) <= {field.name for field in dataclasses.fields(TrainingConfig)}


@pytest.mark.parametrize("stage", TrainingConfig().stages)
def test_the_defaults_are_in_the_space(stage):
    for name, values in space.resolve(TrainingConfig(), stage).items():
        assert getattr(TrainingConfig(), name) in values, name


def test_only_what_a_stage_depends_on_is_searched_for():
    common = {"adam_learning_rate", "batch_size", "weight_decay", "schedule"}
    assert set(space.resolve(TrainingConfig(), "baseline")) == common | {"epochs"}
    hard = {"epochs", "finetune_epochs", "finetune_factor", "importance", "distillation"}
    assert set(space.resolve(TrainingConfig(), "hard2")) == common | hard
    assert set(space.resolve(TrainingConfig(asfp_rates=(0.125,)), "asfp12.5")) == common | {
        "asfp_epochs",
        "finetune_factor",
    }
    assert "sgd_learning_rate" in space.resolve(TrainingConfig(optimizer="sgd"), "baseline")


def test_ranges_lie_around_what_is_given():
    found = space.resolve(TrainingConfig(epochs=5, adam_learning_rate=0.5), "baseline")
    assert (found["epochs"].low, found["epochs"].high) == (3, 10)
    assert found["adam_learning_rate"].low == pytest.approx(0.05)
    assert found["adam_learning_rate"].high == pytest.approx(5)
    assert space.resolve(TrainingConfig(epochs=1), "baseline")["epochs"].low == 1


def test_only_the_stages_that_lead_to_it_are_left():
    base = TrainingConfig(rounds=3, asfp_rates=(0.1, 0.3), controls=("random",))
    assert space.restricted(base, "hard2").stages == ("baseline", "hard1", "hard2")
    assert space.restricted(base, "baseline").stages == ("baseline",)
    assert space.restricted(base, "asfp30").final == "asfp30"


@pytest.mark.parametrize(
    ("given", "stage", "line"),
    [
        ({}, "hard4", "stage=hard4: the stages of this run are baseline, hard1, hard2, hard3, asfp30"),
        ({"controls": ("random",)}, "random1", "stage=random1: is a control"),
        ({"batch_size": 8}, "hard3", "batch_size=8: the search begins with it, so it must be one of 16, 32, 64"),
        ({"finetune_factor": 2.0}, "hard3", "finetune_factor=2: the search begins with it, so it must be 0.1 to 1"),
        ({"adam_learning_rate": 2.0}, "hard3", "adam_learning_rate=2: the search tries 0.2 to 20"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(given, stage, line):
    with pytest.raises(WoolError) as refused:
        space.resolve(TrainingConfig(**given), stage)
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)
