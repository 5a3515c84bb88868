"""A folder belongs to one run: results of different settings, images or versions never mix."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wool_tf import environment, files, records, settings
from wool_tf.data import run_document
from wool_tf.data.dataset import Dataset
from wool_tf.data.native_crops import Crops
from wool_tf.data.run_document import RunBinding
from wool_tf.errors import BadSetting, as_text
from wool_tf.networks import initial_weights
from wool_tf.pruning import latency
from wool_tf.settings import Binds
from wool_tf.training.config import BEFORE, TrainingConfig

CHOICES = settings.binding(TrainingConfig, "choice")
"""Settings that say which units there are, and not what the result of one is: a run may go on with others. Only the
number of rounds binds hard pruning by the recipe `latency`, which divides its way among them."""
_OF_PRUNING: tuple[Binds, ...] = ("hard", "asfp", "pruning")
"""Kinds of settings that bind a folder once something was pruned in it in this way: a baseline does not depend on
them."""
_TABLE = "latency_table"
_ROUNDS = "rounds"


def of(
    configs: Sequence[TrainingConfig],
    images: Dataset,
    crops: Crops,
    protocol: str | None = None,
    search: dict[str, object] | None = None,
) -> RunBinding:
    """What the results of a run depend on, here and now.

    Arguments:
        configs: settings of every configuration; they differ in `CHOICES` at most.
        images: Dataset that networks are trained on.
        crops: that it is made of.
        protocol, search: as in RunBinding.
    """
    import keras

    return RunBinding(
        settings=_binding(configs[0]),
        images=images.fingerprint,
        native_crops=crops.native.fingerprint,
        imaging=crops.imaging,
        backend=keras.backend.backend(),
        versions=environment.binding(_packages(protocol)),
        arithmetic=environment.arithmetic(),
        weights={each.configuration: initial_weights.digest(each.weights) for each in configs},
        processors=(environment.processor(),),
        protocol=protocol,
        search=search,
    )


def _packages(protocol: str | None) -> Sequence[str]:
    """What results depend on besides, as the module of stages that are not ours says in `PACKAGES`."""
    return getattr(sys.modules.get(protocol or ""), "PACKAGES", ())


def claim(out: Path, ours: RunBinding, write: bool = True) -> str | None:
    """Makes a folder the one of a run, or lets the run go on that is there, perhaps with more configurations or stages.

    Arguments:
        out: folder, whose `run.json` says whose it is.
        ours: RunBinding.
        write: whether the folder is claimed; otherwise only asked whether it could be.

    Returns:
        A remark where the run goes on with another processor than before, or None.

    Raises:
        WoolError: the folder holds a run with other settings, images, weights, versions or arithmetic, or its
            `run.json` is damaged.
    """
    (here,) = ours.processors
    found = run_document.read(out)
    if found is None:
        if (out / "units").exists():
            rule = f"its {run_document.NAME}, which says what its results depend on, is missing or damaged"
            raise BadSetting("out", out, f"{rule}; restore that file from a copy, or choose another folder")
    else:
        _check_same(found, ours, out)
        ours = dataclasses.replace(
            ours,
            settings=found.settings | ours.settings,
            weights=found.weights | ours.weights,
            processors=tuple(dict.fromkeys(found.processors + ours.processors)),
        )
    if write and ours != found:
        run_document.write(out, ours)
    return _mixed(ours.processors, here)


def _mixed(processors: Sequence[str], here: str) -> str | None:
    others = [processor for processor in processors if processor != here]
    if not others:
        return None
    return (
        f"a part of this run was computed on another processor ({'; '.join(others)}) than this one ({here}): the last "
        "digits of its results are not what either would give alone"
    )


def _binding(config: TrainingConfig) -> dict:
    """What the records of these settings depend on, by name."""
    kinds: list[Binds] = ["always"]
    kinds += ["hard"] if config.rounds else []
    kinds += ["asfp"] if config.asfp_rates else []
    kinds += ["pruning"] if config.rounds or config.asfp_rates else []
    bound = {name: getattr(config, name) for name in settings.binding(TrainingConfig, *kinds)}
    if _TABLE in bound:
        # Where the file lies makes no difference, and with other recipes it changes no network.
        table = Path(config.latency_table) if config.recipe == latency.RECIPE else None
        bound[_TABLE] = files.sha256(table) if table and table.is_file() else ""
    if config.rounds and config.recipe == latency.RECIPE:
        bound[_ROUNDS] = config.rounds
    return bound


def _check_same(found: RunBinding, ours: RunBinding, out: Path) -> None:
    """Raises BadSetting where the run of a folder differs from this one."""
    unbound, known = _unbound(found), BEFORE | found.settings
    for name, value in ours.settings.items():
        before = known.get(name)
        if before != value and name not in unbound:
            had = f"has {' '.join(as_text(before)[:60].split())}" if name in known else "does not say its own"
            raise BadSetting(name, value, f"the run in {out} {had}; choose another folder")
    # Other processors round differently; a remark says so, and the run goes on.
    for name, value in vars(ours).items():
        before = getattr(found, name)
        if name == "weights":  # Of configurations that either has alone.
            before, value = before | value, value | before
        if name not in ("settings", "processors") and before != value:
            what = "images, samples or labels" if name == "images" else run_document.WORDS.get(name, name)
            raise BadSetting("out", out, f"holds a run with other {what}; choose another folder")


def _unbound(found: RunBinding) -> set[str]:
    """Settings of the kinds of pruning of which the run has no result so far."""
    kinds = {kind: settings.binding(TrainingConfig, kind) for kind in _OF_PRUNING}
    kinds["hard"] += (_ROUNDS,)
    return {name for names in kinds.values() if not found.settings.keys() & set(names) for name in names}


def claim_folds(out: Path, parts: Sequence[Sequence[np.ndarray]]) -> None:
    """Writes which images each fold of each repeat holds out into `folds.json`, or lets the run go on with the same.

    Raises:
        BadSetting: the folder holds a run with other folds.
    """
    ours, document = [[part.tolist() for part in held_out] for held_out in parts], records.read(out / "folds.json")
    found = document if isinstance(document, list) else []
    if any(ours[repeat] != found[repeat] for repeat in range(min(len(ours), len(found)))):
        raise BadSetting(
            "out", out, "holds a run with other folds, perhaps another scikit-learn's; choose another folder"
        )
    records.write(out / "folds.json", max(ours, found, key=len))


def check_initial(configs: Sequence[TrainingConfig], native: str) -> None:
    """Notices initial weights that were trained on the very images that are to be held out, if a run's folder has them.

    Arguments:
        configs: settings of every configuration.
        native: fingerprint of the native crops.

    Raises:
        BadSetting: a file of weights lies in the folder of a run with these crops.
    """
    for path in {Path(each.weights).absolute() for each in configs if initial_weights.digest(each.weights)}:
        run = run_document.around(path)
        if run and run.native_crops == native:
            rule = "was trained on these images, so that no fold could hold any out; give weights of others"
            raise BadSetting("weights", path, rule)
