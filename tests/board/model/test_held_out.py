"""What programs beside the inspection are told of held-out images, by cards as they are and as they were."""

import pytest

from wool_board.model.card import held_out

CONFUSION = [[390, 10], [20, 380]]
TABLE = [number / 200 for number in range(101)]
LABELS = ["non_defective", "defective"]


def card(**metrics):
    return {"labels": LABELS, "metrics": metrics}


def test_the_counts_and_the_table_of_the_class_without_a_defect():
    tables = {"non_defective": TABLE, "defective": [1.0] * 101}
    assert held_out(card(confusion=CONFUSION, score_quantiles=tables)) == {
        "confusion": CONFUSION, "score_quantiles": TABLE
    }  # fmt: skip


@pytest.mark.parametrize(
    "tables",
    [None, {}, {"non_defective": None}, {"non_defective": TABLE[:50]}, {"non_defective": TABLE[::-1]},
     {"non_defective": ["a"] * 101}, {"non_defective": [float("nan")] * 101}, {"non_defective": [2.0] * 101},
     {"non_defective": [10**400] * 101}],
)  # fmt: skip
def test_a_card_of_before_has_the_counts_alone(tables):
    assert held_out(card(confusion=CONFUSION, score_quantiles=tables)) == {
        "confusion": CONFUSION, "score_quantiles": None
    }  # fmt: skip
    assert held_out(card(confusion=CONFUSION))["score_quantiles"] is None


@pytest.mark.parametrize(
    "about",
    [{"labels": LABELS, "metrics": None}, {"labels": LABELS}, {}, card(), card(confusion=None), card(confusion=[1, 2]),
     card(confusion=[[0, 0], [1, 1]]), card(confusion=[[1, 1], [0, 0]]), card(confusion=[[1, -1], [1, 1]]),
     card(confusion=CONFUSION, score_quantiles=[1]), {"labels": LABELS, "metrics": [1]}],
)  # fmt: skip
def test_a_card_without_figures_says_nothing(about):
    assert held_out(about) is None
