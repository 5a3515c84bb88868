"""The flags by which scripts are told how to choose a threshold: itself, a required recall, or a cost ratio."""

from collections.abc import Sequence

from absl import flags

import setting_flags
from wool_tf.evaluation.thresholds import ThresholdRule

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()


def define(without: Sequence[str] = ()) -> setting_flags.Holders:
    """Defines a flag for each field of ThresholdRule but those that a script has no use for."""
    return setting_flags.define(ThresholdRule, without, {"recall": "required_recall"})


def rule(holders: setting_flags.Holders) -> ThresholdRule:
    """The rule that the flags ask for, the default one where they ask for none."""
    return setting_flags.build(ThresholdRule, holders)
