"""Exports of labelling tools: which are read, and what is said of the others."""

import json
import os

import pytest
from annotated_folders import BOX, TABLE, bare, coco, load, refusal, said, scans

from wool_tf.data.annotations.scans import Box
from wool_tf.errors import WoolError


def test_roboflow(folder):
    """Images beside the file, named by a hash, the original name beside it; a category that nothing has."""
    document = bare(coco())
    document["categories"].append({"id": 0, "name": "defects", "supercategory": "none"})
    for image, name in zip(document["images"], ("a", "b"), strict=True):
        path = f"S{name}_1_png.rf.0123abcd.png"
        os.replace(folder / "scans" / f"{name}.png", folder / path)
        image |= {"file_name": path, "extra": {"name": f"S{name}_1.png"}}
    del document["images"][1]["extra"]
    (folder / "_annotations.coco.json").write_text(json.dumps(document))
    found = scans(folder, sample_from=r"^(S.)_1\.png$")
    assert [(scan.sample, len(scan.boxes)) for scan in found] == [("Sa", 2), ("Sb", 0)]


@pytest.mark.parametrize(
    ("place", "subset"), [("images", "default"), ("images/default", "default"), ("images/train", "train")]
)
def test_cvat(folder, place, subset, caplog):
    """The annotations in a folder of their own, and images in another that they do not name."""
    (folder / "annotations").mkdir()
    (folder / place).parent.mkdir(exist_ok=True)
    os.rename(folder / "scans", folder / place)
    document = json.loads(json.dumps(coco()).replace("scans/", ""))
    (folder / "annotations" / f"instances_{subset}.json").write_text(json.dumps(document))
    found = scans(folder)
    assert [scan.path for scan in found] == [f"{place}/a.png", f"{place}/b.png"]
    assert said(caplog) == [f"annotations: {folder / f'annotations/instances_{subset}.json'}"]


def test_label_studio(folder):
    """Names are addresses of its storage, escaped as such."""
    os.rename(folder / "scans", folder / "my scans")
    text = json.dumps(coco()).replace("scans/", "/data/local-files/?d=my%20scans/")
    (folder / "result.json").write_text(text)
    assert [scan.path for scan in scans(folder)] == ["my scans/a.png", "my scans/b.png"]
    (folder / "result.json").write_text(text.replace("?d=", "?d=..%2F"))
    with pytest.raises(WoolError, match=r"\.\./my scans/a.png leads out of the folder"):
        scans(folder)


@pytest.mark.parametrize(
    "storage",
    [
        "../../label-studio/data/media/upload/1/", "/data/upload/1/", "s3://bucket/scans/", "http://here:8080/data/",
        r"C:\\label-studio\\media\\upload\\1\\", r"\\\\nas\\media\\",
    ],
)  # fmt: skip
def test_files_of_a_storage_elsewhere_are_found_by_name(folder, storage, caplog):
    os.rename(folder / "scans", folder / "images")
    (folder / "result.json").write_text(json.dumps(coco()).replace("scans/", storage))
    assert [scan.path for scan in scans(folder)] == ["images/a.png", "images/b.png"]
    told = f"2 files, images/a.png first, are taken from {folder} by name; result.json has them elsewhere"
    assert said(caplog) == [f"annotations: {folder / 'result.json'}", told]


def test_files_of_one_name_elsewhere_are_not_mixed_up(folder):
    document = json.loads(json.dumps(coco()).replace("scans/a.png", "/one/a.png").replace("scans/b.png", "/two/a.png"))
    os.rename(folder / "scans", folder / "images")
    (folder / "result.json").write_text(json.dumps(document))
    with pytest.raises(WoolError, match="images/a.png is listed twice, first as image 1"):
        scans(folder)
    # What stands in the folder itself is taken as it is written.
    (folder / "result.json").write_text(json.dumps(coco()).replace("scans/", "absent/"))
    with pytest.raises(WoolError, match="absent/a.png does not exist"):
        scans(folder)


VIA = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"


def via(name, shape, attributes, about):
    cells = [name, "1", json.dumps(about), "1", "0", *map(json.dumps, (shape, attributes))]
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)


RECT = {"name": "rect", "x": 0, "y": 0, "width": 50, "height": 3}


def test_via(folder):
    corners = {"name": "polygon", "all_points_x": [10, 15, 12], "all_points_y": [20, 22, 26]}
    circle, ellipse = {"name": "circle", "cx": 30, "cy": 40, "r": 2}, {"name": "ellipse", "cx": 30, "cy": 40}
    regions = [
        (RECT, {"defect": "D1"}),
        (corners, {"kind": {"D3": True, "D1": False}, "note": ""}),
        (circle, {"type": "D5", "sure": "yes"}),
        (ellipse | {"rx": 2, "ry": 4}, {"type": "D5"}),
    ]
    rows = [VIA, *(via("scans/a.png", *region, {"sample": "S1"}) for region in regions)]
    rows.append(via("scans/b.png", {}, {}, {"sample": 7}))
    (folder / "via_export_csv.csv").write_text("\n".join(rows))
    first, second = scans(folder)
    assert first.boxes == (
        Box(0, 0, 50, 3, "D1"),
        Box(10, 20, 15, 26, "D3"),
        Box(28, 36, 32, 44, "D5"),
        Box(28, 38, 32, 42, "D5"),
    )
    assert (first.sample, second.sample, second.boxes) == ("S1", "7", ())


