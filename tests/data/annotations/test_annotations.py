"""Annotations of scans in COCO and in tables: what is read, and what is refused."""

import json
import logging
import os
import random
import unicodedata

import pytest
from annotated_folders import BOX, CONFIG, TABLE, added, bare, changed, coco, load, refusal, said, scans

from wool_tf.data.annotations.scans import Box, with_references
from wool_tf.data.annotations.scans import load as read
from wool_tf.errors import WoolError

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
        (changed("images", 0, file_name="a\n.png"), "has a name that is not text; rename it"),
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
    (folder / "scans" / "a.png").write_bytes(b"nothing that is an image")
    assert "image 1: scans/a.png is not a readable PNG, TIFF or DICOM image" in refusal(folder, coco())
    (folder / "scans" / "a.png").write_bytes(b"")
    assert "image 1: scans/a.png is empty (0 bytes)" in refusal(folder, coco())


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


def test_ids_that_are_names_stay_apart(folder):
    document = coco()
    for image, key in zip(document["images"], ("01", "1"), strict=True):
        image["id"] = key
    first, second = load(folder, document)
    assert (len(first.boxes), len(second.boxes)) == (0, 2)


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


def test_the_sample_is_in_the_names_of_the_files(folder):
    (folder / "annotations.json").write_text(json.dumps(bare(coco())))
    assert [scan.sample for scan in scans(folder, sample_from="^([ab])")] == ["a", "b"]
    with pytest.raises(WoolError, match="image 2: scans/b.png: `sample_from` finds no sample in the name 'b.png'"):
        scans(folder, sample_from="(a)")
    with pytest.raises(WoolError, match="sample of scans/a.png is missing; .* or give `sample_from`"):
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


def test_references_that_nobody_names_are_told(folder, caplog):
    found = with_references(load(folder, coco()), folder, CONFIG)
    assert found[0].dark == ""
    assert (
        said(caplog)[-1].startswith("bright.png and dark.png lie in ")
        and "give `dark` and `bright`" in said(caplog)[-1]
    )


def test_what_programs_write_into_empty_cells_is_no_box(folder):
    told = TABLE.replace("scans/b.png,7,,,,,", "scans/b.png,7,nan,nan,nan,nan,NaN")
    assert told != TABLE and load(folder, told) == load(folder, TABLE)
    assert "sample of scans/b.png is missing" in refusal(folder, TABLE.replace("b.png,7,", "b.png,nan,"))
