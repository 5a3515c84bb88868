"""The model in use: a link in a folder of models, replaced in one step, with a book of who changed it and when.

The book is in the store. A power cut between the change and its record leaves a whole model in use, which the next
change finds and enters.
"""

import contextlib
import dataclasses
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wool_board.errors import Unusable, WoolError
from wool_board.model import card_file
from wool_station.models.change import FOUND, ROLLBACK, USE, ModelChange
from wool_station.store import schema

LINK = "current.tflite"
ELSEWHERE = "was put there by other means"


class Model(NamedTuple):
    """A file of the folder, the SHA-256 of its network, and that of all of it, since the threshold is on its card.

    Both are empty of one that is no model, or gone.
    """

    file: str
    sha256: str
    digest: str


class Models:
    """A folder of models.

    Arguments:
        folder: of the models.
        store: folder of the station's memory.

    Raises:
        WoolError: one of them is not there, or `current.tflite` is no link.
    """

    def __init__(self, folder: Path, store: Path):
        if not folder.is_dir():
            raise Unusable("models", folder, f"no such folder; give the one in which {LINK} is")
        schema.check_store(store)
        self._folder, self._store, self._link = folder, store, folder / LINK
        if self._link.exists() and not self._link.is_symlink():
            raise WoolError(f"{self._link}: is a file, but must be a link to one; rename it, and make the link")

    def current(self) -> Model | None:
        """The model in use; None if there is none."""
        try:
            file = os.readlink(self._link)
        except FileNotFoundError:
            return None
        try:
            return Model(file, *_digests(self._folder / file))
        except WoolError:
            # Another one must be able to take its place.
            return Model(file, "", "")

    def use(self, file: Path, operator: str, note: str) -> ModelChange:
        """Puts a model into use; one from elsewhere is copied into the folder.

        Raises:
            WoolError: it is no model, or it is in use already.
            OSError, sqlite3.Error: nothing was changed.
        """
        digests, present = _digests(file), self.current()
        if present and (present.sha256, present.digest) == digests:
            raise WoolError(f"{file}: is in use already, as {present.file}")
        change = ModelChange.now(USE, "", *digests, operator, note)
        change = dataclasses.replace(change, file=self._taken_in(file, change.digest))
        with self._book() as database:
            self._enter_found(database)
            return self._change(database, change)

    def rollback(self, operator: str, note: str) -> ModelChange:
        """Puts the model into use that was before the present one.

        Raises:
            WoolError: none was, or its file is gone or another one.
            OSError, sqlite3.Error: nothing was changed.
        """
        with self._book() as database:
            self._enter_found(database)
            before = _in_use([ModelChange.of(row) for row in database.execute("SELECT * FROM models ORDER BY id")])[:-1]
            if not before:
                raise Unusable("models", self._folder, "no model was in use before this one")
            model = before[-1]
            if _digests(self._folder / model.file) != (model.sha256, model.digest):
                raise WoolError(f"{self._folder / model.file}: is another model than the one that was in use")
            return self._change(database, ModelChange.now(ROLLBACK, *model, operator, note))

    @contextlib.contextmanager
    def _book(self) -> Iterator[sqlite3.Connection]:
        """The book, for one change: no other process changes anything meanwhile."""
        database = schema.connect(self._store)
        try:
            with schema.transaction(database):
                yield database
        finally:
            database.close()

    def _enter_found(self, database: sqlite3.Connection) -> None:
        """Enters the model in use, if the book does not know of it."""
        present = self.current()
        last = database.execute("SELECT file, sha256, digest FROM models ORDER BY id DESC LIMIT 1").fetchone()
        if present and present.sha256 and (last is None or tuple(last) != present):
            ModelChange.now(FOUND, *present, "", ELSEWHERE).put(database)

    def _change(self, database: sqlite3.Connection, change: ModelChange) -> ModelChange:
        change.put(database)
        beside = self._folder / f".{LINK}.{os.getpid()}"
        try:
            os.symlink(change.file, beside)
            os.replace(beside, self._link)
        finally:
            beside.unlink(missing_ok=True)
        _sync(self._folder)
        return change

    def _taken_in(self, file: Path, digest: str) -> str:
        """The name of a model in the folder, into which it is copied if it is not there."""
        if file.resolve().parent == self._folder.resolve():
            return file.resolve().name
        name = f"{file.stem}-{digest[:8]}.tflite"
        beside = self._folder / f".{name}.{os.getpid()}"
        try:
            shutil.copyfile(file, beside)
            _digests(beside)
            beside.chmod(0o644)
            _sync(beside)
            os.replace(beside, self._folder / name)
        finally:
            beside.unlink(missing_ok=True)
        return name


def _digests(file: Path) -> tuple[str, str]:
    """SHA-256 of the network of a model, and of its file."""
    network = card_file.read(file).model.sha256
    try:
        return network, hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise WoolError(f"{file}: cannot be read ({error.strerror or error})") from None


def _in_use(changes: list[ModelChange]) -> list[Model]:
    """The models that a way back leads over, the present one last."""
    models: list[Model] = []
    for change in changes:
        if change.action == ROLLBACK:
            models.pop()
        else:
            models.append(Model(change.file, change.sha256, change.digest))
    return models


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
