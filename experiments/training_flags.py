"""Flags of the scripts that train: one per field of the settings, and those that say with what and by whom."""

import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

import console
import crop_flags
import setting_flags
from wool_tf.study.crop_source import CropSource
from wool_tf.study.workers import Workers
from wool_tf.training.config import TrainingConfig

_CROPS = crop_flags.define(required=False)
_OUT = flags.DEFINE_string("out", None, "Folder of the run: report, records and results.", required=True)
_SAMPLES = flags.DEFINE_integer("samples", 153, "Simulated samples, where there is no --data.", lower_bound=8)
_CONTRAST = flags.DEFINE_float("contrast", 1.0, "How visible simulated defects are, 0.5 to 4; 1 is like the paper.")
_JOBS = flags.DEFINE_integer(
    "jobs", None, "Processes that train at a time; default: GPUs, or cores / threads.", lower_bound=1
)


def define(without: Sequence[str] = ()) -> setting_flags.Holders:
    """Defines a flag for every field of the settings, but those that a script has another use for."""
    return setting_flags.define(TrainingConfig, without)


def settings(holders: setting_flags.Holders, **others) -> TrainingConfig:
    """The settings that the flags, and other values, stand for."""
    if "weights" in holders:
        others["weights"] = console.weights("weights", holders["weights"].value)
    if table := holders["latency_table"].value:
        # The machines of a cluster have other working directories.
        others["latency_table"] = str(console.file("latency_table", table).absolute())
    return setting_flags.build(TrainingConfig, holders, **others)


def out() -> Path:
    """The folder of the run."""
    return console.output("out", _OUT.value, data=_CROPS.folder)


def source() -> CropSource:
    """Where the crops come from."""
    return CropSource(_CROPS.folder, _SAMPLES.value, _CONTRAST.value, _CROPS.on_bad_image, _CROPS.naming, _CROPS.white)


def workers(threads: int, **others) -> Workers:
    """Who does the work."""
    from wool_tf import devices

    return Workers(_JOBS.value or len(devices.visible()) or max(1, len(os.sched_getaffinity(0)) // threads), **others)
