"""The typed numbers against the paper's own tables, and the lookups."""

import csv
from pathlib import Path

import pytest

from study_sample import configuration
from wool_tf.report import paper

TABLES = Path(__file__).resolve().parents[3] / "shared" / "paper"
COLUMNS = ("hard_round1", "hard_round2", "hard_round3", "asfp_0.1", "asfp_0.2", "asfp_0.3")


def read(name: str) -> list[dict]:
    path = TABLES / name
    if not path.exists():
        pytest.skip(f"the paper's tables are not here ({path})")
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def key(row: dict) -> tuple:
    return int(row["depth"]), row["optimizer"], row["pretrained"] == "1"


def test_table_1():
    rows = read("table1.csv")
    assert len(rows) == len(paper.BASELINE)
    for row in rows:
        assert paper.BASELINE[key(row)] == (float(row["accuracy_mean"]), float(row["accuracy_std"]))


def test_table_2():
    rows = read("table2.csv")
    assert len(rows) == len(paper.PRUNED)
    for row in rows:
        assert paper.BASELINE[key(row)][0] == float(row["baseline"])
        found = [paper.pruned_accuracy(*key(row), stage) for stage in paper.PRUNED_STAGES]
        assert found == [float(row[column]) for column in COLUMNS]


def test_table_3():
    rows = read("table3.csv")
    assert len(rows) == len(paper.COMPLEXITY)
    for row in rows:
        for number, name in enumerate(("baseline", "round1", "round2", "round3")):
            expected = (float(row[f"{name}_params"]), float(row[f"{name}_flops"]))
            assert paper.complexity(int(row["depth"]), number) == expected


def test_drops_that_the_text_of_the_paper_names():
    # Section V.B: hard pruning loses at most 1.34 %, save for a few cases such as ResNet-34 with SGD, pretrained.
    losses = {
        recipe: min(paper.pruned_accuracy(*recipe, f"hard{n}") - paper.BASELINE[recipe][0] for n in (1, 2, 3))
        for recipe in paper.BASELINE
    }
    assert round(losses.pop((34, "sgd", True)), 2) == -19.09
    assert round(min(losses.values()), 2) == -1.34


@pytest.mark.parametrize("recipe", [(20, "adam", True), (18, "rmsprop", True)])
def test_unknown_recipes_have_no_accuracy(recipe):
    assert paper.pruned_accuracy(*recipe, "hard1") is None


def test_unknown_stages_and_rounds_have_no_figures():
    assert paper.pruned_accuracy(18, "adam", False, "hard4") is None
    assert paper.pruned_accuracy(18, "adam", False, "hard3-int8") is None
    assert paper.complexity(18, 4) is None
    assert paper.complexity(18, -1) is None
    assert paper.complexity(None, 0) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"depth": 18, "optimizer": "adam", "weights": "none"}, (18, "adam", False)),
        ({"depth": 50, "optimizer": "sgd", "weights": "imagenet"}, (50, "sgd", True)),
        ({"depth": 18, "optimizer": "sgd", "weights": "resnet18.safetensors"}, None),
        ({"depth": 18, "optimizer": "adamw", "weights": "none"}, None),
    ],
)
def test_recipe_of_a_configuration(changes, expected):
    assert paper.row(configuration(**changes)) == expected


def test_accuracy_of_a_configuration():
    one = configuration(depth=18, optimizer="adam", weights="none")
    assert paper.accuracy(one, "baseline") == 98.08
    assert paper.accuracy(one, "asfp30") == 94.05
    assert paper.accuracy(one, "hard3-int8") is None
    assert paper.accuracy(configuration(weights="own.pth"), "baseline") is None
