import dataclasses
import os

import numpy as np
import pytest

from wool_board.benchmark import timing
from wool_board.benchmark.document import ModelFacts, ModelTimes
from wool_board.errors import WoolError
from wool_board.machine import board


class Network:
    """Takes as many milliseconds as all runs so far; names itself in a list with each."""

    load_ms, first_ms = 1.0, 2.0

    def __init__(self, name: str, order: list, threads: int = 1):
        self.name, self.order, self.threads = name, order, threads

    def run(self) -> float:
        self.order.append(self.name)
        return float(len(self.order))


@pytest.fixture
def turns(monkeypatch):
    """Short turns: 2 to warm up, then 1 that is not timed before 3 that are."""
    for name, number in (("WARM_UP_RUNS", 2), ("SETTLING_RUNS", 1), ("TURN_RUNS", 3)):
        monkeypatch.setattr(timing, name, number)


def test_models_take_turns(turns):
    order, between = [], []
    times = timing.measure([Network("a", order), Network("b", order)], 5, lambda: between.append(len(order)))
    assert "".join(order) == "aabb" + "aaaa" + "bbbb" + "aaa" + "bbb"
    # The first of each turn is not timed, and the last turns are what is left of the 5 runs.
    np.testing.assert_array_equal(times.T, [[6, 7, 8, 14, 15], [10, 11, 12, 17, 18]])
    assert between == [8, 12, 15, 18]


def test_percentiles_of_known_times():
    found = timing.figures(np.arange(101.0))
    assert (found.p50_ms, found.p90_ms, found.p95_ms, found.p99_ms, found.mean_ms) == (50, 90, 95, 99, 50)
    assert (found.images_per_second, found.runs) == (20, 101)


def test_numbers_of_threads_take_turns_as_models_do(turns):
    order, loaded = [], []

    def load(threads: int) -> list[Network]:
        loaded.append((threads, len(order)))
        return [Network("a", order, threads), Network("b", order, threads)]

    facts = [ModelFacts(file=name, bytes=8, runtime="none") for name in "ab"]
    document = timing.document(facts, load, [1, 2], 3)
    assert loaded == [(1, 0), (2, 0)]
    assert "".join(order) == "aaaabbbb" + "aaaaaaaa" + "bbbbbbbb"
    rows = document.models
    assert [(row.file, row.threads) for row in rows] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    # After 8 runs to warm up, each of the four has one that is not timed before its three.
    assert [row.mean_ms for row in rows] == [11, 15, 19, 23]
    assert {row.load_ms for row in rows} == {1} and {row.first_ms for row in rows} == {2}
    assert document.machine.name == board.describe().name
    assert document.warnings[-1].startswith("3 runs are too few")


def test_threads_that_there_are_no_cores_for_are_left_out(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert timing.usable([1, 2]) == ([1, 2], [])
    assert timing.usable([4, 2, 1]) == ([2, 1], ["threads=4: left out, there are 2 cores"])
    for threads, given in (([4], "4"), ([0], "0"), ([1, -1], "1,-1")):
        with pytest.raises(WoolError, match=f"^threads={given}: must be 1 to 2, the cores of this machine$"):
            timing.usable(threads)


STEADY = ModelTimes(
    file="a.tflite", bytes=8, runtime="none", threads=1, load_ms=1.0, first_ms=9.0, mean_ms=11.0, p50_ms=10.0,
    p90_ms=14.9, p95_ms=15.0, p99_ms=20.0, images_per_second=91.0, runs=200,
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"p90_ms": 16.0}, "a.tflite, 1 thread: the slowest tenth of the runs took over 1.6 times the median"),
        ({"p90_ms": 16.0, "threads": 2}, "a.tflite, 2 threads: the slowest tenth"),
        ({"runs": 99}, "99 runs are too few for a 99th percentile; time 100 or more"),
    ],
)
def test_warns_of_figures_that_cannot_be_trusted(model, message):
    (warning,) = timing.find_warnings([dataclasses.replace(STEADY, **model)])
    assert warning.startswith(message)


def test_trusts_figures_otherwise():
    assert timing.find_warnings([STEADY, dataclasses.replace(STEADY, runs=100)]) == []
