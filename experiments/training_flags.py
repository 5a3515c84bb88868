"""Flags of the scripts that train: one per field of the settings, and those that say with what and by whom."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

import console
from wool_tf.data.dataset import GROUP_BY, ON_BAD_IMAGE
from wool_tf.study.job import Source, Workers
from wool_tf.training.config import CONTROLS, FINETUNES, OPTIMIZERS, SELECTS, TrainingConfig
from wool_tf.training.schedules import SCHEDULES

_HELP = {
    "depth": "Depth of the ResNet: 18, 34, 50, 101 or 152.",
    "weights": "Initial weights: none, imagenet, or a file (safetensors, .pth, .keras).",
    "optimizer": f"One of {', '.join(OPTIMIZERS)}.",
    "image_size": "Side of the network's input in pixels; images are loaded at 244/224 of it.",
    "folds": "Parts of the cross-validation.",
    "repeats": "Times that the whole cross-validation is done, with new folds and random numbers.",
    "group_by": f"What two folds never share, one of {', '.join(GROUP_BY)}; all but sample leak.",
    "seed": "Base of every random number.",
    "batch_size": "Images per training step.",
    "adam_learning_rate": "Largest learning rate of the baseline and of ASFP with Adam.",
    "sgd_learning_rate": "The same with SGD.",
    "weight_decay": "Decoupled weight decay of the kernels.",
    "schedule": f"What the learning rate does, one of {', '.join(SCHEDULES)}.",
    "bn_images": "Training images that batch norms are re-estimated from after pruning and training; 0: not at all.",
    "asfp_finetune_epochs": "Plain epochs of the compact network after ASFP.",
    "plateau_patience": "Epochs without a new minimum of the training loss before the learning rate falls.",
    "plateau_factor": "What the learning rate is then multiplied by.",
    "plateau_delta": "Share by which the loss must fall below its minimum to make a new one.",
    "epochs": "Epochs of the baseline.",
    "finetune_epochs": "Epochs after each round of hard pruning.",
    "finetune_factor": "What the optimizer's learning rate is multiplied by after hard pruning and after ASFP.",
    "asfp_epochs": "Epochs of ASFP.",
    "asfp_rates": "Shares of the filters that ASFP prunes in the end, a training each; empty leaves ASFP out.",
    "rounds": "Rounds of hard pruning.",
    "recipe": "What a round removes: paper-text or paper-table3.",
    "align": "Keep pruned widths a multiple of this; 8 is faster in int8.",
    "finetune": f"Which network is fine-tuned, one of {', '.join(FINETUNES)}; the results agree.",
    "controls": f"Control baselines, of {', '.join(CONTROLS)}.",
    "select": f"Epoch that is reported, {' or '.join(SELECTS)} on the held-out images; the latter is too good.",
    "final": "Stage that is trained on all images and goes to the board, for example hard3.",
    "threads": "Threads of TensorFlow in each process; the last digits of the results depend on it.",
}

_DATA = flags.DEFINE_string("data", None, "Folder of crops: defective/ and non_defective/, or a manifest.csv.")
_OUT = flags.DEFINE_string("out", None, "Folder of the run: report, records and results.", required=True)
_SAMPLES = flags.DEFINE_integer("samples", 153, "Simulated samples, where there is no --data.", lower_bound=8)
_CONTRAST = flags.DEFINE_float("contrast", 1.0, "How visible simulated defects are, 0.5 to 4; 1 is like the paper.")
_ON_BAD_IMAGE = flags.DEFINE_enum("on_bad_image", "fail", ON_BAD_IMAGE, "What to do about images that are no good.")
_JOBS = flags.DEFINE_integer(
    "jobs", None, "Processes that train at a time; default: GPUs, or cores / threads.", lower_bound=1
)


def define(without: Sequence[str] = ()) -> list[flags.FlagHolder]:
    """Defines a flag for every field of the settings, but those that a script has another use for."""
    kinds = {int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}
    return [
        kinds.get(field.type, flags.DEFINE_list)(field.name, _listed(field.default), _HELP[field.name])
        for field in dataclasses.fields(TrainingConfig)
        if field.name not in without
    ]


def settings(holders: Sequence[flags.FlagHolder], **others) -> TrainingConfig:
    """The settings that the flags, and other values, stand for."""
    values = {holder.name: holder.value for holder in holders} | others
    if "asfp_rates" in values:
        values["asfp_rates"] = console.numbers("asfp_rates", values["asfp_rates"], float)
    if "controls" in values:
        values["controls"] = tuple(values["controls"])
    if "weights" in values:
        values["weights"] = weights("weights", values["weights"])
    return TrainingConfig(**values)


def weights(flag: str, value: str) -> str:
    """Initial weights, as the settings want them."""
    return value if value in ("none", "imagenet") else str(console.path(flag, value))


def out() -> Path:
    """The folder of the run."""
    return console.path("out", _OUT.value)


def source() -> Source:
    """Where the crops come from."""
    folder = None if _DATA.value is None else console.path("data", _DATA.value)
    return Source(folder, _SAMPLES.value, _CONTRAST.value, _ON_BAD_IMAGE.value)


def workers(threads: int, **others) -> Workers:
    """Who does the work."""
    from wool_tf.study import devices

    return Workers(_JOBS.value or len(devices.visible()) or max(1, len(os.sched_getaffinity(0)) // threads), **others)


def _listed(default):
    return [f"{item}" for item in default] if isinstance(default, tuple) else default
