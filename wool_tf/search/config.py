"""The settings of a search."""

import dataclasses

from wool_tf.search import space
from wool_tf.settings import check, setting

FOLDS = 5
"""Folds of the cross-validation where nothing else is asked for: fewer than of a run, for trials train the first ones
alone, which are then larger."""


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched for, and how long.

    Raises:
        BadSetting: a value breaks its rule.
    """

    stage: str = setting("hard3", f"Stage whose network is to become good. What is tried for it: {space.described()}.")
    first_folds: int = setting(2, "Folds that each trial trains, the first ones of `folds`.", at_least=1)
    hours: float = setting(
        2.0,
        "Hours of this call, and of each further one; no training begins after them, and one at work ends.",
        above=0,
    )
    trials: int | None = setting(None, "Trials after which the search is over, of all calls together.", at_least=1)

    def __post_init__(self) -> None:
        check(self)
