"""The work of `station.py model`."""

import dataclasses
import sqlite3
from pathlib import Path

import numpy as np

from wool_board.errors import UsageError, WoolError
from wool_board.model.recognizer import Recognizer
from wool_station.models.active_model import Models
from wool_station.models.change import USE, ModelChange
from wool_station.report.content import moment
from wool_station.store.reader import StoreReader

LIST = "list"


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """What to do (`use`, `rollback`, `list`), with which file, who does it and why; folders of models and of store."""

    action: str
    file: Path | None
    models: Path
    store: Path
    operator: str
    note: str


def run(options: ModelOptions) -> int:
    """Changes the model in use, or says which one is and which were.

    Raises:
        WoolError: an option or a file is wrong.
    """
    if (options.action == USE) != (options.file is not None):
        raise UsageError(f"{options.action}: {'needs a FILE' if options.action == USE else 'takes no file'}")
    if options.action != LIST and not options.operator:
        raise UsageError(f"{options.action}: needs --operator=NAME")
    models = Models(options.models, options.store)
    try:
        if options.action == LIST:
            print(_listed(models, StoreReader(options.store)))
            return 0
        if options.file is not None:
            _try(options.file)
            change = models.use(options.file, options.operator, options.note)
        else:
            change = models.rollback(options.operator, options.note)
    except sqlite3.Error as error:
        raise WoolError(f"--store={options.store}: cannot be written ({error}); nothing was changed") from None
    except OSError as error:
        raise WoolError(f"--models={options.models}: cannot be changed ({error.strerror or error})") from None
    print(f"{_line(change)}\nRestart the inspection, which has read the model before: systemctl restart wool-inspect")
    return 0


def _try(file: Path) -> None:
    """Has a model look at an empty crop: one that cannot must not get into use."""
    recognizer = Recognizer(file)
    score = recognizer.recognize(np.full((recognizer.side, recognizer.side), 255, np.uint8)).score
    if not 0 <= score <= 1:
        raise WoolError(f"{file}: gives an empty crop the score {score}, which is not a number from 0 to 1")


def _listed(models: Models, reader: StoreReader) -> str:
    present = models.current()
    lines = [_line(ModelChange.of(row)) for row in reader.rows("SELECT * FROM models ORDER BY id")]
    about = present and (present.sha256[:16] or "which is no model, or gone")
    in_use = f"in use: {present.file}, {about}" if present else "no model is in use"
    return "\n".join([*lines, in_use])


def _line(change: ModelChange) -> str:
    who = change.operator or "nobody known"
    return (
        f"{moment(change.time)}  {change.action:8}  {change.file}  {change.sha256[:16]}  {who}  {change.note}".rstrip()
    )
