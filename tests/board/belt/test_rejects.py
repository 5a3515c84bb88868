"""wool_board/belt/rejects.py: defective tiles that belong together become one reject, told in time."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from wool_board.belt.rejects import Rejects

SEEN, WIDTH = 40, 100


def play(rows: list[list[tuple[int, int, float]]], step: int, part: int = 10**6) -> list:
    """Rows of defective tiles, `step` lines apart; returns what was told, each with the line of the belt at which."""
    rejects, told = Rejects(part), []
    for number, tiles in enumerate(rows):
        start = number * step
        found = rejects.add(start, start + SEEN, tiles, float(start)) + rejects.close(start + step)
        told += [(start + SEEN, reject) for reject in found]
    assert rejects.count == len({reject.number for _, reject in told})
    end = (len(rows) - 1) * step + SEEN
    return told + [(end, reject) for reject in rejects.close(None)]


def spans(told) -> list[tuple]:
    return [(reject.number, reject.start, reject.stop, reject.left, reject.right) for _, reject in told]


A, B, C = (0, 40, 0.7), (20, 60, 0.8), (60, 100, 0.9)


def test_one_tile():
    ((line, reject),) = play([[], [A], [], [], []], step=20)
    assert (reject.number, reject.part, reject.last, reject.joined) == (1, 1, True, ())
    assert (reject.start, reject.stop, reject.left, reject.right) == (20, 60, 0, 40)
    assert (reject.score, reject.arrived) == (0.7, 20.0)
    # The next row begins within it, the one after that only where it ends.
    assert line == 80


def test_tiles_that_overlap_or_touch_across_are_one():
    assert spans(play([[A, B]], step=20)) == [(1, 0, 40, 0, 60)]
    assert spans(play([[B, C]], step=20)) == [(1, 0, 40, 20, 100)]
    assert spans(play([[A, C]], step=20)) == [(1, 0, 40, 0, 40), (2, 0, 40, 60, 100)]
    assert spans(play([[A, C, B]], step=20)) == [(1, 0, 40, 0, 100)]


def test_rows_that_follow_each_other_are_one_even_if_they_only_touch():
    assert spans(play([[A], [B], []], step=40)) == [(1, 0, 80, 0, 60)]
    assert spans(play([[A], [C], []], step=40)) == [(1, 0, 40, 0, 40), (2, 40, 80, 60, 100)]
    assert spans(play([[A], [], [A]], step=20)) == [(1, 0, 40, 0, 40), (2, 40, 80, 0, 40)]
    # With more overlap the third row still overlaps the first.
    assert spans(play([[A], [], [A]], step=10)) == [(1, 0, 60, 0, 40)]


def test_two_that_meet_later_are_one():
    assert spans(play([[A, C], [B]], step=20)) == [(1, 0, 60, 0, 100)]


def test_after_lines_that_went_unseen_another_one_begins():
    rejects = Rejects(1000)
    rejects.add(0, 40, [A], 0.0)
    assert [reject.stop for reject in rejects.close(41)] == [40]
    rejects.add(100, 140, [A], 0.0)
    assert rejects.close(120) == []
    assert [reject.number for reject in rejects.close(None)] == [2]


def test_a_long_one_is_told_in_parts():
    told = play([[A]] * 6 + [[]] * 3, step=20, part=80)
    assert [(line, r.number, r.part, r.last, r.start, r.stop, r.arrived) for line, r in told] == [
        (100, 1, 1, False, 0, 80, 0.0),
        (160, 1, 2, True, 60, 140, 60.0),
    ]
    # No row may be too much, however many follow.
    assert all(reject.stop - reject.start <= 80 for _, reject in play([[A]] * 100, step=20, part=80))


def test_parts_of_two_that_meet_go_on_as_one():
    rows = [[A, C]] * 4 + [[A, B, C]] + [[]] * 3
    told = [reject for _, reject in play(rows, step=20, part=60)]
    assert [(r.number, r.part, r.last, r.joined) for r in told[:2]] == [(1, 1, False, ()), (2, 1, False, ())]
    assert [reject.joined for reject in told[2:] if reject.joined] == [(2,)]
    last = told[-1]
    assert {reject.number for reject in told[2:]} == {1}
    assert (last.last, last.stop, last.left, last.right) == (True, 120, 0, 100)
    assert [reject.part for reject in told[2:]] == list(range(2, len(told)))


TILES = st.builds(
    lambda left, size, score: (left, min(left + size, WIDTH), score),
    st.integers(0, WIDTH - 1),
    st.integers(1, SEEN),
    st.floats(0.5, 1),
)
ROWS = st.lists(st.lists(TILES, max_size=3), min_size=1, max_size=15)


@settings(max_examples=80)
@given(ROWS, st.integers(4, SEEN), st.integers(SEEN, 200))
def test_every_defective_tile_is_told_in_time(rows, step, part):
    told = play(rows, step, part)
    for number, tiles in enumerate(rows):
        start = number * step
        for left, right, score in tiles:
            over = [r for _, r in told if r.left <= left and right <= r.right and r.score >= score]
            lines = {line for r in over for line in range(r.start, r.stop)}
            assert lines >= set(range(start, start + SEEN))
    for line, reject in told:
        assert line - reject.start <= part + SEEN
        assert reject.stop - reject.start >= SEEN
        # It has an edge of a tile at each side, and ends where a row does.
        tiles = [tile for row in rows for tile in row]
        assert reject.left in {left for left, _, _ in tiles} and reject.right in {right for _, right, _ in tiles}
        assert reject.start % step == 0 and (reject.stop - SEEN) % step == 0
    ended = [reject.number for _, reject in told if reject.last]
    assert len(ended) == len(set(ended))
    joined = [number for _, reject in told for number in reject.joined]
    assert sorted(ended + joined) == sorted({reject.number for _, reject in told})


@settings(max_examples=80)
@given(ROWS, st.integers(4, SEEN))
def test_tiles_that_touch_are_of_one_reject(rows, step):
    told = [reject for _, reject in play(rows, step)]
    tiles = [(number, *tile) for number, row in enumerate(rows) for tile in row]

    def homes(tile):
        number, left, right, _ = tile
        start = number * step
        around = [r for r in told if r.start <= start and start + SEEN <= r.stop]
        return {r.number for r in around if r.left <= left and right <= r.right}

    for one, other in itertools.combinations(tiles, 2):
        near = other[0] - one[0] <= 1 or (other[0] - one[0]) * step < SEEN
        if near and one[1] <= other[2] and other[1] <= one[2]:
            assert homes(one) & homes(other)


@settings(max_examples=100)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(4, SEEN))
def test_one_column_against_runs_counted_by_hand(marked, step):
    told = play([[A] if mark else [] for mark in marked], step)
    starts = [number * step for number, mark in enumerate(marked) if mark]
    runs = []
    for start in starts:
        if runs and (start < runs[-1][1] or start == runs[-1][1] and start - step == runs[-1][1] - SEEN):
            runs[-1][1] = start + SEEN
        else:
            runs.append([start, start + SEEN])
    assert [[reject.start, reject.stop] for _, reject in told] == runs
