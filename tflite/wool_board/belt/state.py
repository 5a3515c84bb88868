"""What a later inspection has to know of this one, in a small file that is whole whenever the power fails.

Each version is written beside the file, forced onto the disk, and renamed over it. That is done by a thread of its own,
for a card may take long.
"""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from wool_board.belt.beam import LIMIT
from wool_board.errors import WoolError
from wool_board.json_text import parsed
from wool_board.machine.clocks import Moment

FORMAT = 1
CLOSING_SECONDS = 5.0

MOST = 1e13
"""Millimetres or seconds that nobody gets to: 300,000 years."""


@dataclasses.dataclass(frozen=True)
class State:
    """How far an inspection was.

    Attributes:
        along_mm: of the belt, before which all has been told, and taken by whoever reads the events.
        arrived_mm: of the belt, before which all lines have arrived.
        time: when, in seconds since 1970.
        level: attenuation of the open beam by the references.
        ended: whether the inspection came to its end.
        untold: events that were left out and of which nobody was told: `OmittedEvents.fields()`, or None.
        elements: that were ill, by what is wrong with them: `ElementWatch.ill`.
        boot, uptime, clock_set: how far that time is to be believed, as of `Moment`; earlier versions left none.
        references: what tells the references from others, `FlatField.fingerprint`; earlier versions left none.
    """

    along_mm: float
    arrived_mm: float
    time: float
    level: float
    ended: bool
    untold: dict | None
    elements: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    boot: str | None = None
    uptime: float = 0.0
    clock_set: bool = False
    references: str | None = None

    @property
    def moment(self) -> Moment:
        """When that was."""
        return Moment(self.time, self.boot, self.uptime, self.clock_set)


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Keeps other inspections from a file as long as the context lasts; the system does so until the process is gone.

    Raises:
        WoolError: another inspection has it.
    """
    path = Path(os.path.realpath(path))
    with contextlib.ExitStack() as stack:
        # Where there cannot be a lock, there cannot be a state either, which is said when it is to be read or written.
        with contextlib.suppress(OSError):
            lock = os.open(path.parent / f".{path.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WoolError(
                    f"--state={path}: another inspection has it; end that one, or give another file"
                ) from None
        yield


def read(path: Path) -> State | None:
    """The state in a file; None if there is no such file, or no state in it.

    Raises:
        WoolError: the file cannot be read.
    """
    try:
        found = parsed(path.read_text())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WoolError(f"--state={path}: cannot be read ({error.strerror})") from None
    except ValueError:
        return None
    try:
        if found.pop("format") != FORMAT:
            return None
        state = State(**found)
        return state if _is_sound(state) else None
    except (AttributeError, KeyError, TypeError):
        return None


def _is_sound(state: State) -> bool:
    numbers = state.along_mm, state.arrived_mm, state.time, state.uptime
    return (
        all(_is_number(number, -MOST, MOST) for number in numbers)
        and _is_number(state.level, -LIMIT, LIMIT)
        and 0 <= state.along_mm <= state.arrived_mm
        and state.uptime >= 0
        and type(state.ended) is type(state.clock_set) is bool
        and isinstance(state.boot, str | None)
        and isinstance(state.references, str | None)
        and (state.untold is None or _are_untold(state.untold))
        and _are_elements(state.elements)
    )


def _is_number(value: object, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _are_untold(found: dict) -> bool:
    """Whether it is what `OmittedEvents.fields` gives."""
    events, along = found["events"], found["along_mm"]
    counted = isinstance(events, dict) and all(_is_number(count, 0, MOST) for count in events.values())
    return counted and (along is None or (len(along) == 2 and all(_is_number(place, 0, MOST) for place in along)))


def _are_elements(found: object) -> bool:
    return isinstance(found, dict) and all(
        isinstance(each, list) and all(type(element) is int for element in each) for each in found.values()
    )


def write(path: Path, state: State) -> None:
    """Puts a state into a file; raises OSError if that fails, and then the file is as before."""
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is not a file")
    beside = path.with_name(f".{path.name}.new")
    with open(beside, "w") as file:
        json.dump({"format": FORMAT, **dataclasses.asdict(state)}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class StateWriter:
    """Writes states with a thread of its own, the newest one only.

    Arguments:
        path: of the file.

    Attributes:
        trouble: why the last write failed, or None.
    """

    def __init__(self, path: Path):
        self.trouble: str | None = None
        self._path = path
        self._changed = threading.Condition()
        self._next: State | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def save(self, state: State) -> None:
        """Has a state written soon."""
        with self._changed:
            self._next = state
            self._changed.notify()

    def __enter__(self) -> "StateWriter":
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for the last state to be written; not for ever, for a card may hang."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSING_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._closed)
                state, self._next = self._next, None
            if state is None:
                return
            self._write(state)

    def _write(self, state: State) -> None:
        try:
            write(self._path, state)
            self.trouble = None
        except OSError as error:
            self.trouble = error.strerror or str(error)
            with contextlib.suppress(OSError):
                self._path.with_name(f".{self._path.name}.new").unlink()
