"""wool_board/belt/strip.py: tiles are cut out of a strip that moves, and product is told from air."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wool_board.belt.strip import Strip


@settings(max_examples=40)
@given(data=st.data())
def test_tiles_are_cut_out_of_a_strip_that_moves(data):
    """Against the whole belt in one array, with air around it."""
    side, width = data.draw(st.integers(3, 30), label="side"), data.draw(st.integers(1, 40), label="width")
    begin = data.draw(st.sampled_from([0, 1000, 10**12]), label="begin")
    belt = np.random.default_rng(0).integers(0, 255, (120, width), dtype=np.uint8)
    padded = np.pad(belt, side, constant_values=255)
    strip, stop = Strip(width, side), 0
    strip.begin(begin)
    while stop < len(belt):
        size = min(data.draw(st.integers(1, side)), len(belt) - stop)
        piece = belt[stop : stop + size]
        strip.append(piece, piece.astype(np.float32), np.arange(stop, stop + size))
        stop += size
        line = data.draw(st.integers(max(stop - side, -side + 1), stop - 1))
        if line < 0 < stop - side:
            continue
        element = data.draw(st.integers(-side + 1, width - 1))
        tile = strip.tile(begin + line, element, side)
        expected = padded[side + line : 2 * side + line, side + element : 2 * side + element].copy()
        expected[max(0, stop - line) :] = 255
        np.testing.assert_array_equal(tile, expected)
        assert strip.arrived(begin + stop - 1) == stop - 1
        assert (strip.start, strip.stop) == (begin, begin + stop)


def filled(attenuation: np.ndarray) -> Strip:
    strip = Strip(attenuation.shape[1], len(attenuation))
    strip.begin(0)
    strip.append(np.zeros(attenuation.shape, np.uint8), attenuation.astype(np.float32), np.zeros(len(attenuation)))
    return strip


def test_noisy_air_is_no_product():
    noise = np.random.default_rng(0).normal(0.002, 0.07, (224, 640))
    strip = filled(noise)
    assert not strip.shows(0, 224) and strip.products(0, 224, 10) == []
    thin = filled(noise + 0.03)
    assert thin.shows(0, 224) and thin.products(0, 224, 10) == [(0, 640)]


@settings(max_examples=100)
@given(data=st.data())
def test_a_drop_of_melt_anywhere_is_product(data):
    lines, width = data.draw(st.integers(1, 60), label="lines"), data.draw(st.integers(1, 100), label="width")
    attenuation = np.zeros((lines, width))
    line, element = data.draw(st.integers(0, lines - 1)), data.draw(st.integers(0, width - 1))
    # As much as shows in the largest block, of 24 elements that are left over at the end.
    attenuation[line, element] = 24 * 16 * 0.0201
    strip = filled(attenuation)
    for start, stop in ((0, lines), (line, lines), (0, line + 1), (line, line + 1)):
        assert strip.shows(start, stop)
        ((left, right),) = strip.products(start, stop, 1)
        assert left <= element < right <= width and right - left <= 24
    assert not filled(np.zeros((lines, width))).shows(0, lines)


def test_stretches_of_product():
    attenuation = np.zeros((96, 160))
    attenuation[:32, :32] = attenuation[:, 64:96] = attenuation[64:, 144:] = 1
    strip = filled(attenuation)
    assert strip.products(0, 96, 33) == [], "nobody looked yet"
    assert strip.shows(0, 96)
    assert strip.products(0, 96, 33) == [(0, 96), (144, 160)]
    assert strip.products(0, 96, 32) == [(0, 32), (64, 96), (144, 160)]
    assert strip.products(0, 96, 49) == [(0, 160)]
    assert strip.products(32, 64, 1) == [(64, 96)]
    assert strip.products(64, 96, 1) == [(64, 96), (144, 160)]
