"""What lies in a folder of scans: a COCO file or a table becomes checked scans with boxes.

The folder holds either `annotations.json` (COCO; every image has the additional key `sample`, and `dark` and `bright`
where there are references) or `annotations.csv` with a row for each box, and one with an empty box for a clean scan:

    scan,sample,x,y,width,height,defect

or one file that a labelling tool exported, see `coco` and `box_tables`. Everything that is wrong is collected, and
named in one line.
"""

import dataclasses
import logging
import math
import os
from collections.abc import Hashable, Iterable
from pathlib import Path

from wool_board.errors import BadFile, few
from wool_board.image import ignored_files, scan_files
from wool_board.image.scan_files import LineFormat
from wool_tf.data import listed_paths
from wool_tf.data.annotations import files
from wool_tf.data.annotations.coco import NO_NAME
from wool_tf.data.annotations.listed_scans import ListedBox, ListedScan, whole
from wool_tf.data.crop_entries import is_ignored
from wool_tf.data.listing import BadFiles
from wool_tf.data.naming import SampleNaming
from wool_tf.data.sample_bits import SampleBits
from wool_tf.data.spelling import Spellings, cleaned, is_missing, nfc
from wool_tf.errors import BadSetting, WoolError, quoted
from wool_tf.settings import setting

log = logging.getLogger(__name__)

TOLERANCE = 1.0
"""Pixels by which a box may stick out of its scan, as tools that draw boxes let it; it is cut there."""


@dataclasses.dataclass(frozen=True)
class ScanConfig(SampleNaming, SampleBits):
    """What the scans of a folder are, and what is marked in them.

    Raises:
        BadSetting: a value breaks its rule.
    """

    defects: tuple[str, ...] = setting(
        ("D1", "D2", "D3", "D6"), "Types of defects that X-rays show; they make a crop defective."
    )
    invisible: tuple[str, ...] = setting(
        ("D4", "D5"), "Types of defects that may be marked, but make no difference to the class."
    )
    dark: Path | None = setting(None, "Scan without beam, for all scans; default: the one that the annotations name.")
    bright: Path | None = setting(
        None, "Scan of the empty belt, for all scans; default: the one that the annotations name."
    )
    open_beam: float | None = setting(
        None,
        "Counts of the open beam in scans without references; default: the highest count that a sample can have.",
        above=0,
        below=math.inf,
    )
    raw: LineFormat | None = None

    def __post_init__(self) -> None:
        SampleNaming.__post_init__(self)
        SampleBits.__post_init__(self)
        both = sorted(set(self.defects) & set(self.invisible))
        if not self.defects or both:
            rule = f"{both[0]} is one of the invisible as well" if both else "name one or more"
            raise BadSetting("defects", self.defects, rule)
        if bool(self.dark) != bool(self.bright):
            raise BadSetting("bright" if self.dark else "dark", None, "is missing; dark and bright go together")
        if self.dark and self.open_beam is not None:
            raise BadSetting("open_beam", self.open_beam, "the references tell it; give either")

    @property
    def types(self) -> dict[str, str]:
        """Every type of defect that may occur, as it is given, by its cleaned name."""
        return {cleaned(each): each for each in (*self.defects, *self.invisible)}


