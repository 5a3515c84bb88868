"""wool_board/belt/rows.py: rows follow each product from its first line to its last."""

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from wool_board.belt.rows import GAP, RowFinder, TileRow
from wool_board.belt.strip import BLOCK, Strip
from wool_board.belt.tiles import tiling

SEEN, MARGIN = 100, 10


def find_all(shown: np.ndarray, step: int = 50, chunk: int = 10**6, begin: int = 0) -> list[TileRow]:
    """The rows of lines of which some show product, arriving in chunks."""
    rows, found, stop = RowFinder(SEEN, MARGIN), [], 0
    rows.begin(begin)
    while stop < len(shown):
        stop = min(stop + chunk, len(shown))

        def shows(start: int, end: int, stop=stop) -> bool:
            assert begin <= start < end <= begin + stop
            return bool(shown[start - begin : end - begin].any())

        # That the run ends is known only later.
        for final in (False, True)[: 1 + (stop == len(shown))]:
            while row := rows.find(begin + stop, shows, final):
                found.append(row)
                rows.advance(row, step)
    return found


def product(lines: int, *spans: tuple[int, int]) -> np.ndarray:
    shown = np.zeros(lines, bool)
    for start, stop in spans:
        shown[start:stop] = True
    return shown


def test_air_has_no_rows():
    assert find_all(product(1000)) == []


def test_rows_begin_and_end_where_the_product_does():
    # Blocks of 16 lines tell where that is.
    for chunk in (7, 64, 10**6):
        assert find_all(product(1000, (160, 400)), chunk=chunk) == [
            TileRow(160, 260, 160, 260, False),
            TileRow(210, 310, 210, 310, False),
            TileRow(260, 360, 260, 360, False),
            TileRow(300, 400, 300, 400, True),
        ]


def test_a_short_product_is_in_the_middle_as_far_as_lines_are_there():
    assert find_all(product(1000, (480, 512))) == [TileRow(446, 546, 480, 512, True)]
    # 32 lines below it tell that it ends, 10 of which are margin.
    assert find_all(product(1000, (480, 512)), chunk=16) == [TileRow(434, 534, 480, 512, True)]
    assert find_all(product(512, (480, 512))) == [TileRow(412, 512, 480, 512, True)]
    assert find_all(product(40, (0, 40))) == [TileRow(-60, 40, 0, 40, True)]


def test_a_row_that_ends_with_the_product_is_the_last():
    assert find_all(product(500, (0, 192)), step=92) == [
        TileRow(0, 100, 0, 100, False),
        TileRow(92, 192, 92, 192, False),
    ]


def test_little_air_is_a_part_of_the_product_and_more_ends_it():
    together = find_all(product(1000, (160, 320), (336, 496)))
    assert (together[0].first, together[-1].last) == (160, 496)
    assert [row.ends for row in together].count(True) == 1
    apart = find_all(product(1000, (160, 320), (320 + GAP, 512)))
    assert [(row.first, row.last) for row in apart if row.ends] == [(220, 320), (412, 512)]


def test_a_row_waits_for_no_more_than_it_must():
    rows, shown = RowFinder(SEEN, MARGIN), product(1000, (0, 400))
    found = None
    for stop in range(1000):
        found = rows.find(stop, lambda start, end: bool(shown[start:end].any()), False)
        if found:
            break
    # Blocks end at 96 and 112 lines; its margin at 110.
    assert (found, stop) == (TileRow(0, 100, 0, 100, False), 112)


# Shrinking a failure takes minutes and hardly helps to understand it.
@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_every_pixel_of_every_product_is_seen_whatever_the_levels(data):
    """With the strip and the tiles: products anywhere, lines that come in any chunks, levels that change."""
    side, width = data.draw(st.integers(24, 90), label="side"), data.draw(st.integers(20, 200), label="width")
    margin = data.draw(st.integers(0, side // 4), label="margin")
    cut = tiling(side, margin, width, data.draw(st.floats(0, 0.8), label="overlap"))
    begin = data.draw(st.sampled_from([0, 10**10]), label="begin")
    belt = np.zeros((data.draw(st.integers(1, 400), label="lines"), width), np.float32)
    for _ in range(data.draw(st.integers(0, 4), label="products")):
        top, left = data.draw(st.integers(0, len(belt) - 1)), data.draw(st.integers(0, width - 1))
        belt[top : top + data.draw(st.integers(1, 250)), left : left + data.draw(st.integers(3, 120))] = 8.0
    strip, rows, seen, stop = Strip(width, 2 * side + GAP + BLOCK + 64), RowFinder(cut.seen, margin), belt < 0, 0
    strip.begin(begin)
    rows.begin(begin)
    ends = [begin]
    while stop < len(belt):
        size = min(data.draw(st.integers(8, 64)), len(belt) - stop)
        lines = belt[stop : stop + size]
        strip.append(lines.astype(np.uint8), lines, np.arange(stop, stop + size))
        stop += size
        for final in (False, True)[: 1 + (stop == len(belt))]:
            while row := rows.find(begin + stop, strip.shows, final):
                level = data.draw(st.sampled_from(cut.levels))
                assert row.stop - row.start == cut.seen
                assert row.start <= row.first < row.last <= row.stop
                assert begin <= row.first and row.last <= begin + stop
                # The strip still has all of it.
                strip.arrived(max(begin, row.start - margin))
                for left, right in strip.products(row.first, row.last, cut.seen // 2):
                    for column in cut.columns(left, right, level.across):
                        first, last = cut.span(column)
                        seen[max(0, row.start - begin) : row.stop - begin, first:last] = True
                # Between rows there is air only.
                assert not (belt[ends[-1] - begin : row.first - begin] > 0).any()
                ends.append(row.last)
                rows.advance(row, level.along)
    assert seen[belt > 0].all()
