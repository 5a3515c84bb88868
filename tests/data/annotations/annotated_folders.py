"""Scans with annotations, as COCO and as a table, for the tests of what reads them."""

import dataclasses
import json

import pytest

from wool_tf.data.annotations.scans import ScanConfig
from wool_tf.data.annotations.scans import load as read
from wool_tf.errors import WoolError

CONFIG = ScanConfig(defects=("D1", "D3"), invisible=("D5",))


def coco():
    """Two scans of 50 × 80 pixels, the second one clean."""
    return {
        "info": {},
        "images": [
            {"id": 1, "file_name": "scans/a.png", "width": 50, "height": 80, "sample": "S1"},
            {"id": 2, "file_name": "scans/b.png", "width": 50, "height": 80, "sample": 7},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "bbox": [10.2, 20.0, 4.5, 6]},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 50.6, 3]},
        ],
        "categories": [{"id": 1, "name": "D1"}, {"id": 3, "name": "D3"}, {"id": 9, "name": "scratch"}],
    }


TABLE = """scan,sample,x,y,width,height,defect
scans/b.png,7,,,,,
scans/a.png,S1,10.2,20.0,4.5,6,D3

scans/a.png,S1,0,0,50.6,3,D1
"""


def load(folder, document):
    name, other = ("annotations.csv", "annotations.json")[:: 1 if isinstance(document, str) else -1]
    (folder / other).unlink(missing_ok=True)
    (folder / name).write_text(document if isinstance(document, str) else json.dumps(document))
    return read(folder, CONFIG)


def refusal(folder, document):
    with pytest.raises(WoolError) as caught:
        load(folder, document)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(str(folder))
    return line


def scans(folder, **config):
    return read(folder, dataclasses.replace(CONFIG, **config))


def changed(part, index, **values):
    document = coco()
    document[part][index] |= values
    return document


def added(part, value):
    document = coco()
    document[part].append(value)
    return document


def bare(document):
    for image in document["images"]:
        del image["sample"]
    return document


BOX = {"id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]}


def said(caplog):
    return [record.getMessage() for record in caplog.records]