@pytest.mark.parametrize(
    ("shape", "attributes", "why"),
    [
        ({"name": "point", "cx": 1, "cy": 1}, {"defect": "D1"}, "line 2: is a region 'point', which has no area"),
        ({"name": "rect", "x": 1}, {"defect": "D1"}, "is a region rect without its numbers"),
        (RECT, {"a": "D1", "b": "D3"}, "has several attributes (a, b)"),
        (RECT, {}, "defect '' is none of D1, D3, D5"),
        ([], {}, "'[]' is no JSON object"),
    ],
)  # fmt: skip
def test_regions_of_via_that_are_no_boxes(folder, shape, attributes, why):
    (folder / "via.csv").write_text("\n".join([VIA, via("scans/a.png", shape, attributes, {"sample": "S"})]))
    with pytest.raises(WoolError) as caught:
        scans(folder)
    assert why in str(caught.value)


def test_which_file_holds_the_annotations_is_not_guessed(folder):
    (folder / "annotations.xml").write_text("<annotations/>")
    with pytest.raises(WoolError, match="give one of them; annotations.xml is CVAT's XML; export COCO 1.0 from CVAT"):
        scans(folder)
    (folder / "._result.json").write_text("{}")
    (folder / "notes.json").write_text("{}")
    (folder / "manifest.csv").write_text("path,label,group\n")
    (folder / "result.json").write_text(json.dumps(coco()))
    assert len(scans(folder)) == 2
    (folder / "table.csv").write_text(TABLE)
    with pytest.raises(WoolError, match="has result.json, table.csv; give one of them, and call it annotations.json"):
        scans(folder)


def test_an_export_in_a_part_of_a_data_set_is_pointed_at(folder):
    (folder / "README.roboflow.txt").write_text("x")
    (folder / "valid").mkdir()
    (folder / "valid" / "_annotations.coco.json").write_text(json.dumps(coco()))
    with pytest.raises(WoolError) as refused:
        scans(folder)
    there = f"there is valid/_annotations.coco.json: give {folder / 'valid'} as the folder"
    assert str(refused.value).endswith(f"; {there}")


def test_an_export_behind_a_link_that_leads_out_is_not_read(folder):
    (folder.parent / "outside.json").write_text(json.dumps(coco()))
    (folder / "result.json").symlink_to(folder.parent / "outside.json")
    with pytest.raises(WoolError, match="has neither annotations.json nor annotations.csv"):
        scans(folder)


def test_litter_in_an_export_is_no_scan(folder, caplog):
    document = coco()
    document["images"].append({"id": 9, "file_name": "scans/._a.png"})
    document["annotations"].append(BOX | {"image_id": 9})
    assert load(folder, document) == load(folder, coco())
    assert said(caplog)[0].startswith("1 left out as hidden") and said(caplog)[0].endswith(": scans/._a.png")


LABELME = {"version": "5.5.0", "flags": {}, "shapes": [], "imagePath": "a.png", "imageHeight": 80, "imageWidth": 50}


SUPERVISELY = {"description": "", "tags": [], "size": {"height": 80, "width": 50}, "objects": []}


VIA_REGIONS = {"a.png1234": {"filename": "a.png", "size": 1234, "regions": [], "file_attributes": {}}}


FOREIGN = {
    "LabelMe": (
        "scans/../a.json",
        json.dumps(LABELME),
        "LabelMe's JSON of one image; make COCO of all with labelme2coco",
    ),
    "Supervisely": ("ds0/ann/a.png.json", json.dumps(SUPERVISELY), "Supervisely's JSON of one image; run its app"),
    "YOLO": ("labels/train/a.txt", "0 0.5 0.5 0.1 0.2\n1 0.25 0.5 0.1 1e-3\n", "YOLO's text, whose boxes are shares"),
    "YOLO polygons": ("labels/a.txt", "0 0.5 0.5 0.1 0.2 0.3 0.4\n", "YOLO's text, whose boxes are shares"),
    "CVAT": ("annotations.xml", "<?xml version='1.0'?>\n<annotations>\n<version>1.1", "CVAT's XML; export COCO 1.0"),
    "VOC": ("Annotations/a.xml", "<annotation verified='yes'>\n<folder>x", "Pascal VOC's XML; export COCO"),
    "VIA": ("via.json", json.dumps(VIA_REGIONS), "VIA's own JSON; choose Export Annotations as COCO or csv"),
    "VIA project": ("p.json", json.dumps({"_via_img_metadata": VIA_REGIONS}), "a project of VIA; choose Export"),
    "Label Studio": (
        "p.json",
        json.dumps([{"id": 1, "annotations": [], "data": {}}]),
        "Label Studio's JSON; export COCO",
    ),
    "results": ("p.json", json.dumps([{"image_id": 1, "bbox": [1, 2, 3, 4]}]), "a list of COCO results"),
    "corners": ("a.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n", "a table of corners; name columns scan"),
}


@pytest.mark.parametrize(("name", "content", "said_of_it"), FOREIGN.values(), ids=FOREIGN)
def test_exports_that_are_not_read_are_named_with_the_one_to_choose(folder, name, content, said_of_it):
    (folder / "classes.txt").write_text("D1\nD3\n")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    with pytest.raises(WoolError) as refused:
        scans(folder)
    assert f"{(folder / name).resolve().relative_to(folder.resolve())} is {said_of_it}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_foreign_export_called_annotations_json_is_named(folder):
    assert "is LabelMe's JSON of one image" in refusal(folder, LABELME)
    assert "is not COCO; 'images' must be a list of objects" in refusal(folder, {"x": 1})
