"""What a study is asked for."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from wool_tf.errors import BadSetting
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.study import grid
from wool_tf.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class Request:
    """What is studied.

    Attributes:
        configs: of every configuration, as `grid.grid` makes them.
        rules: by which thresholds are chosen; that of a delivered model is the first.
        command: the command line, for the report.
        name: of the files of the report. Studies of different parts of the same protocol in one folder share their
            networks, and each has a report of its own, of what it was asked for.
        benchmark: the board's benchmark program, which times the model that is delivered; None: nothing is delivered.
        protocol: gives the stages of studies that deliver nothing; None: ours. Others are compared with.
    """

    configs: Sequence[TrainingConfig]
    rules: Sequence[ThresholdRule]
    command: str
    name: str
    benchmark: Path | None = None
    protocol: grid.Protocol | None = None

    @property
    def delivers(self) -> bool:
        """Whether a model for a board is made."""
        return self.benchmark is not None

    def check(self) -> None:
        """Raises BadSetting where the settings leave the model of a delivery without something to choose it by."""
        if self.delivers and self.configs[0].select == "best":
            rule = (
                "the delivered network is trained on all images and has none left to choose its epoch by; use last, or "
                "prune_kfold.py, which delivers nothing"
            )
            raise BadSetting("select", "best", rule)
