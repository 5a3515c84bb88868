"""The rounds that settings stand for, and every combination that is refused."""

import json
import types

import numpy as np
import pytest

import latency_tables
from wool_tf import records
from wool_tf.data.imaging import Imaging
from wool_tf.errors import BadSetting, WoolError
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import latency, latency_table, plan
from wool_tf.study import run_binding
from wool_tf.training import methods, recipes
from wool_tf.training.config import TrainingConfig

FULL = ResNetSpec.full(18, 2, (64, 64, 1))


@pytest.fixture
def table(tmp_path):
    return latency_tables.write(tmp_path / "t.json", FULL, latency_tables.in_steps(8))


def settings(table, **changes) -> TrainingConfig:
    given = {"recipe": "latency", "latency_table": str(table), "target_ratio": 0.1, "image_size": 64}
    return TrainingConfig(**given | changes)


def test_the_recipes_of_the_paper_are_the_same_in_every_round():
    given = {"recipe": "paper-text", "align": 8, "rounds": 2, "final": "baseline"}
    for measure in ("l1", "taylor"):
        found = recipes.of_rounds(TrainingConfig(importance=measure, **given))
        assert found == (plan.Recipe(0.3, importance=measure, align=8),) * 2


def test_the_last_round_meets_the_target_and_the_others_lie_evenly_between(table):
    known = latency_table.read(table)
    stages = {stage.name: stage for stage in methods.stages(settings(table, controls=("random", "scratch")))}
    whole = latency_table.predicted(FULL, known)
    for number in (1, 2, 3):
        ms = latency_table.predicted(stages[f"hard{number}"].spec, known)
        assert 0.9 * whole * 0.1 ** (number / 3) < ms <= whole * 0.1 ** (number / 3) * (1 + 1e-9)
        assert stages[f"random{number}"].spec == stages[f"hard{number}"].spec
    assert stages["scratch3"].spec == stages["hard3"].spec
    assert all(width % 8 == 0 for width in stages["hard3"].spec.widths)


def test_a_target_in_milliseconds_is_the_same_as_its_share(table):
    whole = latency_table.predicted(FULL, latency_table.read(table))
    by_ms = recipes.of_rounds(settings(table, target_ratio=None, target_ms=0.1 * whole))
    assert by_ms == recipes.of_rounds(settings(table))


def test_widths_follow_the_importance_of_the_initial_weights(table, tmp_path):
    arrays = weights.initial(FULL, 0)
    for conv in plan.writers(FULL, "layer3"):
        arrays[f"{conv.name}.weight"][64:] *= 1e-3
    weights.save(tmp_path / "w.safetensors", FULL, arrays)
    random = recipes.of_rounds(settings(table, target_ratio=0.5))[-1]
    told = recipes.of_rounds(settings(table, target_ratio=0.5, weights=str(tmp_path / "w.safetensors")))[-1]
    assert told.widths["layer3"] == 64 < random.widths["layer3"]


def test_other_weights_or_another_table_of_the_same_name_are_planned_anew(table):
    before = recipes.of_rounds(settings(table))
    latency_tables.write(table, FULL, latency_tables.in_steps(16))
    assert recipes.of_rounds(settings(table)) != before


def test_predictions_need_no_recipe_of_their_own(table):
    paper = TrainingConfig(latency_table=str(table), image_size=64)
    assert recipes.predicted_ms(paper, FULL) == latency_table.predicted(FULL, latency_table.read(table))
    assert recipes.predicted_ms(TrainingConfig(), FULL) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_ratio": None}, "target_ms and target_ratio: the recipe latency needs one of the two"),
        ({"target_ms": 1.0}, "target_ms and target_ratio: the recipe latency needs one of the two"),
        ({"latency_table": ""}, "latency_table: is missing; the recipe latency needs the table that"),
        ({"recipe": "paper-text"}, "target_ratio=0.1: is for the recipe latency, got paper-text"),
        ({"target_ratio": 1.0}, "target_ratio=1: must be above 0 and below 1"),
        ({"target_ratio": None, "target_ms": 0.0}, "target_ms=0: must be above 0 and finite"),
        ({"target_ratio": None, "target_ms": float("nan")}, "target_ms=nan: must be above 0 and finite"),
        ({"recipe": "fast"}, "recipe=fast: must be one of paper-text, paper-table3, latency"),
    ],
)
def test_settings_that_contradict_each_other(table, changes, message):
    with pytest.raises(BadSetting) as refused:
        settings(table, **changes)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_ratio": 1e-6}, "target_ratio=1e-06: must be below the unpruned network's "),
        (
            {"target_ratio": None, "target_ms": 1e3},
            "target_ms=1000: must be below the unpruned network's 164.1 ms, and",
        ),
        (
            {"image_size": 32},
            "latency_table: {table}: has no convolutions 7×7, stride 2, output 16×16; measure a table",
        ),
        ({"depth": 50}, "latency_table: {table}: has no convolutions 1×1, stride 1, output 16×16; measure a table"),
    ],
)
def test_settings_that_the_table_contradicts(table, changes, message):
    with pytest.raises(BadSetting) as refused:
        recipes.of_rounds(settings(table, **changes))
    assert str(refused.value).startswith(message.format(table=table))


def test_a_damaged_table_is_told_by_its_setting(table):
    table.write_text("{}")
    with pytest.raises(WoolError, match=rf"^latency_table: {table}: is no document of wool_tf, for it says no version"):
        recipes.table(settings(table))


def test_a_folder_is_bound_to_what_the_table_says_and_not_to_where_it_lies(table, tmp_path):
    moved = tmp_path / "other.json"
    moved.write_bytes(table.read_bytes())
    assert run_binding._binding(settings(table)) == run_binding._binding(settings(moved))
    moved.write_text(json.dumps(json.loads(moved.read_text()) | {"threads": 2}))
    assert run_binding._binding(settings(table)) != run_binding._binding(settings(moved))
    # With a recipe of the paper a table changes no network.
    assert run_binding._binding(TrainingConfig(latency_table=str(table))) == run_binding._binding(TrainingConfig())


def test_a_folder_is_bound_to_the_number_of_rounds_that_share_the_way_to_a_time(table, tmp_path):
    def claim(config):
        images = types.SimpleNamespace(fingerprint="f")
        crops = types.SimpleNamespace(native=images, imaging=Imaging(35))
        return run_binding.claim(tmp_path, run_binding.of([config], images, crops))

    def rounds(number, **changes):
        return settings(table, rounds=number, final="baseline", **changes)

    # Soft pruning alone leaves the number open.
    claim(rounds(0))
    claim(rounds(3))
    claim(rounds(0))
    for other in (2, 4):
        with pytest.raises(BadSetting, match=rf"^rounds={other}: the run in {tmp_path} has 3; choose another folder$"):
            claim(rounds(other))
    claim(rounds(3))
    # Of a folder that does not say it, nobody knows the widths.
    document = records.read(tmp_path / "run.json")
    del document["settings"]["rounds"]
    records.write(tmp_path / "run.json", document)
    with pytest.raises(BadSetting, match=r"^rounds=3: the run in .* does not say its own; choose another folder$"):
        claim(rounds(3))


def test_random_weights_count_every_filter_alike():
    assert all(np.ptp(scores) == 0 for scores in latency.uniform(FULL).values())
