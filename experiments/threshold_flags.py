"""The flags by which scripts are told how to choose a threshold: itself, a required recall, or a cost ratio."""

from absl import flags

from wool_tf.command_line import setting_flags
from wool_tf.evaluation.thresholds import ThresholdRule

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()


def define(**others) -> setting_flags.Holders:
    """Defines a flag for each field of ThresholdRule, as `setting_flags.define` does with these arguments."""
    return setting_flags.define(ThresholdRule, names={"recall": "required_recall"}, **others)


def rule(holders: setting_flags.Holders) -> ThresholdRule:
    """The rule that the flags ask for, the default one where they ask for none."""
    return setting_flags.build(ThresholdRule, holders)
