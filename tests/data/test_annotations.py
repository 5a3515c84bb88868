import json
import os
import random

import numpy as np
import pytest
from PIL import Image

from wool_tf.data import annotations
from wool_tf.data.annotations import Box, ScanConfig
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


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set" / "scans").mkdir(parents=True)
    for name in ("scans/a.png", "scans/b.png", "dark.png", "bright.png"):
        Image.fromarray(np.zeros((80, 50), np.uint16)).save(tmp_path / "set" / name)
    return tmp_path / "set"


def load(folder, document):
    name = "annotations.csv" if isinstance(document, str) else "annotations.json"
    (folder / name).write_text(document if isinstance(document, str) else json.dumps(document))
    return annotations.load(folder, CONFIG)


def refusal(folder, document):
    with pytest.raises(WoolError) as caught:
        load(folder, document)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(str(folder))
    return line


EXCEL = "\ufeff" + TABLE.replace("\n", "\r\n")


@pytest.mark.parametrize("document", [coco(), TABLE, EXCEL], ids=["coco", "csv", "excel"])
def test_scans_and_boxes_in_whole_pixels(folder, document):
    first, second = load(folder, document)
    assert (first.path, first.sample, first.width, first.lines) == ("scans/a.png", "S1", 50, 80)
    # Rounded outwards, and cut where it sticks out by less than a pixel.
    assert first.boxes == (Box(0, 0, 50, 3, "D1"), Box(10, 20, 15, 26, "D3"))
    assert (second.path, second.sample, second.boxes, second.dark) == ("scans/b.png", "7", (), "")


def test_order_in_the_file_does_not_matter(folder):
    document, mixed = coco(), coco()
    for part in ("images", "annotations", "categories"):
        random.Random(1).shuffle(mixed[part])
    assert load(folder, document) == load(folder, mixed)


def test_references_are_given(folder):
    document = coco()
    for image in document["images"]:
        image |= {"dark": "dark.png", "bright": "bright.png"}
    assert {(scan.dark, scan.bright) for scan in load(folder, document)} == {("dark.png", "bright.png")}


def changed(part, index, **values):
    document = coco()
    document[part][index] |= values
    return document


def added(part, value):
    document = coco()
    document[part].append(value)
    return document


