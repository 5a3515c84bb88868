"""Tables of boxes: that of the documents, and the CSV export of VIA."""

from collections.abc import Callable
from pathlib import Path

from wool_board.json_text import parsed
from wool_tf.data import csv_tables
from wool_tf.data.annotations.listed_scans import Contents, ListedBox, ListedScan, hull
from wool_tf.data.csv_tables import CsvTable
from wool_tf.data.listing import BadFiles
from wool_tf.data.spelling import cleaned, said
from wool_tf.errors import WoolError, quoted

COLUMNS = ("scan", "sample", "x", "y", "width", "height", "defect")
REFERENCES = ("dark", "bright")
VIA = ("filename", "file_attributes", "region_count", "region_shape_attributes", "region_attributes")
KINDS = ("defect", "type", "class", "label", "name")
"""Attributes of VIA that are the type of a defect where a region has several."""

_CORNERS = {"polygon": ("all_points_x", "all_points_y"), "polyline": ("all_points_x", "all_points_y")}


class _BadRegion(Exception):
    """What is wrong with a region of VIA, as the rest of a sentence."""


def is_one(file: Path, sample_needed: bool) -> bool:
    """Whether a file is a table of boxes, as far as its first line tells."""
    try:
        header = csv_tables.read(file).header
    except (WoolError, OSError):
        return False
    return set(VIA) <= set(header) or not _missing(header, sample_needed)


def read(file: Path, locate: Callable[[str], str], bad: BadFiles, sample_needed: bool) -> Contents:
    """What a table of boxes says.

    Arguments:
        file: the file.
        locate: gives the path in the folder for a path in the file.
        bad: is told what is wrong.
        sample_needed: whether there must be a column of samples.

    Raises:
        WoolError: it is no such table.
        OSError: it cannot be read.
    """
    table = csv_tables.read(file)
    if set(VIA) <= set(table.header):
        return _from_via(file.name, table, locate, bad)
    if _missing(table.header, sample_needed):
        wanted = ",".join(COLUMNS)
        raise WoolError(f"{file}: the first line must be {wanted}, got {table.first_line}")
    return _from_rows(file.name, table, locate, bad)


def _missing(header: tuple[str, ...], sample_needed: bool) -> list[str]:
    return [name for name in COLUMNS if name not in header and (sample_needed or name != "sample")]


def _from_rows(name: str, table: CsvTable, locate: Callable[[str], str], bad: BadFiles) -> Contents:
    scans: dict[str, ListedScan] = {}
    boxes: list[ListedBox] = []
    clean: set[str] = set()
    for line, row in table.rows:
        where = f"{name} line {line}:"
        if len(row) < len(table.header) or any(row[len(table.header) :]):
            bad.add(where, f"has {len(row)} cells; {len(table.header)} are needed")
            continue
        written, sample, *numbers, defect = map(said, table.chosen(row, COLUMNS))
        path = locate(written) if written else ""
        dark, bright = (locate(cell) if said(cell) else "" for cell in table.chosen(row, REFERENCES))
        scan = ListedScan(where, path, path, path.rpartition("/")[2], cleaned(sample), dark, bright)
        first = scans.setdefault(path, scan)
        empty = not any((*numbers, defect))
        if scan.sample != first.sample:
            bad.add(where, f"{path} is of sample {quoted(first.sample)} above, here of {quoted(scan.sample)}")
        elif first.where != where and (empty or path in clean):
            bad.add(where, f"{path} is listed twice, once without a box")
        elif empty:
            clean.add(path)
        else:
            boxes.append(ListedBox(where, path, [table.number(number) for number in numbers], cleaned(defect)))
    return Contents(list(scans.values()), boxes, table.remarks)


def _from_via(name: str, table: CsvTable, locate: Callable[[str], str], bad: BadFiles) -> Contents:
    scans: dict[str, ListedScan] = {}
    boxes: list[ListedBox] = []
    for line, row in table.rows:
        where = f"{name} line {line}:"
        written, of_file, _, shape, attributes = table.chosen(row, VIA)
        path = locate(written) if written else ""
        try:
            about = _attributes(of_file)
            dark, bright = (locate(str(about[key])) if about.get(key) else "" for key in REFERENCES)
            scan = ListedScan(where, path, path, path.rpartition("/")[2], about.get("sample"), dark, bright)
            scans.setdefault(path, scan)
            if outline := _attributes(shape):
                boxes.append(ListedBox(where, path, _around(outline), cleaned(_kind(_attributes(attributes)))))
        except _BadRegion as flaw:
            bad.add(where, str(flaw))
    return Contents(list(scans.values()), boxes, table.remarks)


def _attributes(text: str) -> dict:
    try:
        found = parsed(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _BadRegion(f"{text[:40]!r} is no JSON object, as VIA writes it")
    return found


def _around(outline: dict) -> list:
    """x, y, width and height of a region; raises _BadRegion."""
    shape = outline.get("name")
    try:
        if shape == "rect":
            return [outline[key] for key in ("x", "y", "width", "height")]
        if shape in _CORNERS:
            xs, ys = (outline[key] for key in _CORNERS[shape])
            return hull([[value for pair in zip(xs, ys, strict=True) for value in pair]])
        if shape in ("circle", "ellipse"):
            x, y = float(outline["cx"]), float(outline["cy"])
            across, along = (float(outline[key if key in outline else "r"]) for key in ("rx", "ry"))
            return [x - across, y - along, 2 * across, 2 * along]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _BadRegion(f"is a region {shape} without its numbers") from None
    raise _BadRegion(f"is a region {quoted(shape)}, which has no area; draw a rect, polygon, circle or ellipse")


def _kind(attributes: dict) -> str:
    """The type of a region's defect; empty where there is none. A region of checkboxes has those that are ticked."""
    chosen = {}
    for key, value in attributes.items():
        ticked = [name for name, is_on in value.items() if is_on] if isinstance(value, dict) else [str(value)]
        if len(ticked) == 1 and cleaned(ticked[0]):
            chosen[cleaned(key).casefold()] = ticked[0]
    if len(chosen) > 1:
        chosen = {key: value for key, value in chosen.items() if key in KINDS} or chosen
    if len(chosen) > 1:
        first = next((key for key in KINDS if key in chosen), None)
        if first is None:
            raise _BadRegion(f"has several attributes ({', '.join(chosen)}); call the type of the defect 'defect'")
        return chosen[first]
    return next(iter(chosen.values()), "")
