"""What lies in a folder of scans: a COCO file or a table becomes checked scans with boxes.

The folder holds either `annotations.json` (COCO; every image has the additional key `sample`, and `dark` and `bright`
where there are references) or `annotations.csv` with a row for each box, and one with an empty box for a clean scan:

    scan,sample,x,y,width,height,defect

Everything that is wrong is collected, and named in one line.
"""

import csv
import dataclasses
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from wool_board.errors import BadFile
from wool_board.image import scan_files
from wool_board.image.scan_files import LineFormat
from wool_tf.data.listing import BadFiles
from wool_tf.errors import WoolError

COCO, TABLE = "annotations.json", "annotations.csv"
COLUMNS = ("scan", "sample", "x", "y", "width", "height", "defect")
NO_NAME = "has no file name"

TOLERANCE = 1.0
"""Pixels by which a box may stick out of its scan, as tools that draw boxes let it; it is cut there."""


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


@dataclasses.dataclass(frozen=True)
class _Listed:
    """A scan as a file names it, not yet checked; `where` says what to look for in that file."""

    where: str
    path: str
    sample: object
    dark: str = ""
    bright: str = ""
    size: tuple[object, object] | None = None


@dataclasses.dataclass(frozen=True)
class _Marked:
    where: str
    path: object
    numbers: object
    defect: object


class _BadBox(Exception):
    """What is wrong with a box, as the rest of a sentence that begins with where it stands."""


def load(folder: Path, defects: Iterable[str], raw: LineFormat | None) -> tuple[Scan, ...]:
    """The scans of a folder with their boxes, sorted by path; of every file only the head is read.

    Arguments:
        folder: holds annotations.json or annotations.csv, and the scans.
        defects: every type of defect that may occur.
        raw: how raw files are laid out, if there are any.

    Raises:
        WoolError: something is wrong. One line names up to three flaws, and how many more there are.
    """
    if not folder.is_dir():
        raise WoolError(f"{folder}: {'is not a folder' if folder.exists() else 'no such folder'}; give one with scans")
    files = [name for name in (COCO, TABLE) if os.path.lexists(folder / name)]
    if len(files) != 1:
        which = "both" if files else "neither"
        raise WoolError(f"{folder}: has {which} {COCO} {'and' if files else 'nor'} {TABLE}; give one of them")
    bad, known = BadFiles(folder), tuple(defects)
    try:
        listed, marked = (_from_coco if files == [COCO] else _from_table)(folder / files[0], bad)
        found = _checked_scans(folder, listed, raw, bad)
    except UnicodeDecodeError:
        raise WoolError(f"{folder / files[0]}: is not UTF-8 text") from None
    except OSError as error:
        raise WoolError(f"{error.filename or folder}: cannot be read ({error.strerror})") from None
    boxes: dict[str, list[Box]] = {path: [] for path in found}
    for mark in marked:
        # What is wrong with the scan itself has been said.
        if isinstance(mark.path, str) and mark.path in found:
            try:
                boxes[mark.path].append(_checked_box(mark, found[mark.path], known))
            except _BadBox as flaw:
                bad.add(mark.where, str(flaw))
    bad.refuse()
    if not found:
        raise WoolError(f"{folder / files[0]}: names no scan")
    # Tools write boxes in any order, and the crops must not depend on it.
    return tuple(dataclasses.replace(found[path], boxes=tuple(sorted(boxes[path]))) for path in sorted(found))


def _from_coco(file: Path, bad: BadFiles) -> tuple[list[_Listed], list[_Marked]]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise WoolError(f"{file}: is not JSON ({error})") from None
    images, categories = (_by_id(file, document, kind, bad) for kind in ("images", "categories"))
    listed = []
    for number, image in images.items():
        size = (image["width"], image["height"]) if "width" in image and "height" in image else None
        path, dark, bright = (image.get(name) or "" for name in ("file_name", "dark", "bright"))
        if all(isinstance(name, str) for name in (path, dark, bright)):
            listed.append(_Listed(f"image {number}:", path, image.get("sample"), dark, bright, size))
        else:
            bad.add(f"image {number}:", NO_NAME)
    marked = []
    for number, annotation in _by_id(file, document, "annotations", bad).items():
        where = f"annotation {number}:"
        image, category = (
            known.get(_key(annotation.get(key))) for known, key in ((images, "image_id"), (categories, "category_id"))
        )
        if image is None:
            bad.add(where, f"image_id {annotation.get('image_id')!r} is none of the images")
        elif category is None:
            bad.add(where, f"category_id {annotation.get('category_id')!r} is none of the categories")
        else:
            marked.append(_Marked(where, image.get("file_name"), annotation.get("bbox"), category.get("name")))
    return listed, marked


