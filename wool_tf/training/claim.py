"""A folder belongs to one run: results of different settings, images or versions never mix."""

import dataclasses
import importlib.metadata
from pathlib import Path

from wool_tf import files
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.training import records
from wool_tf.training.settings import Settings

VERSIONED = ("wool_tf", "keras", "tensorflow")


def claim(out: Path, settings: Settings, images: Dataset) -> None:
    """Makes a folder the one of a run, or lets the run go on that is there.

    Arguments:
        out: folder, whose `run.json` says whose it is.
        settings: Settings.
        images: Dataset.

    Raises:
        WoolError: the folder holds a run with other settings, images, weights or versions.
    """
    ours = {
        "settings": dataclasses.asdict(settings),
        "images": images.fingerprint,
        "contents of --weights": _digest(settings.weights),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED},
    }
    found = records.read(out / "run.json")
    if found is None:
        if (out / "units").exists():
            raise WoolError(f"--out={out}: holds results but no readable run.json; delete the folder or choose another")
        records.write(out / "run.json", ours)
    elif difference := _difference(found, ours):
        raise WoolError(f"--out={out}: holds a run with {difference}; choose another folder")


def _difference(found, ours: dict) -> str | None:
    """What is not the same in the run of a folder and in this one, in a few words."""
    if not isinstance(found, dict) or set(found) != set(ours):
        return "a run.json of another version"
    for name, value in ours["settings"].items():
        before = found["settings"].get(name)
        if before != value:
            return f"--{name}={before}, not {value}"
    return next((f"other {name}" for name, value in ours.items() if found[name] != value), None)


def _digest(weights: str) -> str | None:
    path = Path(weights)
    return files.sha256(path) if path.is_file() else None
