"""Boxes of annotations: in which ways they are written, and what they are in pixels."""

import pytest
from annotated_folders import BOX, changed, coco, load, refusal, said

from wool_tf.data.annotations.scans import Box


def texts(document):
    """Every number as a text."""
    for image in document["images"]:
        image |= {name: str(image[name]) for name in ("id", "width", "height")}
    for mark in document["annotations"]:
        mark |= {name: str(mark[name]) for name in ("id", "image_id", "category_id")}
        mark["bbox"] = list(map(str, mark["bbox"]))
    return document


def floats(document):
    """Every id as pandas writes it."""
    for record in (*document["images"], *document["annotations"], *document["categories"]):
        record |= {name: float(record[name]) for name in ("id", "image_id", "category_id") if name in record}
    document["images"][1]["sample"] = 7.0
    return document


def mixed(document):
    """Ids of images as numbers, and as texts where annotations refer to them, as VIA writes them."""
    for mark in document["annotations"]:
        mark["image_id"] = str(mark["image_id"])
        del mark["id"]
    return document


def polygons(document):
    """Outlines without boxes; VIA leaves out the list around one."""
    first, second = document["annotations"]
    first |= {"bbox": [], "segmentation": [[10.2, 20, 14.7, 23, 12, 26], [11, 21, 12, 21, 12, 22]]}
    second["segmentation"] = [0, 0, 50.6, 0, 50.6, 3]
    del second["bbox"]
    return document


@pytest.mark.parametrize("change", [texts, floats, mixed, polygons])
def test_exports_differ_in_how_they_write_numbers(folder, change):
    assert load(folder, change(coco())) == load(folder, coco())


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"bbox": None, "segmentation": {"counts": "x"}}, "annotation 1: is a mask in RLE without a box"),
        ({"bbox": None, "segmentation": [[1, 2, 3]]}, "has a segmentation that is no list of polygons"),
        ({"bbox": None, "segmentation": [["a", 2]]}, "has a segmentation that is no list of polygons"),
        ({"bbox": None, "segmentation": [[float("inf"), 2]]}, "has a segmentation that is no list of polygons"),
    ],
)  # fmt: skip
def test_outlines_that_are_no_polygons(folder, values, why):
    assert why in refusal(folder, changed("annotations", 0, **values))


def test_a_mask_with_a_box_is_its_box(folder):
    assert load(folder, changed("annotations", 0, segmentation={"counts": "x"})) == load(folder, coco())


def test_boxes_without_area_are_left_out_by_name(folder, caplog):
    document = coco()
    document["annotations"] += [BOX | {"id": number, "bbox": [5, 20, 0, 6]} for number in range(3, 8)]
    assert load(folder, document) == load(folder, coco())
    assert said(caplog) == ["5 boxes without area are left out: annotation 3, annotation 4, annotation 5 and 2 more"]
    caplog.clear()


@pytest.mark.parametrize(
    ("angle", "box"),
    [
        (0, (10, 20, 30, 24)),
        (90, (18, 12, 22, 32)),
        ("180", (10, 20, 30, 24)),
        (30, (10, 15, 30, 29)),  # 20 cos 30° + 4 sin 30° = 19.3 across, 20 sin 30° + 4 cos 30° = 13.5 along
        (-30, (10, 15, 30, 29)),
    ],
)
def test_a_box_that_cvat_turns_is_the_box_around_it(folder, angle, box):
    document = coco()
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 20, 4], "segmentation": []}
    document["annotations"] = [mark | {"attributes": {"occluded": False, "rotation": angle}}]
    assert load(folder, document)[0].boxes == (Box(*box, "D1"),)


def test_corners_of_a_turned_box_may_stick_out_of_the_scan(folder):
    document = coco()
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 70, 40, 8], "attributes": {"rotation": 45.0}}
    document["annotations"] = [mark]
    (box,) = load(folder, document)[0].boxes
    # 48 / sqrt(2) = 33.9 both across and along about (20, 74).
    assert box == Box(3, 57, 37, 80, "D1")


@pytest.mark.parametrize("angle", ["left", [1], "inf"])
def test_a_rotation_that_is_none_is_refused(folder, angle):
    document = coco()
    document["annotations"][0]["attributes"] = {"rotation": angle}
    assert "which does not go with its box" in refusal(folder, document)


@pytest.mark.parametrize("box", [[0.2, 0.3, 0.1, 0.2], [0, 0, 1, 0.5], [0.5, 0.5, 0.5, 0.5]])
@pytest.mark.parametrize("table", [False, True])
def test_shares_are_not_taken_for_pixels(folder, box, table):
    document = coco()
    document["annotations"][0]["bbox"] = box
    row = f"scan,sample,x,y,width,height,defect\nscans/a.png,S1,{','.join(map(str, box))},D1\n"
    assert "are these shares of the image? Export pixels" in refusal(folder, row if table else document)


def test_one_pixel_in_the_corner_is_one(folder):
    document = coco()
    document["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}]
    assert load(folder, document)[0].boxes == (Box(0, 0, 1, 1, "D1"),)
