"""What a search tries: one table, from the name of a setting to the values that it may take."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from wool_tf.errors import BadSetting, WoolError
from wool_tf.training.config import IMPORTANCES, TrainingConfig

ALL = ("baseline", "hard", "asfp")
"""Ways to a network: without pruning, by hard pruning, by ASFP."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some values, whose order means nothing."""

    values: tuple

    def around(self, given: object) -> "Choice":
        return self

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"


@dataclasses.dataclass(frozen=True)
class Range:
    """Values from `low` to `high`, both above 0 and allowed, on a logarithmic scale; whole where both are int."""

    low: float
    high: float

    def around(self, given: object) -> "Range":
        return self

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, logarithmic"


@dataclasses.dataclass(frozen=True)
class FactorRange:
    """From the value given divided by a factor to that value times it, both rounded towards it where it is whole."""

    factor: int

    def around(self, given: float) -> Range:
        if isinstance(given, int):
            return Range(-(-given // self.factor), given * self.factor)
        return Range(given / self.factor, given * self.factor)

    def __str__(self) -> str:
        return f"1/{self.factor} to {self.factor} times the value given, logarithmic"


@dataclasses.dataclass(frozen=True)
class SearchParameter:
    """A setting that is searched for.

    Attributes:
        values: what it may be.
        ways: of `ALL`, those on which a network depends on it.
        optimizer: the only one that reads it, or None.
    """

    values: Choice | Range | FactorRange
    ways: tuple[str, ...] = ALL
    optimizer: str | None = None


SPACE: Mapping[str, SearchParameter] = {
    "adam_learning_rate": SearchParameter(FactorRange(10), optimizer="adam"),
    "sgd_learning_rate": SearchParameter(FactorRange(10), optimizer="sgd"),
    "batch_size": SearchParameter(Choice((16, 32, 64))),
    "weight_decay": SearchParameter(Choice((0.0, 1e-3, 1e-2, 1e-1))),
    "schedule": SearchParameter(Choice(("cosine", "one_cycle"))),
    "epochs": SearchParameter(FactorRange(2), ("baseline", "hard")),
    "finetune_epochs": SearchParameter(FactorRange(2), ("hard",)),
    "finetune_factor": SearchParameter(Range(0.1, 1.0), ("hard", "asfp")),
    "importance": SearchParameter(Choice(IMPORTANCES), ("hard",)),
    "distillation": SearchParameter(Choice((0.0, 0.5, 0.8)), ("hard",)),
    "asfp_epochs": SearchParameter(FactorRange(2), ("asfp",)),
}
"""The search space. Epochs go to twice those given, so that no trial costs much more than twice the first one. What
decides how large the network is, such as `recipe`, is a choice and not searched for: the least pruned would win."""


def way(stage: str) -> str:
    """The way to a stage, of `ALL`: `hard` of `hard3`."""
    return stage.rstrip("0123456789.")


def resolve(base: TrainingConfig, stage: str) -> dict[str, Choice | Range]:
    """The space of one search.

    Arguments:
        base: settings to begin with.
        stage: whose network is to become good, one of `base.stages`.

    Returns:
        Name of a setting to its values; those of `base` are among them.

    Raises:
        WoolError: there is no such stage, or a value of `base` is outside of the space or leads out of what is allowed.
    """
    if stage not in base.stages:
        raise BadSetting("stage", stage, f"the stages of this run are {', '.join(base.stages)}")
    if way(stage) not in ALL:
        raise BadSetting("stage", stage, "is a control; search for the settings of another stage")
    found = {}
    for name, tuned in SPACE.items():
        if way(stage) not in tuned.ways or tuned.optimizer not in (None, base.optimizer):
            continue
        found[name] = values = tuned.values.around(getattr(base, name))
        if getattr(base, name) not in values:
            raise BadSetting(name, getattr(base, name), f"the search begins with it, so it must be {values}")
        if isinstance(values, Range):
            _check_end(base, name, values)
    return found


def _check_end(base: TrainingConfig, name: str, values: Range) -> None:
    try:
        with_values(base, {name: values.high})
    except WoolError as error:
        raise BadSetting(name, getattr(base, name), f"the search tries {values}, and {error}") from None


def with_values(base: TrainingConfig, values: Mapping[str, Any]) -> TrainingConfig:
    """The settings with other values of some of them, by name.

    Raises:
        WoolError: a value breaks its rule.
    """
    return dataclasses.replace(base, **values)


def restricted(base: TrainingConfig, stage: str) -> TrainingConfig:
    """The settings that train a stage and those that lead to it, and nothing else as far as that can be left out."""
    rounds = base.stages.index(stage) if way(stage) == "hard" else 0
    rates = base.asfp_rates if way(stage) == "asfp" else ()
    return dataclasses.replace(base, rounds=rounds, asfp_rates=rates, controls=(), final=stage)


def described() -> str:
    """The whole space in words."""
    return "; ".join(
        f"{name}: {tuned.values}" + ("" if tuned.ways == ALL else f" ({' and '.join(tuned.ways)})")
        for name, tuned in SPACE.items()
    )
