"""A folder belongs to one run: results of different settings, images or versions never mix."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf import environment, files
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.study import records
from wool_tf.training.config import TrainingConfig

CHOICES = ("depth", "optimizer", "weights", "repeats", "rounds", "asfp_rates", "controls", "final")
"""TrainingConfig that say which units there are, and not what comes out of one: a run may go on with others."""
OF_HARD = ("finetune_epochs", "finetune_factor", "finetune")
OF_ASFP = ("asfp_epochs", "asfp_finetune_epochs")
OF_BOTH = ("recipe", "align")
"""TrainingConfig that bind a folder once something was pruned in it in this way: a baseline does not depend on them."""


def claim(
    out: Path, settings: Sequence[TrainingConfig], images: Dataset, write: bool = True, source: Mapping | None = None
) -> str | None:
    """Makes a folder the one of a run, or lets the run go on that is there, perhaps with more configurations or stages.

    Arguments:
        out: folder, whose `run.json` says whose it is.
        settings: of every configuration; they differ in `CHOICES` at most.
        images: Dataset.
        write: whether the folder is claimed; otherwise only asked whether it could be.
        source: what else the results depend on, JSON values by name, as `native.Crops.binding` gives it.

    Returns:
        A remark where the run goes on with another processor than before, or None.

    Raises:
        WoolError: the folder holds a run with other settings, images, weights, versions or arithmetic.
    """
    import keras

    ours = {
        "settings": _binding(settings[0]),
        "images": images.fingerprint,
        **(source or {}),
        "backend": keras.backend.backend(),
        "versions": environment.binding(),
        "arithmetic": environment.arithmetic(),
        "contents of --weights": {each.configuration: digest(each.weights) for each in settings},
        "processors": [environment.processor()],
    }
    found = records.read(out / "run.json", "settings")
    if found is None:
        if (out / "units").exists():
            raise WoolError(
                f"--out={out}: its run.json is missing or damaged, and without it nobody knows whose the results in it "
                "are; restore that file from a copy, or choose another folder"
            )
    elif difference := _difference(found, ours):
        raise WoolError(f"--out={out}: holds a run with {difference}; choose another folder")
    else:
        for name in ("settings", "contents of --weights"):
            ours[name] = found[name] | ours[name]
        ours["processors"] = found["processors"] + [one for one in ours["processors"] if one not in found["processors"]]
    if write and ours != found:
        records.write(out / "run.json", ours)
    return _mixed(ours["processors"], environment.processor())


def _mixed(processors: Sequence[str], here: str) -> str | None:
    others = [processor for processor in processors if processor != here]
    if not others:
        return None
    return (
        f"a part of this run was computed on another processor ({'; '.join(others)}) than this one ({here}): the last "
        "digits of its results are not what either would give alone"
    )


def _binding(settings: TrainingConfig) -> dict:
    """What the records of these settings depend on, by name."""
    free = {*CHOICES}
    if not settings.rounds:
        free |= {*OF_HARD}
    if not settings.asfp_rates:
        free |= {*OF_ASFP}
    if not settings.rounds and not settings.asfp_rates:
        free |= {*OF_BOTH}
    return {name: value for name, value in dataclasses.asdict(settings).items() if name not in free}


def _difference(found, ours: dict) -> str | None:
    """What is not the same in the run of a folder and in this one, in a few words."""
    if set(found) != set(ours) or any(type(found[name]) is not type(value) for name, value in ours.items()):
        return "a run.json of another version"
    for name, value in ours["settings"].items():
        before = found["settings"].get(name)
        unbound = name not in found["settings"] and name in (*OF_HARD, *OF_ASFP, *OF_BOTH)
        if before != value and not unbound:
            return f"--{name}={before}, not {value}"
    both = found["contents of --weights"].keys() & ours["contents of --weights"].keys()
    if any(found["contents of --weights"][name] != ours["contents of --weights"][name] for name in both):
        return "other contents of --weights"
    # Other processors round in other ways; that is said, and no reason to stop.
    others = [name for name in ours if name not in ("settings", "contents of --weights", "processors")]
    return next((f"other {name}" for name in others if found[name] != ours[name]), None)


def claim_folds(out: Path, parts: Sequence[Sequence[np.ndarray]]) -> None:
    """Writes which images each fold of each repeat holds out into `folds.json`, or lets the run go on with the same.

    Raises:
        WoolError: the folder holds a run with other folds.
    """
    ours, found = [[part.tolist() for part in held_out] for held_out in parts], records.read(out / "folds.json")
    found = found if isinstance(found, list) else []
    if any(ours[repeat] != found[repeat] for repeat in range(min(len(ours), len(found)))):
        raise WoolError(
            f"--out={out}: holds a run with other folds, perhaps another scikit-learn's; choose another folder"
        )
    records.write(out / "folds.json", max(ours, found, key=len))


def check_initial(settings: Sequence[TrainingConfig], native: str) -> None:
    """Notices initial weights that were trained on the very images that are to be held out, if a run's folder has them.

    Arguments:
        settings: of every configuration.
        native: fingerprint of the native crops.

    Raises:
        WoolError: a file of weights lies in the folder of a run with these crops.
    """
    for path in {Path(each.weights).absolute() for each in settings if digest(each.weights)}:
        runs = (records.read(folder / "run.json", "native crops") for folder in path.parents)
        run = next((run for run in runs if run), None)
        if run and run["native crops"] == native:
            raise WoolError(
                f"--weights={path}: was trained on these images, so that no fold could hold any out; give weights of "
                "others"
            )


def digest(weights: str) -> str | None:
    """SHA-256 of a file of weights, or None of `none` and `imagenet`."""
    path = Path(weights)
    return files.sha256(path) if path.is_file() else None
