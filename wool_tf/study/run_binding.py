"""A folder belongs to one run: results of different settings, images or versions never mix."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf import environment, files, records, settings
from wool_tf.data.dataset import Dataset
from wool_tf.errors import BadSetting, as_text
from wool_tf.networks import initial_weights
from wool_tf.pruning import latency
from wool_tf.settings import Binds
from wool_tf.training.config import TrainingConfig

CHOICES = settings.binding(TrainingConfig, "choice")
"""Settings that say which units there are, and not what the result of one is: a run may go on with others."""
OF_PRUNING = settings.binding(TrainingConfig, "hard", "asfp", "pruning")
"""Settings that bind a folder once something was pruned in it in this way: a baseline does not depend on them."""
_TABLE = "latency_table"
_WEIGHTS = "contents of weights"
"""Key of `run.json`: SHA-256 of the files of weights, by configuration."""


def claim(
    out: Path, configs: Sequence[TrainingConfig], images: Dataset, write: bool = True, source: Mapping | None = None
) -> str | None:
    """Makes a folder the one of a run, or lets the run go on that is there, perhaps with more configurations or stages.

    Arguments:
        out: folder, whose `run.json` says whose it is.
        configs: settings of every configuration; they differ in `CHOICES` at most.
        images: Dataset.
        write: whether the folder is claimed; otherwise only asked whether it could be.
        source: what else the results depend on, JSON values by name, as `native_crops.Crops.binding` gives it.

    Returns:
        A remark where the run goes on with another processor than before, or None.

    Raises:
        BadSetting: the folder holds a run with other settings, images, weights, versions or arithmetic.
    """
    import keras

    ours = {
        "settings": _binding(configs[0]),
        "images": images.fingerprint,
        **(source or {}),
        "backend": keras.backend.backend(),
        "versions": environment.binding(),
        "arithmetic": environment.arithmetic(),
        _WEIGHTS: {each.configuration: initial_weights.digest(each.weights) for each in configs},
        "processors": [environment.processor()],
    }
    found = records.read_object(out / "run.json", "settings")
    if found is None:
        if (out / "units").exists():
            rule = "its run.json, which says what its results depend on, is missing or damaged"
            raise BadSetting("out", out, f"{rule}; restore that file from a copy, or choose another folder")
    else:
        _check_same(found, ours, out)
        for name in ("settings", _WEIGHTS):
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
    return bound


def _check_same(found: dict, ours: dict, out: Path) -> None:
    """Raises BadSetting where the run of a folder differs from this one."""
    holds = "holds a run with other"
    if (
        set(found) != set(ours)
        or any(type(found[name]) is not type(value) for name, value in ours.items())
        or not all(isinstance(processor, str) for processor in found["processors"])
    ):
        raise BadSetting("out", out, "its run.json is damaged, or of another version; choose another folder")
    for name, value in ours["settings"].items():
        before = found["settings"].get(name)
        unbound = name not in found["settings"] and name in OF_PRUNING
        if before != value and not unbound:
            had = " ".join(as_text(before)[:60].split())
            raise BadSetting(name, value, f"the run in {out} has {had}; choose another folder")
    both = found[_WEIGHTS].keys() & ours[_WEIGHTS].keys()
    if any(found[_WEIGHTS][name] != ours[_WEIGHTS][name] for name in both):
        raise BadSetting("out", out, f"{holds} contents of weights; choose another folder")
    # Other processors round differently; a remark says so, and the run goes on.
    for name, value in ours.items():
        if name not in ("settings", _WEIGHTS, "processors") and found[name] != value:
            what = "images, samples or labels" if name == "images" else name
            raise BadSetting("out", out, f"{holds} {what}; choose another folder")


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
        runs = (records.read_object(folder / "run.json", "native crops") for folder in path.parents)
        run = next((run for run in runs if run), None)
        if run and run["native crops"] == native:
            rule = "was trained on these images, so that no fold could hold any out; give weights of others"
            raise BadSetting("weights", path, rule)