def _by_id(file: Path, document: object, kind: str, bad: BadFiles) -> dict:
    records = document.get(kind) if isinstance(document, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise WoolError(f"{file}: is not COCO; {kind!r} must be a list of objects")
    found = {}
    for position, record in enumerate(records):
        number = _key(record.get("id"))
        if number is None:
            bad.add(f"{kind}[{position}]", "has no id")
        elif number in found:
            bad.add(f"{kind}[{position}]", f"has the id {number} of another one")
        else:
            found[number] = record
    return found


def _key(value: object) -> int | str | None:
    return value if isinstance(value, int | str) else None


def _from_table(file: Path, bad: BadFiles) -> tuple[list[_Listed], list[_Marked]]:
    listed: dict[str, _Listed] = {}
    marked: list[_Marked] = []
    clean: set[str] = set()
    try:
        with open(file, newline="", encoding="utf-8-sig") as stream:
            # strict: an unclosed quote would otherwise swallow all the lines below it.
            rows = csv.reader(stream, strict=True)
            header = [cell.strip() for cell in next(rows, [])]
            if header != list(COLUMNS):
                raise WoolError(f"{file}: the first line must be {','.join(COLUMNS)}, got {','.join(header)!r}")
            for row in rows:
                if any(cell.strip() for cell in row):
                    where = f"{TABLE} line {rows.line_num}:"
                    if len(row) != len(COLUMNS):
                        bad.add(where, f"has {len(row)} cells; {len(COLUMNS)} are needed")
                        continue
                    path, sample, *numbers, defect = (cell.strip() for cell in row)
                    first = listed.setdefault(path, _Listed(where, path, sample))
                    empty = not any((*numbers, defect))
                    if sample != first.sample:
                        bad.add(where, f"{path} is of sample {first.sample!r} above, here of {sample!r}")
                    elif first.where != where and (empty or path in clean):
                        bad.add(where, f"{path} is listed twice, once without a box")
                    elif empty:
                        clean.add(path)
                    else:
                        marked.append(_Marked(where, path, numbers, defect))
    except csv.Error as error:
        raise WoolError(f"{file}: line {rows.line_num} is not CSV ({error})") from None
    return list(listed.values()), marked


def _checked_scans(folder: Path, listed: list[_Listed], raw: LineFormat | None, bad: BadFiles) -> dict[str, Scan]:
    root = Path(os.path.realpath(folder))
    found: dict[str, Scan] = {}
    files: dict[str, str] = {}
    for item in listed:
        reason = _listing_flaw(root, item)
        file = "" if reason else os.path.realpath(root / item.path)
        if file in files:
            reason = f"{item.path} is listed twice, first as {files[file]}"
        if reason:
            bad.add(item.where, reason)
            continue
        try:
            size = _checked_size(root, item, raw)
        except BadFile as flaw:
            bad.add(item.where, f"{item.path} {flaw}")
            continue
        files[file] = item.where.rstrip(":")
        found[item.path] = Scan(item.path, str(item.sample).strip(), *size, item.dark, item.bright, boxes=())
    bare = [scan.path for scan in found.values() if not scan.dark]
    if 0 < len(bare) < len(found):
        bad.add(bare[0], "has no references, but other scans have; name them for all scans or for none")
    return found


def _checked_size(root: Path, item: _Listed, raw: LineFormat | None) -> tuple[int, int]:
    """Width and number of lines of a scan; raises BadFile if they cannot be read or the list says otherwise."""
    size = scan_files.size(root / item.path, raw)
    if item.size is not None and item.size != size:
        said = "x".join(map(str, item.size))
        raise BadFile(f"is {size[0]}x{size[1]} pixels, but is said to be {said}")
    return size


def _listing_flaw(root: Path, item: _Listed) -> str | None:
    reason = _file_flaw(root, item.path)
    sample = str(item.sample).strip() if isinstance(item.sample, int | str) else ""
    if not reason and not (sample and sample.isprintable()):
        return f"sample of {item.path} is missing; name the physical sample that it shows"
    if not reason and bool(item.dark) != bool(item.bright):
        return f"{item.path} has one reference, but dark and bright go together"
    for name in filter(None, (item.dark, item.bright)):
        reason = reason or _file_flaw(root, name)
    return reason


def _file_flaw(root: Path, path: str) -> str | None:
    """Why a path from a file cannot be used, or None; it must be of a file inside the folder `root`."""
    if not path:
        return NO_NAME
    if not path.isprintable() or "\\" in path:
        return f"{path!r} has a backslash or what is not text in its name"
    # Through a link it may lead out as well.
    inside = Path(os.path.realpath(root / path)).is_relative_to(root)
    if os.path.isabs(path) or ".." in PurePosixPath(path).parts or not inside:
        return f"{path} leads out of the folder; give a path inside it"
    if not os.path.exists(root / path):
        return f"{path} does not exist"
    if not os.path.isfile(root / path):
        return f"{path} is not a file"
    return None


def _checked_box(mark: _Marked, scan: Scan, known: tuple[str, ...]) -> Box:
    """The box in whole pixels, rounded outwards; raises _BadBox."""
    if mark.defect not in known:
        remedy = "correct it, or add it to defects or to invisible"
        raise _BadBox(f"defect {mark.defect!r} is none of {', '.join(known)}; {remedy}")
    try:
        x, y, width, height = map(float, mark.numbers if isinstance(mark.numbers, list) else ())
    except (TypeError, ValueError, OverflowError):
        raise _BadBox(f"box {mark.numbers!r} is not x, y, width and height in pixels") from None
    shown = f"box {x:g}, {y:g} of {width:g}x{height:g} pixels"
    if not all(map(math.isfinite, (x, y, width, height))):
        raise _BadBox(f"{shown} is not finite")
    if width <= 0 or height <= 0:
        raise _BadBox(f"{shown} is empty")
    if min(x, y) < -TOLERANCE or x + width > scan.width + TOLERANCE or y + height > scan.lines + TOLERANCE:
        raise _BadBox(f"{shown} is not inside {scan.path} of {scan.width}x{scan.lines}")
    x0, y0 = max(math.floor(x), 0), max(math.floor(y), 0)
    x1, y1 = min(math.ceil(x + width), scan.width), min(math.ceil(y + height), scan.lines)
    if x0 >= x1 or y0 >= y1:
        raise _BadBox(f"{shown} is not inside {scan.path} of {scan.width}x{scan.lines}")
    return Box(x0, y0, x1, y1, mark.defect)
