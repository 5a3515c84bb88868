"""Flags of the scripts that train: one per field of the settings, and those that say with what and by whom."""

import dataclasses
import os
from pathlib import Path

from absl import flags

import crop_flags
from wool_tf.command_line import flag_values, setting_flags
from wool_tf.study.crop_source import CropSource
from wool_tf.study.workers import Workers
from wool_tf.training.config import TrainingConfig

_CROPS = crop_flags.define(required=False)
_OUT = flags.DEFINE_string("out", None, "Folder of the run: report, records and results.", required=True)
_SIMULATION = setting_flags.define(CropSource)


def define(**others) -> setting_flags.Holders:
    """Defines a flag for every field of the settings, as `setting_flags.define` does with these arguments."""
    return setting_flags.define(TrainingConfig, **others)


def settings(holders: setting_flags.Holders, **others) -> TrainingConfig:
    """The settings that the flags, and other values, stand for."""
    if "weights" in holders:
        others["weights"] = flag_values.weights("weights", holders["weights"].value)
    if table := holders["latency_table"].value:
        # The machines of a cluster have other working directories.
        others["latency_table"] = str(flag_values.file("latency_table", table).absolute())
    return setting_flags.build(TrainingConfig, holders, **others)


def out() -> Path:
    """The folder of the run."""
    return flag_values.output("out", _OUT.value, data=_CROPS.folder)


def source() -> CropSource:
    """Where the crops come from."""
    return setting_flags.build(CropSource, _SIMULATION, folder=_CROPS.folder, reading=_CROPS.reading)


def workers(holders: setting_flags.Holders, threads: int) -> Workers:
    """Who does the work."""
    from wool_tf import devices

    team = setting_flags.build(Workers, holders)
    usual = len(devices.visible()) or max(1, len(os.sched_getaffinity(0)) // threads)
    return dataclasses.replace(team, jobs=team.jobs or usual)
