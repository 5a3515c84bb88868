"""Options of the commands of `station.py`, and those that all programs beside the inspection have.

They stand apart from the commands, whose packages take time to import, and some of which need not be there.
"""

import dataclasses
import math
from pathlib import Path

from wool_board.errors import BadSetting
from wool_board.options import NEEDED, option
from wool_board.settings import check

PIECE_SECONDS = 60.0
"""Within which a piece that is put onto the belt must be rejected, unless something else is said."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeedOptions:
    """Of a program that hears the inspection."""

    feed: Path = option(NEEDED, "Socket of the inspection.", form="SOCKET")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """Of a program that has to do with the station's memory."""

    store: Path = option(NEEDED, "Folder of the station's memory.", form="FOLDER")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordOptions(StoreOptions, FeedOptions):
    """What is to be recorded and how."""

    budget_mb: float = option(
        8000, "Disk space for all of it, in MB: the oldest pictures go first.", at_least=64, below=math.inf
    )
    picture_mb_per_hour: float = option(
        500, "MB of pictures in an hour at most, for a card wears out.", above=0, below=math.inf
    )
    sample: int = option(1000, "Of so many tiles that pass, one is kept as a picture; 0: none.", at_least=0)
    shifts: str = option("06:00,14:00,22:00", "When shifts begin, in local time.", form="TIME[,TIME]")
    defect_percent: str = option(
        "0,2", "Share of tiles that show a defect if all is well, from and to; see docs/station.md.", form="FROM,TO"
    )
    challenge: tuple[str, ...] = option(
        (),
        "A test piece that must be found once in so many minutes; may be given several times.",
        form="PIECE:MINUTES",
        repeated=True,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeOptions(StoreOptions, FeedOptions):
    """Where the page is served, and to whom."""

    port: int = option(8080, "Port of TCP; 0: any that is free.", at_least=0, at_most=65535)
    listen: str | None = option(
        None, "Address to listen on, 0.0.0.0 for all, instead of this machine only.", form="ADDRESS"
    )
    tokens: Path | None = option(
        None,
        "File of lines `read TOKEN` and `write TOKEN`: who may see the page, and who may correct. Needed where others "
        "reach it.",
        form="FILE",
    )
    names: tuple[str, ...] = option(
        (),
        "By which browsers call this machine, besides its own name and its addresses; may be given several times.",
        form="NAME",
        name="name",
        repeated=True,
    )
    certificate: Path | None = option(None, "PEM file of a certificate, for TLS.", form="FILE")
    key: Path | None = option(None, "PEM file of its key.", form="FILE")

    def __post_init__(self) -> None:
        check(self)
        if self.listen is not None and self.tokens is None:
            raise BadSetting("listen", self.listen, "others may reach the page, so `tokens`=FILE is needed")
        if (self.certificate is None) != (self.key is None):
            raise BadSetting(("certificate", "key"), None, "go together")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChallengeOptions(StoreOptions):
    """Which piece is put through, by whom, within how many seconds it must be rejected, and where it lies."""

    piece: str = option(NEEDED, "Its name.")
    operator: str = option(NEEDED, "Who puts it through.")
    seconds: float = option(PIECE_SECONDS, "Time within which it must be rejected.", at_least=1, at_most=600)
    across_mm: str | None = option(
        None, "Between which places across the belt it lies; by default anywhere.", form="LEFT,RIGHT"
    )

    def __post_init__(self) -> None:
        check(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions(StoreOptions):
    """From which store, and into which folder."""

    out: Path = option(
        NEEDED, "New folder, or an empty one, which `reproduce.py --data` takes.", form="OUT", positional=True
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions(StoreOptions):
    """From which store, of which shift or day, and into which file."""

    shift: str = option(
        "last", "`last`, `current`, the beginning of a shift such as 2026-11-26T06:00, or a day such as 2026-11-26."
    )
    out: Path = option(NEEDED, "File to write.", form="OUT.html", positional=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareOptions(StoreOptions):
    """From which store, which two models, and into which file."""

    first: Path = option(NEEDED, "Model A.", form="A", positional=True)
    second: Path = option(NEEDED, "Model B.", form="B", positional=True)
    out: Path = option(NEEDED, "File to write.", form="OUT.html", positional=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelOptions(StoreOptions):
    """What to do with the model in use, with which file, who does it and why."""

    action: str = option(
        NEEDED,
        "`use` FILE: put it into use; `rollback`: put the one before into use again; `list`: all changes.",
        choices=("use", "rollback", "list"),
        form="ACTION",
        positional=True,
    )
    file: Path | None = option(None, "Model to be used.", form="FILE", positional=True)
    models: Path = option(
        NEEDED, "Folder of models, in which current.tflite is a link to the one in use.", form="FOLDER"
    )
    operator: str = option("", "Who does it.")
    note: str = option("", "Why.")

    def __post_init__(self) -> None:
        check(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """What is looked at."""

    config: Path = option(Path("/etc/wool/station.conf"), "Settings of the services.", form="FILE")
