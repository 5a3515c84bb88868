"""wool_board/belt/tiles.py: tiles side by side see all of a product, the thinner the overlap the fewer."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from wool_board.belt.tiles import Level, tiling

SIDES = st.integers(8, 300)
SHARES = st.floats(0, 0.9)


def draw_tiling(data):
    side = data.draw(SIDES, label="side")
    margin = data.draw(st.floats(0, (side - 4) / 2), label="margin")
    width = data.draw(st.integers(1, 900), label="width")
    return tiling(side, margin, width, data.draw(SHARES, label="overlap"))


def draw_product(data, width: int) -> tuple[int, int]:
    left = data.draw(st.integers(0, width - 1), label="left")
    return left, data.draw(st.integers(left + 1, width), label="right")


def test_a_detector_of_640_and_crops_of_244():
    cut = tiling(244, 10.0, 640, 0.5)
    assert (cut.seen, cut.margin) == (224, 10)
    assert cut.levels == (Level(112, 112), Level(168, 112), Level(224, 112), Level(224, 168), Level(224, 224))
    assert [cut.columns(0, 640, level.across) for level in cut.levels[2:]] == [
        [0, 104, 208, 312, 416],
        [0, 138, 277, 416],
        [0, 208, 416],
    ]
    assert cut.columns(100, 330, 224) == [100, 106]


def test_a_narrow_product_is_in_the_middle_of_a_tile_as_far_as_the_detector_goes():
    cut = tiling(244, 10.0, 640, 0.5)
    assert cut.columns(200, 300, 112) == [138]
    assert cut.columns(0, 100, 112) == [0]
    assert cut.columns(560, 640, 112) == [416]


def test_a_margin_counts_whole_pixels_and_a_narrow_detector_is_in_the_middle():
    cut = tiling(35, 1.2, 20, 0.5)
    assert (cut.margin, cut.seen) == (2, 31)
    assert cut.columns(0, 20, 15) == cut.columns(3, 5, 31) == [-6]
    assert cut.span(-6) == (0, 20)


@settings(max_examples=100)
@given(data=st.data())
def test_every_element_of_a_product_is_seen_at_every_level(data):
    cut = draw_tiling(data)
    left, right = draw_product(data, cut.width)
    for level in cut.levels:
        columns = cut.columns(left, right, level.across)
        spans = [cut.span(column) for column in columns]
        assert all(0 <= first < last <= cut.width and last - first <= cut.seen for first, last in spans)
        assert set(range(left, right)) <= {element for span in spans for element in range(*span)}
        # Tiles look at the product and not at the air beside it.
        assert len(columns) == 1 or spans[0][0] == left and spans[-1][1] == right
        assert len(columns) == cut.count(right - left, level.across)


@settings(max_examples=100)
@given(data=st.data())
def test_levels_thin_along_and_then_across_down_to_what_just_touches(data):
    cut = draw_tiling(data)
    alongs, counts = zip(*((level.along, cut.count(cut.width, level.across)) for level in cut.levels), strict=True)
    assert list(alongs) == sorted(alongs) and list(counts) == sorted(counts, reverse=True)
    assert all(count == counts[0] for along, count in zip(alongs, counts, strict=True) if along < cut.seen)
    assert alongs[-1] == cut.seen
    assert counts[-1] == max(1, math.ceil(cut.width / cut.seen))
    loads = [cut.load(level) for level in cut.levels]
    assert loads == sorted(set(loads), reverse=True)


@settings(max_examples=100)
@given(data=st.data())
def test_what_fits_into_the_overlap_is_whole_in_one_tile(data):
    side, width = data.draw(SIDES, label="side"), data.draw(st.integers(1, 900), label="width")
    share = data.draw(SHARES, label="overlap")
    cut = tiling(side, 0, width, share)
    left, right = draw_product(data, width)
    size = min(math.floor(share * side), right - left)
    first = data.draw(st.integers(left, right - size), label="first")
    spans = [cut.span(column) for column in cut.columns(left, right, cut.levels[0].across)]
    assert any(start <= first and first + size <= stop for start, stop in spans)
    assert cut.levels[0].along <= side - size
