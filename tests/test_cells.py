"""Numbers as a reader wants them, and what a table is."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wool_tf import cells
from wool_tf.report.tables import table


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (cells.significant(0.51), "0.510"),
        (cells.significant(5.1), "5.10"),
        (cells.significant(188.7), "189"),
        (cells.significant(1886.8), "1887"),
        (cells.significant(0), "0"),
        (cells.count(11170114), "11.2 M"),
        (cells.count(1.82e9), "1.82 G"),
        (cells.count(812, "B"), "812 B"),
        (cells.count(0, "B"), "0 B"),
        (cells.count(44712345, "B"), "44.7 MB"),
        (cells.percent(0.9501, 0.0123), "95.0\u00a0±\u00a01.2"),
        (cells.percent(1.0), "100.0"),
        (cells.decimals(0.98765, 0.001), "0.988\u00a0±\u00a00.001"),
        (cells.tiny(1.23e-6), "1.2e-6"),
        (cells.tiny(0), "0"),
        (cells.ratio(44.0, 2.0), "22.0×"),
        (cells.ratio(1.0, 0.0), cells.MISSING),
        (cells.duration(512.3), "8 min 32 s"),
        (cells.duration(59.7), "1 min 0 s"),
        (cells.duration(7322), "2 h 2 min"),
        (cells.plain([0.3, 0.3]), "0.3, 0.3"),
        (cells.plain(False), "False"),
        (cells.plain(0), "0"),
        (cells.plain([]), cells.MISSING),
    ],
)
def test_cells(cell, expected):
    assert cell == expected


@pytest.mark.parametrize("value", [None, math.nan])
def test_unknown_values_are_a_dash(value):
    for form in (cells.significant, cells.count, cells.percent, cells.decimals, cells.tiny, cells.duration):
        assert form(value) == cells.MISSING
    assert cells.ratio(value, 1.0) == cells.ratio(1.0, value) == cells.MISSING


@given(st.floats(1e-9, 1e12))
def test_three_significant_digits_are_enough(value):
    assert float(cells.significant(value)) == pytest.approx(value, rel=0.0051)


def test_a_table_cannot_be_changed_and_needs_rows():
    found = table("Title", "Text.", ["a"], [["1"]], "l")
    assert found.rows == (("1",),)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.title = "other"
    assert table("Title", "Text.", ["a"], [], "l") is None
