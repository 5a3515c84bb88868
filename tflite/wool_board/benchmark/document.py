"""The document that `benchmark.py --json` writes; what it must be is declared here alone, for whoever reads it, too."""

import dataclasses

from wool_board.machine.board import MachineFacts

VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of a model without timing it.

    Attributes:
        file: its path.
        bytes: size of the file, at least 1.
        runtime: name and version of what runs it.
        network, precision: by its card, or None.
        card: "right", "wrong: why", or None of a file without one.
        memory_mb, process_mb: see `memory.added`.
    """

    file: str
    bytes: int
    runtime: str
    network: str | None = None
    precision: str | None = None
    card: str | None = None
    memory_mb: float | None = None
    process_mb: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunTimes:
    """Mean and percentiles of the runs of something, in milliseconds above 0.

    Attributes:
        images_per_second: by the mean.
        runs: that were timed.
    """

    mean_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    images_per_second: float
    runs: int

    def __post_init__(self) -> None:
        for field in dataclasses.fields(RunTimes):
            _check_positive(field.name, getattr(self, field.name))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelTimes(RunTimes, ModelFacts):
    """A model, and how long it takes.

    Attributes:
        threads: CPU threads, at least 1.
        load_ms: to open the file and prepare it.
        first_ms: of the first run.
    """

    threads: int
    load_ms: float
    first_ms: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive("bytes", self.bytes)
        _check_positive("threads", self.threads)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TileTimes(RunTimes):
    """How long the way from counts to the pixels of a tile takes, of `side` lines and elements."""

    side: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkDocument:
    """What was measured.

    Attributes:
        machine: MachineFacts.
        warnings: why the figures cannot be trusted.
        warm_up_runs: of each model, before those that are timed.
        models: each with each number of threads, at least one.
        preprocessing: of a tile of each size that a model reads; empty where none were timed.
        notes: what else a reader should know.
        version: of this declaration.

    Raises:
        ValueError: a value breaks its rule.
    """

    machine: MachineFacts
    warnings: tuple[str, ...]
    warm_up_runs: int
    models: tuple[ModelTimes, ...]
    preprocessing: tuple[TileTimes, ...] = ()
    notes: tuple[str, ...] = ()
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise ValueError(f"version must be {VERSION}, got {self.version}")
        if not self.models:
            raise ValueError("models must not be empty")


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be above 0")
