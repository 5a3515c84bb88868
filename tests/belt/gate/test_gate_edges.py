"""The error of a gate's edges, on belts whose edges are known."""

import numpy as np
import pytest

from wool_station.gate.timeline import GateGeometry
from wool_tf.belt.detector import LineTimes
from wool_tf.belt.gate.edges import Edge, Output, joined, judge

PLACE = GateGeometry(100.0, 10.0, 5.0, 3.0)
WRITTEN = LineTimes(np.array([0.0, 10.0]), np.array([0.0, 1000.0]))
"""100 lines of 2 mm in a second: 200 mm a second."""


def output(position_mm: float, passing: bool, why: str = "reject") -> Output:
    return Output(position_mm / 200, None if passing else why)


def test_edges_where_they_ought_to_be_have_no_error():
    outputs = [output(0, False, "unknown"), output(115, True), output(295, False), output(333, True)]
    found = judge(outputs, [(200.0, 220.0)], PLACE, WRITTEN, 2.0)
    assert found.edges == (Edge(True, 295.0, 0.0), Edge(False, 333.0, 0.0))
    assert (found.missed_mm, found.needless_mm) == (0, {"unknown": 115.0})


def test_late_and_early_edges_and_what_passed():
    outputs = [output(0, True), output(304, False), output(328, True)]
    found = judge(outputs, [(200.0, 220.0)], PLACE, WRITTEN, 2.0)
    assert [edge.error_mm for edge in found.edges] == pytest.approx([9, -5])
    # 300 to 304, and 328 to 330: the gate is 10 mm long.
    assert found.missed_mm == 6


def test_stretches_that_meet_have_one_edge_each_way():
    outputs = [output(0, True), output(296, False), output(414, True)]
    found = judge(outputs, [(200.0, 220.0), (215.0, 240.0), (244.0, 300.0)], PLACE, WRITTEN, 2.0)
    assert [(edge.on, round(edge.error_mm, 6)) for edge in found.edges] == [(True, 1), (False, 1)]


def test_a_reject_that_never_comes_is_missed_and_one_too_many_is_needless():
    outputs = [output(0, True), output(600, False, "silent"), output(650, True)]
    found = judge(outputs, [(200.0, 220.0)], PLACE, WRITTEN, 2.0)
    assert (found.edges, found.missed_mm, found.needless_mm) == ((), 30.0, {"silent": 50.0})


def test_what_has_not_come_to_the_gate_at_the_end_does_not_count():
    found = judge([output(0, True)], [(1950.0, 1990.0)], PLACE, WRITTEN, 2.0)
    assert (found.edges, found.missed_mm) == ((), 0)


def test_joined():
    assert joined([(5, 6), (1, 2), (2, 3), (0, 1.5)]) == [(0, 3), (5, 6)]
