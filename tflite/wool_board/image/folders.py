"""The images of a folder and its subfolders: those that are there, and those that arrive."""

import dataclasses
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wool_board.image.decoding import OTHER_SUFFIXES, SUFFIXES
from wool_board.image.ignored_files import is_ignored

SETTLING = 1.0
"""Seconds for which a file must not have changed, unless it was renamed, before it is taken for complete."""
PATIENCE = 10.0
"""Seconds for which a file must not have changed before it is given up as damaged: its writer may be slow."""
POLL = 0.25
"""Seconds between two looks at a folder."""
REST = 10
"""How many times longer than a look the pause behind it is, so that large folders do not keep the CPU busy."""

Unreadable = Callable[[str, OSError], None]
"""Is told of a folder that cannot be read."""
LeftOut = Callable[[str], None]
"""Is told the path of each file or folder that is litter, and of each image of a format that is not read."""


def images(folder: str, unreadable: Unreadable, left_out: LeftOut) -> Iterator[os.DirEntry]:
    """The entries of a folder and its subfolders that are named like images and are no `ignored_files`."""
    waiting = [folder]
    visited: set[tuple[int, int]] = set()
    while waiting:
        current = waiting.pop()
        try:
            if not _is_new(os.stat(current), visited):
                continue
            with os.scandir(current) as entries:
                found = list(entries)
        except FileNotFoundError as error:
            if current == folder:  # Others may go at any time.
                unreadable(current, error)
            continue
        except OSError as error:
            unreadable(current, error)
            continue
        for entry in found:
            if is_ignored(entry.name):
                left_out(entry.path)
            elif _is_folder(entry):
                waiting.append(entry.path)
            else:
                suffix = os.path.splitext(entry.name)[1].lower()
                if suffix in SUFFIXES:
                    yield entry
                elif suffix in OTHER_SUFFIXES:
                    left_out(entry.path)


def _is_new(status: os.stat_result, visited: set[tuple[int, int]]) -> bool:
    """Whether a folder was not looked through yet: a link may lead back to where it came from."""
    identity = (status.st_dev, status.st_ino)
    if identity in visited:
        return False
    visited.add(identity)
    return True


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads round in a circle, for one.
        return False


@dataclasses.dataclass
class _FileState:
    """A file as it was when it was last looked for.

    Attributes:
        signature: changes when the file is written or replaced.
        since: when it was first seen like this, in seconds of a clock that never jumps.
        arrived: when it was written, as the file says.
        whole: whether it was renamed or copied with its times, which is done when all is written.
        doubtful: whether it could not be decoded.
        done: whether it was dealt with.
    """

    signature: tuple[int, int, int]
    since: float
    arrived: int
    whole: bool
    doubtful: bool = False
    done: bool = False


class FolderWatch:
    """Files that arrive in a folder or its subfolders, each once, as soon as it is complete.

    A file whose status changed after its content was renamed into place: it is ready at once. Any other is ready when
    it has not changed for `SETTLING`. One that then cannot be decoded is tried again when it has not changed for
    `PATIENCE`. Files that are gone are forgotten. A file that is written again, or replaced, counts as another.

    Arguments:
        folder: is looked through; files that are there already have arrived.
        unreadable: is told, once until it can be read again, of a folder that cannot be read.
        left_out: is told once, when there first is any, the paths of what is litter, and once those of images that are
            of formats that are not read.
    """

    def __init__(self, folder: Path, unreadable: Unreadable, left_out: Callable[[list[str]], None]):
        self.folder, self.pause = folder, POLL
        self._unreadable, self._left_out = unreadable, left_out
        self._told_left_out: set[bool] = set()
        self._troubled: set[str] = set()
        self._seen: dict[str, _FileState] = {}

    def poll(self) -> list[Path]:
        """The files that are ready, the oldest first."""
        started = time.monotonic()
        troubled: dict[str, OSError] = {}
        seen: dict[str, _FileState] = {}
        left_out: list[str] = []
        for entry in images(os.fspath(self.folder), troubled.__setitem__, left_out.append):
            try:
                status = entry.stat()
            except OSError:  # Gone already, or a link to nowhere.
                continue
            if stat.S_ISREG(status.st_mode):
                seen[entry.path] = self._look(entry.path, status, started)
        for folder in troubled.keys() - self._troubled:
            self._unreadable(folder, troubled[folder])
        self._troubled = set(troubled)
        self._tell_left_out(left_out)
        # Nothing is known of the files of a folder that cannot be read: they may come back with it.
        folders = tuple(f"{folder}{os.sep}" for folder in troubled)
        self._seen = {path: state for path, state in self._seen.items() if path.startswith(folders)} | seen
        ready = [path for path in seen if _is_ready(seen[path], started)]
        self.pause = max(POLL, REST * (time.monotonic() - started))
        return [Path(path) for path in sorted(ready, key=lambda path: (seen[path].arrived, path))]

    def _tell_left_out(self, paths: list[str]) -> None:
        for kind in (True, False):
            if kind in self._told_left_out:
                continue
            found = [path for path in paths if is_ignored(os.path.basename(path)) == kind]
            # Hidden files alone are what writers call files that are not complete yet: they come and go.
            if any(not os.path.basename(path).startswith(".") for path in found):
                self._told_left_out.add(kind)
                self._left_out(found)

    def _look(self, path: str, status: os.stat_result, now: float) -> _FileState:
        signature, known = _signature(status), self._seen.get(path)
        whole = status.st_size > 0 and status.st_ctime_ns > status.st_mtime_ns
        if known is None or known.signature != signature:
            return _FileState(signature, now, status.st_mtime_ns, whole)
        known.whole = whole
        return known

    def unchanged(self, path: Path) -> bool:
        """Whether a file that was ready is still there as it was."""
        try:
            return _signature(os.stat(path)) == self._seen[os.fspath(path)].signature
        except OSError:
            return False

    def done(self, path: Path) -> None:
        """Keeps a file from being ready again."""
        self._seen[os.fspath(path)].done = True

    def doubt(self, path: Path) -> bool:
        """Whether a file that cannot be decoded is to be tried again later."""
        known = self._seen[os.fspath(path)]
        first, known.doubtful = not known.doubtful, True
        return first


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_ready(file: _FileState, now: float) -> bool:
    if file.done:
        return False
    wait = PATIENCE if file.doubtful else SETTLING
    return now - file.since >= wait or (file.whole and not file.doubtful)
