"""What is to be measured: one file, a zip archive, that holds convolutions as TFLite models and says which they are."""

import dataclasses
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wool_board.errors import WoolError
from wool_board.json_text import parsed

VERSION = 1
CONTENTS = "contents.json"
MAKE_ANEW = "make it anew with experiments/latency_table.py --models=FILE"


@dataclasses.dataclass(frozen=True)
class Grid:
    """Convolutions that differ in nothing but their channels.

    Attributes:
        kernel: side of the square kernel.
        stride: step along both axes.
        side: height and width of the output in pixels; the input is `stride` times larger.
        reads, writes: numbers of channels, ascending; there is a convolution for every pair of them.
    """

    kernel: int
    stride: int
    side: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]

    def models(self) -> Iterator[tuple[int, int, str]]:
        """Channels read, channels written, and the name in the archive, of every convolution."""
        for reads in self.reads:
            for writes in self.writes:
                yield reads, writes, f"{self.kernel}x{self.kernel}-{self.stride}-{self.side}/{reads}-{writes}.tflite"


@dataclasses.dataclass(frozen=True)
class ArchiveContents:
    """What is to be measured.

    Attributes:
        grids: over all channels that networks may have, with gaps between.
        sweeps: over neighbouring numbers of channels, which show where times jump.
    """

    grids: tuple[Grid, ...]
    sweeps: tuple[Grid, ...]

    def models(self) -> list[str]:
        """Names of all models, each once."""
        return list(dict.fromkeys(name for grid in (*self.grids, *self.sweeps) for *_, name in grid.models()))


def write(path: Path, wanted: ArchiveContents, models: Mapping[str, bytes]) -> None:
    """Writes the archive.

    Arguments:
        path: of the file.
        wanted: ArchiveContents.
        models: by name, all of `wanted.models()`.

    Raises:
        OSError: it cannot be written.
    """
    contents = {"version": VERSION, **dataclasses.asdict(wanted)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(CONTENTS, json.dumps(contents))
        for name in wanted.models():
            archive.writestr(name, models[name])


def read(path: Path) -> ArchiveContents:
    """What an archive holds.

    Raises:
        WoolError: the file cannot be read, is no such archive, is of another version, or lacks a model.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents, present = parsed(archive.read(CONTENTS)), set(archive.namelist())
    except OSError as error:
        raise WoolError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise WoolError(f"{path}: is no archive of convolutions; {MAKE_ANEW}") from None
    found = contents.get("version") if isinstance(contents, dict) else None
    if found != VERSION:
        raise WoolError(f"{path}: is of version {found}, not {VERSION}; {MAKE_ANEW}")
    try:
        wanted = ArchiveContents(*(tuple(map(_grid, contents[kind])) for kind in ("grids", "sweeps")))
    except (KeyError, TypeError, ValueError):
        raise WoolError(f"{path}: {CONTENTS} in it is damaged; {MAKE_ANEW}") from None
    for name in wanted.models():
        if name not in present:
            raise WoolError(f"{path}: lacks the model {name}; {MAKE_ANEW}")
    return wanted


def _grid(entry: Mapping) -> Grid:
    kernel, stride, side = (int(entry[name]) for name in ("kernel", "stride", "side"))
    return Grid(kernel, stride, side, _channels(entry["reads"]), _channels(entry["writes"]))


def _channels(values: Sequence) -> tuple[int, ...]:
    found = tuple(map(int, values))
    if not found or found[0] < 1 or found != tuple(sorted(set(found))):
        raise ValueError("channels ascend from 1 or more")
    return found