@dataclasses.dataclass(frozen=True, order=True)
class Box:
    """A marked defect, in whole pixels: x across and y along the belt, the end exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int
    defect: str = ""

    def touches(self, other: "Box") -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


@dataclasses.dataclass(frozen=True)
class Scan:
    """A scan: its path in the folder, the physical sample that it shows, its size in pixels and its boxes, sorted.

    `dark` and `bright` are its references as paths in the folder, or "" where none are named.
    """

    path: str
    sample: str
    width: int
    lines: int
    dark: str
    bright: str
    boxes: tuple[Box, ...]


class _BadBox(Exception):
    """What is wrong with a box, as the rest of a sentence that begins with where it stands."""


class _NoArea(Exception):
    """A box has no area, as a click without a drag leaves it."""


def load(folder: Path, config: ScanConfig) -> tuple[Scan, ...]:
    """The scans of a folder with their boxes, sorted by path; of every file only the head is read.

    What a person should know of how the folder was understood is logged.

    Arguments:
        folder: holds the scans and one file of annotations.
        config: ScanConfig.

    Raises:
        WoolError: something is wrong. One line names up to three flaws, and how many more there are.
    """
    if not folder.is_dir():
        raise WoolError(f"{folder}: {'is not a folder' if folder.exists() else 'no such folder'}; give one with scans")
    bad = BadFiles(folder)
    try:
        file = files.find(folder, config.sample_from is None)
        contents = files.read(folder, file, config.sample_from is None, bad)
        listed = _without_litter(contents.scans)
        found = _checked_scans(folder, listed, config, bad)
    except OSError as error:
        raise WoolError(f"{error.filename or folder}: cannot be read ({error.strerror})") from None
    for remark in contents.remarks:
        log.info(remark)
    boxes = _checked_boxes(contents.boxes, found, config, bad)
    bad.refuse()
    if not found:
        raise WoolError(f"{file}: names no scan")
    # Tools write boxes in any order, and the crops must not depend on it, nor on how a file system keeps names.
    scans = (dataclasses.replace(scan, boxes=tuple(sorted(boxes[key]))) for key, scan in found.items())
    return tuple(sorted(scans, key=lambda scan: nfc(scan.path)))


def with_references(found: tuple[Scan, ...], folder: Path, config: ScanConfig) -> tuple[Scan, ...]:
    """The scans with the paths of their references as they can be opened; "" where they have none, which is logged.

    Raises:
        WoolError: a reference that is given is not there, or the open beam is given although references tell it.
    """
    for file in filter(None, (config.dark, config.bright)):
        if not file.is_file():
            raise WoolError(f"{file}: no such file; give a reference scan")
    if config.open_beam and found[0].dark:
        raise BadSetting("open_beam", config.open_beam, f"the references in {folder} tell it; leave it out")
    if config.dark:
        return tuple(dataclasses.replace(s, dark=str(config.dark), bright=str(config.bright)) for s in found)
    if found[0].dark:
        return tuple(dataclasses.replace(s, dark=str(folder / s.dark), bright=str(folder / s.bright)) for s in found)
    beside = sorted(name for name in os.listdir(folder) if name.lower().startswith(("dark.", "bright.")))
    if beside and not config.open_beam:
        log.info(
            f"{' and '.join(beside)} lie in {folder} and are not used; if they are references, give `dark` and `bright`"
        )
    return found


def _without_litter(listed: Iterable[ListedScan]) -> list[ListedScan]:
    kept, ignored = [], []
    for item in listed:
        if is_ignored(item.path):
            ignored.append(item.path)
        else:
            kept.append(item)
    if ignored:
        log.info(ignored_files.told(ignored))
    return kept


def _checked_scans(
    folder: Path, listed: Iterable[ListedScan], config: ScanConfig, bad: BadFiles
) -> dict[Hashable, Scan]:
    root, samples = Path(os.path.realpath(folder)), Spellings("samples")
    found: dict[Hashable, Scan] = {}
    files: dict[str, str] = {}
    for item in listed:
        sample = samples.read(_sample(item, config))
        reason = _listing_flaw(root, item, sample, config)
        file = "" if reason else os.path.realpath(root / item.path)
        if file in files:
            reason = f"{item.path} is listed twice, first as {files[file]}"
        if reason:
            bad.add(item.where, reason)
            continue
        try:
            size = _checked_size(root, item, config.raw)
        except BadFile as flaw:
            bad.add(item.where, f"{item.path} {flaw}")
            continue
        files[file] = item.where.rstrip(":")
        found[item.key] = Scan(item.path, sample, *size, item.dark, item.bright, boxes=())
    bare = [scan.path for scan in found.values() if not scan.dark]
    if 0 < len(bare) < len(found):
        bad.add(bare[0], "has no references, but other scans have; name them for all scans or for none")
    for remark in samples.remarks():
        log.info(remark)
    return found


def _sample(item: ListedScan, config: ScanConfig) -> str:
    """The sample of a scan as a text, or "" where nothing names it."""
    given = whole(item.sample) if isinstance(item.sample, float) else item.sample
    told = "" if given is None or isinstance(given, bool) or not isinstance(given, int | float | str) else str(given)
    return config.sample(item.name) if is_missing(told) else told


def _checked_size(root: Path, item: ListedScan, raw: LineFormat | None) -> tuple[int, int]:
    """Width and number of lines of a scan; raises BadFile if they cannot be read or the list says otherwise."""
    size = scan_files.size(root / item.path, raw)
    if item.size is not None and item.size != size:
        said = "x".join(map(str, item.size))
        raise BadFile(f"is {size[0]}x{size[1]} pixels, but is said to be {said}")
    return size


def _listing_flaw(root: Path, item: ListedScan, sample: str, config: ScanConfig) -> str | None:
    reason = _file_flaw(root, item.path)
    if not reason and not sample and config.sample_from is not None:
        return f"{item.path}: `sample_from` finds no sample in the name {quoted(item.name)}"
    if not reason and not (sample and sample.isprintable()):
        return f"sample of {item.path} is missing; name the physical sample, or give `sample_from`"
    if not reason and bool(item.dark) != bool(item.bright):
        return f"{item.path} has one reference, but dark and bright go together"
    for name in filter(None, (item.dark, item.bright)):
        reason = reason or _file_flaw(root, name)
    return reason


def _file_flaw(root: Path, path: str) -> str | None:
    """Why a path from a file cannot be used, with its name, or None; it must be of a file inside the folder `root`."""
    if not path:
        return NO_NAME
    # Before its links are followed, which a NUL among its letters would stop.
    file = os.path.realpath(root / path) if path.isprintable() else ""
    reason = listed_paths.flaw(path, file, [os.path.realpath(root)])
    return reason and f"{path if path.isprintable() else quoted(path)} {reason}"


def _checked_boxes(
    marked: Iterable[ListedBox], found: dict[Hashable, Scan], config: ScanConfig, bad: BadFiles
) -> dict[Hashable, list[Box]]:
    """The boxes of every scan; those without area are left out, and told."""
    boxes: dict[Hashable, list[Box]] = {key: [] for key in found}
    empty = []
    for mark in marked:
        # What is wrong with the scan itself has been said.
        if mark.scan in found:
            try:
                boxes[mark.scan].append(_checked_box(mark, found[mark.scan], config.types))
            except _NoArea:
                empty.append(mark.where.rstrip(":"))
            except _BadBox as flaw:
                bad.add(mark.where, str(flaw))
    if empty:
        log.info(f"{len(empty)} boxes without area are left out: {few(empty)}")
    return boxes


def _checked_box(mark: ListedBox, scan: Scan, types: dict[str, str]) -> Box:
    """The box in whole pixels, rounded outwards; raises _BadBox or _NoArea."""
    if mark.flaw:
        raise _BadBox(mark.flaw)
    try:
        x, y, width, height = map(float, mark.numbers if isinstance(mark.numbers, list) else ())
    except (TypeError, ValueError, OverflowError):
        raise _BadBox(f"box {quoted(mark.numbers)} is not x, y, width and height in pixels") from None
    shown = f"box {x:g}, {y:g} of {width:g}x{height:g} pixels"
    if not all(map(math.isfinite, (x, y, width, height))):
        raise _BadBox(f"{shown} is not finite")
    if width < 0 or height < 0:
        raise _BadBox(f"{shown} is empty")
    if not width or not height:
        raise _NoArea
    if mark.defect not in types:
        remedy = "correct it, or add it to `defects` or to `invisible`"
        raise _BadBox(f"defect {quoted(mark.defect)} is none of {', '.join(types.values())}; {remedy}")
    if max(width, height) <= 1 and max(x + width, y + height) <= 1 and not (width == height == 1):
        raise _BadBox(f"{shown} is smaller than a pixel in the first one; are these shares of the image? Export pixels")
    if min(x, y) < -TOLERANCE or x + width > scan.width + TOLERANCE or y + height > scan.lines + TOLERANCE:
        raise _BadBox(f"{shown} is not inside {scan.path} of {scan.width}x{scan.lines}")
    x0, y0 = max(math.floor(x), 0), max(math.floor(y), 0)
    x1, y1 = min(math.ceil(x + width), scan.width), min(math.ceil(y + height), scan.lines)
    if x0 >= x1 or y0 >= y1:
        raise _BadBox(f"{shown} is not inside {scan.path} of {scan.width}x{scan.lines}")
    return Box(x0, y0, x1, y1, types[str(mark.defect)])
