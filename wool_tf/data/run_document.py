"""What the results in a run's folder depend on: its `run.json`, which is written and read here alone."""

import dataclasses
from pathlib import Path

from wool_tf import records
from wool_tf.data.imaging import Imaging

NAME = "run.json"
VERSION = 2
WORDS = {
    "native_crops": "native crops",
    "weights": "contents of weights",
    "search": "stage, first_folds, network or search space",
}
"""What a reader calls a field. Documents of version 1, which did not say it, call it so, too."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunBinding:
    """What the results of a run depend on.

    Attributes:
        settings: those that bind results of the run so far, by name.
        images: fingerprint of the images at the side that networks are trained on.
        native_crops: fingerprint of the crops in their own size.
        imaging: of the crops.
        backend: of Keras.
        versions: of packages, by name.
        arithmetic: by which of several ways the backend computes.
        weights: SHA-256 of the file of initial weights, by configuration; None where there is none.
        processors: that results were computed on, the first one first.
        protocol: module of stages that are not ours, or None.
        search: what a search for settings depends on besides, by name; None of a study.
        version: of this schema.
    """

    settings: dict[str, bool | int | float | str | None]
    images: str
    native_crops: str
    imaging: Imaging
    backend: str
    versions: dict[str, str]
    arithmetic: dict[str, bool | str]
    weights: dict[str, str | None]
    processors: tuple[str, ...]
    protocol: str | None = None
    search: dict[str, object] | None = None
    version: int = VERSION


def write(folder: Path, binding: RunBinding) -> None:
    """Writes what the results in a folder depend on, whole or not at all.

    Raises:
        WoolError: the file cannot be written.
    """
    records.write(folder / NAME, binding)


def read(folder: Path) -> RunBinding | None:
    """What the results in a folder depend on, or None where no file says it.

    Raises:
        WoolError: the file is damaged, or of another version.
    """
    # What others call so has no images.
    document = records.read_object(folder / NAME, "settings", "images")
    if document is None:
        return None
    if "version" not in document:
        fields = {words: field for field, words in WORDS.items()}
        document = {fields.get(key, key): value for key, value in document.items()} | {"version": VERSION}
    advice = "restore it from a copy, or choose another folder"
    return records.versioned(document, RunBinding, VERSION, str(folder / NAME), advice)


def around(path: Path) -> RunBinding | None:
    """What the results of the innermost run depend on in whose folder a file lies; None where it lies in none.

    Raises:
        WoolError: as `read`.
    """
    return next((run for folder in path.absolute().parents if (run := read(folder))), None)
