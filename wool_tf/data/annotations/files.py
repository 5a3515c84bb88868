"""Which file in a folder of scans holds the annotations, and what it says, whatever tool wrote it."""

import dataclasses
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from wool_board.image import ignored_files
from wool_tf.data.annotations import box_tables, coco, unsupported_exports
from wool_tf.data.annotations.listed_scans import Contents
from wool_tf.data.listing import BadFiles
from wool_tf.data.spelling import Folder
from wool_tf.errors import WoolError

log = logging.getLogger(__name__)

COCO, TABLE = "annotations.json", "annotations.csv"

PLACES = ("", "images", "images/default")
"""Where files lie that an export names without their folder, as CVAT and Label Studio do."""

_SUBSET = re.compile(r"instances_(.+)\.json", re.IGNORECASE)
"""What CVAT calls the file of a subset, whose images it puts into a folder of that name."""

_ELSEWHERE = re.compile(r"/|[A-Za-z][\w+.-]*:|(.*/)?\.\.(/|$)")
"""Paths that begin at the root of a disk, lead out, or are addresses, as Label Studio writes those of its storage."""


def find(folder: Path, sample_needed: bool) -> Path:
    """The one file of annotations in a folder: of the names of the documents, or what a tool called it.

    Arguments:
        folder: of scans.
        sample_needed: whether a table must have a column of samples.

    Raises:
        WoolError: there is none, or there are several.
        OSError: the folder cannot be read.
    """
    named = [folder / name for name in (COCO, TABLE) if os.path.lexists(folder / name)]
    found = named or list(_exported(folder, sample_needed))
    if len(found) == 1:
        if not named:
            log.info(f"annotations: {found[0]}")
        return found[0]
    if found:
        several = f"both {COCO} and {TABLE}" if named else ", ".join(str(file.relative_to(folder)) for file in found)
        raise WoolError(f"{folder}: has {several}; give one of them" + ("" if named else f", and call it {COCO}"))
    reason = unsupported_exports.told(folder) or _deeper(folder, sample_needed) or _unknown(folder)
    advice = f"; {reason}" if reason else ""
    raise WoolError(f"{folder}: has neither {COCO} nor {TABLE}; give one of them{advice}")


def _beside(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files with these suffixes where tools export annotations to."""
    for place in (folder, folder / "annotations"):
        names = sorted(os.listdir(place)) if place.is_dir() else []
        yield from (
            place / name for name in names if name.lower().endswith(suffixes) and not ignored_files.is_ignored(name)
        )


def _deeper(folder: Path, sample_needed: bool) -> str:
    """Which folder in the folder holds an export, as those of Roboflow's parts do."""
    names = sorted(
        name for name in os.listdir(folder) if not ignored_files.is_ignored(name) and os.path.isdir(folder / name)
    )
    found = (file for name in names for file in _exported(folder / name, sample_needed))
    file = next(found, None)
    return f"there is {file.relative_to(folder)}: give {file.parent} as the folder" if file else ""


def _unknown(folder: Path) -> str:
    seen = next(_beside(folder, (".xml", ".json", ".csv", ".txt")), None)
    return f"{seen.relative_to(folder)} is none: export COCO" if seen else ""


def _exported(folder: Path, sample_needed: bool) -> Iterator[Path]:
    for file in _beside(folder, (".json", ".csv")):
        # Through a link it may lead out of the folder.
        if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)) or not file.is_file():
            continue
        if file.suffix.lower() == ".csv":
            if box_tables.is_one(file, sample_needed):
                yield file
        elif _is_coco(file):
            yield file


def _is_coco(file: Path) -> bool:
    try:
        found, _ = coco.document(file)
    except (WoolError, OSError):
        return False
    return isinstance(found, dict) and all(isinstance(found.get(kind), list) for kind in coco.KINDS)


def read(folder: Path, file: Path, sample_needed: bool, bad: BadFiles) -> Contents:
    """What a file of annotations says.

    Arguments:
        folder: of scans; paths are relative to it, to one of `PLACES` in it, or to where the file lies. Of a COCO file,
            files whose paths lead elsewhere are looked for there by their names.
        file: as `find` gives it.
        sample_needed: whether a table must have a column of samples.
        bad: is told what is wrong.

    Raises:
        WoolError: the file cannot be understood at all.
        OSError: it cannot be read.
    """
    subset, is_coco = _SUBSET.fullmatch(file.name), file.suffix.lower() == ".json"
    places = (*PLACES, *([f"images/{subset[1]}"] if subset else []), file.parent.relative_to(folder).as_posix())
    files, moved = Folder(folder), set[str]()

    def placed(written: str) -> Iterator[str]:
        return (files.path(f"{place}/{written}" if place not in ("", ".") else written) for place in places)

    def locate(written: str) -> str:
        there = [path for path in placed(written) if os.path.lexists(folder / path)]
        plain = written.replace("\\", "/")
        if not there and is_coco and _ELSEWHERE.match(plain):
            there = [path for path in placed(PurePosixPath(plain).name) if os.path.isfile(folder / path)]
            moved.update(there[:1])
        return there[0] if there else next(placed(written))

    if not is_coco:
        return box_tables.read(file, locate, bad, sample_needed)
    found = coco.read(file, locate, bad)
    if not moved:
        return found
    told = f"{len(moved):,} files, {min(moved)} first, are taken from {folder} by name; {file.name} has them elsewhere"
    return dataclasses.replace(found, remarks=(*found.remarks, told))
