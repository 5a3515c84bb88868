"""Exports of labelling tools that are not read: which tool made a file, and which of its exports is read.

Files are told by what they hold, for their names are anybody's.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from wool_board.image import ignored_files
from wool_board.json_text import parsed
from wool_tf.data import csv_tables
from wool_tf.errors import WoolError

MOST = 1 << 16
"""Bytes of a text that are looked at."""

PLACES = ("", "annotations", "Annotations", "ann", "labels", "*/ann", "*/labels", "labels/*")
"""Where tools put the files of single images."""

SHOWN = 200
"""Files that are looked at; an export has many of one kind."""

_CVAT = "CVAT's XML; export COCO 1.0 from CVAT"
_VOC = "Pascal VOC's XML; export COCO, or convert it"
_YOLO = "YOLO's text, whose boxes are shares of the image; export COCO"
_JSONS: tuple[tuple[Callable[[object], bool], str], ...] = (
    (lambda it: _has(it, "shapes", "imagePath"), "LabelMe's JSON of one image; make COCO of all with labelme2coco"),
    (lambda it: _has(it, "objects", "size"), "Supervisely's JSON of one image; run its app Export to COCO"),
    (lambda it: _has(it, "classes", "projectType"), "Supervisely's meta.json; run its app Export to COCO"),
    (lambda it: _has(it, "_via_img_metadata"), "a project of VIA; choose Export Annotations as COCO or csv"),
    (lambda it: _is_via(it), "VIA's own JSON; choose Export Annotations as COCO or csv"),
    (lambda it: _has(it, "categories", "items"), "Datumaro's JSON; export COCO"),
    (lambda it: _is_list_of(it, "annotations", "data"), "Label Studio's JSON; export COCO"),
    (lambda it: _is_list_of(it, "image", "annotations"), "CreateML's JSON; export COCO"),
    (lambda it: _is_list_of(it, "image", "annotation_id"), "Label Studio's JSON-MIN; export COCO"),
    (lambda it: _is_list_of(it, "bbox", "image_id"), "a list of COCO results, which has no images; export all of COCO"),
)
_TABLES = (
    (("xmin", "ymin", "xmax", "ymax"), "a table of corners; name columns scan, sample, x, y, width, height, defect"),
    (("image", "annotation_id"), "Label Studio's CSV; export COCO"),
)
_YOLO_LINE = re.compile(r"\d+( +-?\d*\.?\d+(e-?\d+)?){4,}\s*")


def told(folder: Path) -> str:
    """What the first export in a folder is that is not read, and what to do; empty where there is none.

    Arguments:
        folder: of scans.

    Raises:
        OSError: it cannot be read.
    """
    for file in _files(folder):
        kind = what(file)
        if kind:
            return f"{file.relative_to(folder)} is {kind}"
    return ""


def what(file: Path) -> str:
    """What a file of a labelling tool is and what to export instead, in a line; empty where it is unknown."""
    suffix = file.suffix.lower()
    try:
        if suffix == ".json":
            return of_json(parsed(file.read_text("utf-8-sig")))
        if suffix == ".csv":
            header = csv_tables.read(file).header
            return next((kind for names, kind in _TABLES if set(names) <= set(header)), "")
        with open(file, encoding="utf-8-sig", errors="replace") as text:
            return _of_text(suffix, text.read(MOST))
    except (OSError, ValueError, WoolError):
        return ""


def of_json(found: object) -> str:
    """As `what`, of the content of a JSON file."""
    return next((kind for matches, kind in _JSONS if matches(found)), "")


def _of_text(suffix: str, text: str) -> str:
    if suffix == ".xml":
        root = re.search(r"<(annotations?)[\s>/]", text)
        return "" if root is None else _CVAT if root[1] == "annotations" else _VOC
    lines = [line for line in text.splitlines()[:-1] or text.splitlines() if line.strip()]
    return _YOLO if suffix == ".txt" and lines and all(map(_YOLO_LINE.fullmatch, lines)) else ""


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for place in PLACES:
        for parent in sorted(folder.glob(place)) if place else [folder]:
            names = sorted(path for path in parent.iterdir()) if parent.is_dir() else []
            for file in names:
                is_text = file.suffix.lower() in (".xml", ".json", ".csv", ".txt") and file.is_file()
                if is_text and not ignored_files.is_ignored(file.name):
                    yield file
                    count += 1
                if count == SHOWN:
                    return


def _has(found: object, *keys: str) -> bool:
    return isinstance(found, dict) and all(key in found for key in keys)


def _is_list_of(found: object, *keys: str) -> bool:
    return isinstance(found, list) and bool(found) and _has(found[0], *keys)


def _is_via(found: object) -> bool:
    return isinstance(found, dict) and bool(found) and _has(next(iter(found.values())), "filename", "regions")