BOX = {"id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (changed("annotations", 0, bbox=[45, 20, 7, 6]), "annotation 1: box 45, 20 of 7x6 pixels is not inside"),
        (changed("annotations", 0, bbox=[-2, 20, 7, 6]), "is not inside"),
        (changed("annotations", 0, bbox=[5, 80.2, 7, 0.5]), "is not inside"),
        (changed("annotations", 0, bbox=[5, 20, -1, 6]), "annotation 1: box 5, 20 of -1x6 pixels is empty"),
        (changed("annotations", 0, bbox=[5, 20, 3, -6]), "is empty"),
        (changed("annotations", 0, bbox=[5, 20, 3]), "annotation 1: box [5, 20, 3] is not x, y, width and height"),
        (changed("annotations", 0, bbox="1234"), "box '1234' is not"),
        (changed("annotations", 0, bbox=[5, 20, 3, float("nan")]), "is not finite"),
        (changed("annotations", 0, bbox=[5, 20, 3, 10**400]), "is not x, y, width and height"),
        (changed("annotations", 0, bbox=None), "box None is not"),
        (changed("annotations", 0, image_id=5), "annotation 1: image_id 5 is none of the images"),
        (changed("annotations", 0, category_id=5), "annotation 1: category_id 5 is none of the categories"),
        (changed("annotations", 0, category_id=[]), "category_id [] is none of the categories"),
        (changed("annotations", 0, category_id=9), "annotation 1: defect 'scratch' is none of D1, D3, D5"),
        (added("annotations", BOX | {"id": 1}), "annotations[2] has the id 1 of another one"),
        (added("images", coco()["images"][0]), "images[2] has the id 1 of another one"),
        (added("categories", {"id": 1, "name": "D5"}), "categories[3] has the id 1 of another one"),
        (changed("images", 0, id=None), "images[0] has no id"),
        (added("images", coco()["images"][0] | {"id": 3}), "image 3: scans/a.png is listed twice, first as image 1"),
        (added("images", coco()["images"][0] | {"id": 3, "file_name": "scans/./a.png"}), "is listed twice"),
        (changed("images", 0, sample=None), "image 1: sample of scans/a.png is missing"),
        (changed("images", 0, sample=" "), "sample of scans/a.png is missing"),
        (changed("images", 0, file_name="scans/c.png"), "image 1: scans/c.png does not exist"),
        (changed("images", 0, file_name="scans"), "scans is not a file"),
        (changed("images", 0, file_name=None), "image 1: has no file name"),
        (changed("images", 0, file_name="../x.png"), "../x.png leads out of the folder"),
        (changed("images", 0, file_name="/etc/passwd"), "/etc/passwd leads out of the folder"),
        (changed("images", 0, file_name="..\\a.png"), "../a.png leads out of the folder"),
        (changed("images", 0, file_name="a\n.png"), "what is not text in its name"),
        (changed("images", 0, height=81), "scans/a.png is 50x80 pixels, but is said to be 50x81"),
        (changed("images", 0, dark="dark.png"), "scans/a.png has one reference, but dark and bright go together"),
        (changed("images", 0, dark="no.png", bright="bright.png"), "no.png does not exist"),
        (changed("images", 0, dark="../no.png", bright="bright.png"), "../no.png leads out"),
        (changed("images", 0, dark="dark.png", bright="bright.png"), "scans/b.png has no references, but"),
        ({"images": []}, "annotations.json: is not COCO; 'categories' must be a list of objects"),
        ([], "is not COCO; 'images' must be a list"),
        ({"images": [1], "annotations": [], "categories": []}, "is not COCO; 'images' must be a list of objects"),
        ({"images": [], "annotations": [], "categories": []}, "annotations.json: names no scan"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_coco_is_named(folder, document, said):
    assert said in refusal(folder, document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the first line must be scan,sample,x,y,width,height,defect, got ''"),
        ("scan,sample\n", "the first line must be scan,sample,x,y"),
        (TABLE + "scans/a.png,S1,1,1,2\n", "annotations.csv line 6: has 5 cells; 7 are needed"),
        (TABLE + "scans/a.png,S2,1,1,2,2,D1\n", "line 6: scans/a.png is of sample 'S1' above, here of 'S2'"),
        (TABLE + "scans/a.png,S1,,,,,\n", "line 6: scans/a.png is listed twice, once without a box"),
        (TABLE + "scans/b.png,7,1,1,2,2,D1\n", "line 6: scans/b.png is listed twice, once without a box"),
        (TABLE + "scans/a.png,S1,1,,2,2,D1\n", "line 6: box ['1', '', '2', '2'] is not x, y, width and height"),
        (TABLE + "scans/a.png,S1,1,1,2,2,\n", "line 6: defect '' is none of D1, D3, D5"),
        (TABLE + "scans/a.png,S1,1,1,2,2,d1\n", "line 6: defect 'd1' is none of"),
        (TABLE + "scans/c.png,S1,1,1,2,2,D1\n", "line 6: scans/c.png does not exist"),
        (TABLE + 'scans/a.png,"S1,1,1,2,2,D1\n', "annotations.csv: line 6 is not CSV"),
        ("scan,sample,x,y,width,height,defect\n", "names no scan"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(folder, text, said):
    assert said in refusal(folder, text)


def test_three_flaws_are_named_and_the_others_counted(folder):
    document = changed("images", 1, sample="")
    document["annotations"] += [BOX | {"id": number, "bbox": [0, 0, -1, 0]} for number in range(3, 7)]
    line = refusal(folder, document)
    assert "image 2: sample" in line and "annotation 3" in line and "annotation 4" in line
    assert "annotation 5" not in line and line.endswith("; and 2 more")


def test_links_must_not_lead_out(folder):
    os.replace(folder / "scans" / "a.png", folder.parent / "a.png")
    (folder / "scans" / "a.png").symlink_to(folder.parent / "a.png")
    assert "image 1: scans/a.png leads out of the folder" in refusal(folder, coco())


def test_a_broken_scan_is_named(folder):
    (folder / "scans" / "a.png").write_bytes(b"")
    assert "image 1: scans/a.png is not a readable PNG or TIFF image" in refusal(folder, coco())


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "9" * 5000], ids=["cut", "deep", "digits"])
def test_not_json(folder, text):
    (folder / "annotations.json").write_text(text)
    with pytest.raises(WoolError, match="annotations.json: is not JSON"):
        annotations.load(folder, CONFIG)


def test_not_text(folder):
    (folder / "annotations.json").write_bytes(b"\xff\xfe\0\0")
    with pytest.raises(WoolError, match="annotations.json: is not UTF-8 text"):
        annotations.load(folder, CONFIG)


def test_one_file_of_annotations_is_needed(folder):
    with pytest.raises(WoolError, match="has neither annotations.json nor annotations.csv"):
        annotations.load(folder, CONFIG)
    (folder / "annotations.csv").write_text(TABLE)
    (folder / "annotations.json").write_text("{}")
    with pytest.raises(WoolError, match="has both annotations.json and annotations.csv"):
        annotations.load(folder, CONFIG)
    with pytest.raises(WoolError, match="no such folder; give one with scans"):
        annotations.load(folder / "no", CONFIG)
    with pytest.raises(WoolError, match="is not a folder"):
        annotations.load(folder / "dark.png", CONFIG)
