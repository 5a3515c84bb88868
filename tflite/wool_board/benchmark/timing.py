"""Times networks that take turns, and says how far the times can be trusted."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from wool_board.benchmark.document import BenchmarkDocument, ModelFacts, ModelTimes, RunTimes
from wool_board.errors import BadSetting
from wool_board.machine import board, cores

WARM_UP_RUNS = 10
TURN_RUNS = 20
SETTLING_RUNS = 5
"""Runs at the start of a turn that are not timed: in them a network fetches its weights into the caches again, which
others have emptied. In use it runs by itself."""
MAX_SPREAD = 1.5
"""Ratio of the 90th percentile to the median above which something disturbed the runs."""
FEW_RUNS = 100


def usable(threads: Sequence[int]) -> tuple[list[int], list[str]]:
    """The numbers of threads that there are cores for, and a note on each of the others.

    Raises:
        BadSetting: one is below 1, or none is left.
    """
    there = cores.usable()
    found = [count for count in threads if count <= there]
    if not found or min(found) < 1:
        raise BadSetting("threads", tuple(threads), f"must be 1 to {there}, the cores of this machine")
    return found, [f"threads={count}: left out, there are {there} cores" for count in threads if count > there]


def document(
    facts: Sequence[ModelFacts], load: Callable[[int], Sequence], threads: Sequence[int], runs: int
) -> BenchmarkDocument:
    """Times networks with each number of threads, all of them in turns.

    Arguments:
        facts: of each network.
        load: called with a number of threads; returns the networks in the same order, with `load_ms`, `first_ms` and
            `run()`.
        threads: numbers of threads; each network is in memory once for each.
        runs: of each network that are timed.
    """
    watch = board.MachineWatch()
    # Network after network, each with all numbers of threads, as they are told.
    loaded = [model for row in zip(*map(load, threads), strict=True) for model in row]
    with watch.timed():
        times = measure(loaded, runs, watch.sample)
    each = ((known, count) for known in facts for count in threads)
    found = tuple(
        ModelTimes(
            **vars(known),
            threads=count,
            load_ms=rounded(model.load_ms),
            first_ms=rounded(model.first_ms),
            **vars(figures(column)),
        )
        for (known, count), model, column in zip(each, loaded, times.T, strict=True)
    )
    machine = watch.result()
    warnings = (*board.find_warnings(machine), *find_warnings(found))
    return BenchmarkDocument(machine=machine, warnings=warnings, warm_up_runs=WARM_UP_RUNS, models=found)


def measure(models: Sequence, runs: int, between: Callable[[], None] = lambda: None) -> np.ndarray:
    """Times models that take turns, so that whatever slows the machine down slows all of them.

    Arguments:
        models: each with a method `run()` that runs once and returns its milliseconds.
        runs: of each model that are timed, at least 1.
        between: called after each turn.

    Returns:
        Milliseconds, (runs, models).
    """
    for model in models:
        for _ in range(WARM_UP_RUNS):
            model.run()
    times: list[list[float]] = [[] for _ in models]
    for done in range(0, runs, TURN_RUNS):
        for model, found in zip(models, times, strict=True):
            for _ in range(SETTLING_RUNS):
                model.run()
            found += [model.run() for _ in range(min(TURN_RUNS, runs - done))]
            between()
    return np.array(times).T


def milliseconds_since(started: float) -> float:
    """From a time of `time.perf_counter` until now."""
    return 1e3 * (time.perf_counter() - started)


def figures(times: np.ndarray) -> RunTimes:
    """What is told of one model, from the milliseconds of its runs."""
    p50, p90, p95, p99 = map(rounded, np.percentile(times, (50, 90, 95, 99)))
    mean, speed = rounded(times.mean()), rounded(1e3 / times.mean())
    return RunTimes(
        mean_ms=mean, p50_ms=p50, p90_ms=p90, p95_ms=p95, p99_ms=p99, images_per_second=speed, runs=len(times)
    )


def rounded(number: float) -> float:
    """As fine as anybody can use it."""
    return round(float(number), 4)


def find_warnings(models: Sequence[ModelTimes]) -> list[str]:
    """Which figures of models cannot be trusted, and why."""
    found = []
    for model in models:
        if model.p90_ms > MAX_SPREAD * model.p50_ms:
            name = f"{model.file}, {model.threads} thread{'s' * (model.threads > 1)}"
            spread = model.p90_ms / model.p50_ms
            found.append(f"{name}: the slowest tenth of the runs took over {spread:.1f} times the median")
    if models[0].runs < FEW_RUNS:
        found.append(f"{models[0].runs} runs are too few for a 99th percentile; time {FEW_RUNS} or more")
    return found
