"""wool_board/belt/overlap.py: the fuller the backlog, the thinner the overlap, and back again."""

import pytest

from wool_board.belt.overlap import HOLD, OverlapControl
from wool_board.belt.tiles import tiling

CUT = tiling(244, 10.0, 640, 0.5)


@pytest.mark.parametrize(("backlog", "level"), [(0, 0), (99, 0), (100, 1), (250, 2), (399, 3), (400, 4), (9999, 4)])
def test_level_follows_the_backlog(backlog, level):
    overlap = OverlapControl(CUT, 500)
    assert overlap.adapt(backlog, 0.0) is (level > 0)
    assert overlap.index == level and overlap.level == CUT.levels[level]


def grown(busy: float, backlog: int = 0, seconds: float = 10 * HOLD) -> int:
    """The level after some time, if rows take this share of it at the thinnest level, and more where there are more."""
    overlap, now = OverlapControl(CUT, 500), 0.0
    shares = [busy * cut / (3 / 224) for cut in (5 / 112, 5 / 168, 5 / 224, 4 / 224, 3 / 224)]
    overlap.adapt(450, now)
    while now < seconds:
        now += 0.1
        overlap.adapt(backlog, now)
        overlap.worked(0.1 * shares[overlap.index])
    return overlap.index


def test_grows_back_while_there_is_room_for_it():
    assert grown(0.1) == 0
    # Four tiles a row against three: three quarters of the time would become all of it.
    assert grown(0.75) == 4
    assert grown(0.55) == 3
    assert grown(0.1, backlog=250) == 2


def test_grows_a_level_at_a_time_and_not_at_once():
    assert grown(0.1, seconds=0.9 * HOLD) == 4
    assert grown(0.1, seconds=1.2 * HOLD) == 3
    assert grown(0.1, seconds=2.4 * HOLD) == 2


def test_thins_at_once_again():
    overlap = OverlapControl(CUT, 500)
    assert [overlap.adapt(backlog, 0.01) for backlog in (150, 150, 350, 0)] == [True, False, True, False]
    assert overlap.index == 3
