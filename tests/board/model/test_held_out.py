"""What programs beside the inspection are told of held-out images, by cards as they are and as they were."""

import pytest

import card_sample

CONFUSION = [[390, 10], [20, 380]]
TABLE = [number / 200 for number in range(101)]


def held_out(**metrics):
    return card_sample.card(metrics=metrics).held_out


def test_the_counts_and_the_table_of_the_class_without_a_defect():
    tables = {"non_defective": TABLE, "defective": [1.0] * 101}
    assert held_out(confusion=CONFUSION, score_quantiles=tables) == {
        "confusion": CONFUSION, "score_quantiles": TABLE
    }  # fmt: skip


@pytest.mark.parametrize(
    "tables",
    [None, {}, {"non_defective": None}, {"non_defective": TABLE[:50]}, {"non_defective": TABLE[::-1]},
     {"non_defective": ["a"] * 101}, {"non_defective": [float("nan")] * 101}, {"non_defective": [2.0] * 101},
     {"non_defective": [10**400] * 101}],
)  # fmt: skip
def test_a_card_of_before_has_the_counts_alone(tables):
    assert held_out(confusion=CONFUSION, score_quantiles=tables) == {
        "confusion": CONFUSION, "score_quantiles": None
    }  # fmt: skip
    assert held_out(confusion=CONFUSION)["score_quantiles"] is None


@pytest.mark.parametrize(
    "metrics",
    [{}, {"confusion": None}, {"confusion": [1, 2]}, {"confusion": [[0, 0], [1, 1]]}, {"confusion": [[1, 1], [0, 0]]},
     {"confusion": [[1, -1], [1, 1]]}],
)  # fmt: skip
def test_a_card_without_figures_says_nothing(metrics):
    assert held_out(**metrics) is None and card_sample.card(metrics=None).held_out is None


def test_tables_that_are_none_leave_the_counts():
    assert held_out(confusion=CONFUSION, score_quantiles=[1])["score_quantiles"] is None
