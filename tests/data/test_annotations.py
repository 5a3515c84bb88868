import dataclasses
import json
import logging
import os
import random
import unicodedata

import numpy as np
import pytest
from PIL import Image

from wool_tf.data.annotations.scans import Box, ScanConfig, with_references
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


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set" / "scans").mkdir(parents=True)
    for name in ("scans/a.png", "scans/b.png", "dark.png", "bright.png"):
        Image.fromarray(np.zeros((80, 50), np.uint16)).save(tmp_path / "set" / name)
    return tmp_path / "set"


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
    assert "image 1: scans/a.png is not a readable PNG, TIFF or DICOM image" in refusal(folder, coco())


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "9" * 5000], ids=["cut", "deep", "digits"])
def test_not_json(folder, text):
    (folder / "annotations.json").write_text(text)
    with pytest.raises(WoolError, match="annotations.json: is not JSON"):
        read(folder, CONFIG)


def test_not_text(folder):
    (folder / "annotations.json").write_bytes(b"\xff\xfe\0\0")
    with pytest.raises(WoolError, match="annotations.json: is not JSON"):
        read(folder, CONFIG)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_older_encodings_of_coco_are_read_as_those_of_tables_are(folder, encoding, caplog):
    caplog.set_level(logging.INFO)
    document = coco()
    document["images"][0]["sample"] = "Wäldchen"
    (folder / "annotations.json").write_bytes(json.dumps(document, ensure_ascii=False).encode(encoding))
    assert [scan.sample for scan in read(folder, CONFIG)] == ["Wäldchen", "7"]
    assert ("annotations.json is not UTF-8 text; read as Windows-1252" in caplog.text) == (encoding == "latin-1")


def test_one_file_of_annotations_is_needed(folder):
    with pytest.raises(WoolError, match="has neither annotations.json nor annotations.csv"):
        read(folder, CONFIG)
    (folder / "annotations.csv").write_text(TABLE)
    (folder / "annotations.json").write_text("{}")
    with pytest.raises(WoolError, match="has both annotations.json and annotations.csv"):
        read(folder, CONFIG)
    with pytest.raises(WoolError, match="no such folder; give one with scans"):
        read(folder / "no", CONFIG)
    with pytest.raises(WoolError, match="is not a folder"):
        read(folder / "dark.png", CONFIG)


def said(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.fixture
def caplog(caplog):
    caplog.set_level("INFO", "wool_tf")
    return caplog


def scans(folder, **config):
    return read(folder, dataclasses.replace(CONFIG, **config))


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


def test_ids_that_are_names_stay_apart(folder):
    document = coco()
    for image, key in zip(document["images"], ("01", "1"), strict=True):
        image["id"] = key
    first, second = load(folder, document)
    assert (len(first.boxes), len(second.boxes)) == (0, 2)


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


def test_samples_that_look_alike_are_one_and_those_that_may_be_are_told(folder, caplog):
    document = coco()
    document["images"][0]["sample"], document["images"][1]["sample"] = "S1", "S\u200b1\u00a0"
    document["categories"][0]["name"] = "D1\ufeff"
    first, second = load(folder, document)
    assert first.sample == second.sample == "S1" and first.boxes[0].defect == "D1"
    assert said(caplog) == [r"1 samples, 1 of them written in several ways: 'S1' = 'S\u200b1'"]
    caplog.clear()
    document["images"][1]["sample"] = "s01"
    assert [scan.sample for scan in load(folder, document)] == ["S1", "s01"]
    assert [line.endswith("write them alike: 'S1' and 's01'") for line in said(caplog)] == [True]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("table", [False, True])
def test_scans_are_found_in_either_form_of_their_names(folder, form, table):
    os.rename(folder / "scans/a.png", folder / unicodedata.normalize(form, "scans/\u00e9.png"))
    written = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "scans/\u00e9.png")
    if table:
        found = load(folder, TABLE.replace("scans/a.png", written.replace("/", "\\")))
    else:
        found = load(folder, changed("images", 0, file_name=written.replace("/", "\\")))
    assert [(scan.sample, len(scan.boxes)) for scan in found] == [("7", 0), ("S1", 2)]
    assert all((folder / scan.path).is_file() for scan in found)


def bare(document):
    for image in document["images"]:
        del image["sample"]
    return document


def test_the_sample_is_in_the_names_of_the_files(folder):
    (folder / "annotations.json").write_text(json.dumps(bare(coco())))
    assert [scan.sample for scan in scans(folder, sample_from="^([ab])")] == ["a", "b"]
    with pytest.raises(WoolError, match="image 2: scans/b.png: --sample_from finds no sample in the name 'b.png'"):
        scans(folder, sample_from="(a)")
    with pytest.raises(WoolError, match="sample of scans/a.png is missing; .* or give --sample_from"):
        scans(folder)
    # A sample that is given is not looked for.
    (folder / "annotations.json").write_text(json.dumps(coco()))
    assert [scan.sample for scan in scans(folder, sample_from="(x)")] == ["S1", "7"]


def test_a_table_without_samples(folder):
    rows = [line.split(",") for line in TABLE.splitlines() if line]
    (folder / "annotations.csv").write_text("\n".join(";".join([path, *cells]) for path, _, *cells in rows))
    assert [(scan.sample, len(scan.boxes)) for scan in scans(folder, sample_from="^(.)")] == [("a", 2), ("b", 0)]
    with pytest.raises(WoolError, match="the first line must be scan,sample,x"):
        scans(folder)


def test_decimal_commas_and_references_in_a_table(folder):
    table = TABLE.replace(",", ";").replace(".2;", ",2;").replace("4.5", "4,5").replace("50.6", "50,6")
    lines = [
        line + (";dark;bright" if line.startswith("scan;") else ";dark.png;bright.png")
        for line in table.split("\n")
        if line
    ]
    found = load(folder, "\n".join(lines))
    assert [scan.boxes for scan in found] == [scan.boxes for scan in load(folder, TABLE)]
    assert {(scan.dark, scan.bright) for scan in found} == {("dark.png", "bright.png")}


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


@pytest.mark.parametrize("place", ["images", "images/default"])
def test_cvat(folder, place, caplog):
    """The annotations in a folder of their own, and images in another that they do not name."""
    (folder / "annotations").mkdir()
    (folder / place).parent.mkdir(exist_ok=True)
    os.rename(folder / "scans", folder / place)
    document = json.loads(json.dumps(coco()).replace("scans/", ""))
    (folder / "annotations" / "instances_default.json").write_text(json.dumps(document))
    found = scans(folder)
    assert [scan.path for scan in found] == [f"{place}/a.png", f"{place}/b.png"]
    assert said(caplog) == [f"annotations: {folder / 'annotations/instances_default.json'}"]


def test_label_studio(folder):
    """Names are addresses of its storage, escaped as such."""
    os.rename(folder / "scans", folder / "my scans")
    text = json.dumps(coco()).replace("scans/", "/data/local-files/?d=my%20scans/")
    (folder / "result.json").write_text(text)
    assert [scan.path for scan in scans(folder)] == ["my scans/a.png", "my scans/b.png"]
    (folder / "result.json").write_text(text.replace("?d=", "?d=..%2F"))
    with pytest.raises(WoolError, match=r"\.\./my scans/a.png leads out of the folder"):
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


def test_references_that_nobody_names_are_told(folder, caplog):
    found = with_references(load(folder, coco()), folder, CONFIG)
    assert found[0].dark == ""
    assert (
        said(caplog)[-1].startswith("bright.png and dark.png lie in ")
        and "give --dark and --bright" in said(caplog)[-1]
    )


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
