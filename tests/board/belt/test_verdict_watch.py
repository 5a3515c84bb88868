"""wool_board/belt/verdict_watch.py: more defects than are believable are an alarm."""

import io

import pytest

import card_sample
import rig
from wool_board.belt.events import Alarms, Events
from wool_board.belt.verdict_watch import TILES, UNKNOWN_SHARE, VerdictWatch, believable_share
from wool_board.model.card import Card


def heard(verdicts: list[bool], card: Card) -> list[tuple]:
    stream = io.StringIO()
    watch = VerdictWatch(card, Alarms(Events(stream)))
    for verdict in verdicts:
        watch.add(verdict)
    return [(event["alarm"], event["on"]) for event in rig.events(stream.getvalue())]


A_CARD = card_sample.card(metrics={"confusion": [[80, 0], [2, 18]]})


def test_the_share_that_is_believable_is_that_of_the_cards_crops():
    assert believable_share(A_CARD) == 0.18
    nan, inf = float("nan"), float("inf")
    for found in (
        [[0, 0], [0, 0]],
        "no",
        [[nan, 1], [1, nan]],
        [[1, 0], [0, inf]],
        [[5, -4], [1, 1]],
        [["1", 2], [3, 4]],
    ):
        assert believable_share(card_sample.card(metrics={"confusion": found})) == UNKNOWN_SHARE
    for metrics in ({}, None):
        assert believable_share(card_sample.card(metrics=metrics)) == UNKNOWN_SHARE


@pytest.mark.parametrize(("share", "expected"), [(1.0, True), (0.3, True), (0.12, False), (0.0, False)])
def test_many_defects_are_an_alarm(share, expected):
    verdicts = [number % 100 < 100 * share for number in range(697)]
    assert heard(verdicts, A_CARD) == ([("many_defects", True)] if expected else [])


def test_the_alarm_waits_for_enough_tiles_and_ends_without_flickering():
    assert heard([True] * (TILES - 1), A_CARD) == []
    almost = [number % 6 == 0 for number in range(1000)]
    assert heard([True] * TILES + almost + [False] * TILES, A_CARD) == [("many_defects", True), ("many_defects", False)]
