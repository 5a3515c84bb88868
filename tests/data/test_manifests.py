"""Manifests: what their rows say of images, and what is wrong with them."""

import shutil

import pytest
from class_folders import ROWS, load, manifest, refusal, skipping

from wool_tf.errors import WoolError


def test_manifest_wins_and_keeps_groups(folder):
    manifest(folder, ROWS)
    data = load(folder)
    assert data.paths == ("defective/0.png", "non_defective/0.png")
    assert data.groups.tolist() == ["A", "B"] and data.labels.tolist() == [1, 0]


def test_manifest_with_mark_crlf_blanks_and_other_columns(folder):
    lines = ["group, label ,note,path", "B,non_defective,,non_defective/0.png", "", "A, defective,,./defective//0.png"]
    manifest(folder, "\r\n".join(lines), encoding="utf-8-sig")
    data = load(folder)
    assert data.paths == ("defective/0.png", "non_defective/0.png") and data.groups.tolist() == ["A", "B"]


def test_label_comes_from_the_manifest_not_the_folder(folder):
    manifest(folder, "path,label,group\ndefective/0.png,non_defective,A\nnon_defective/0.png,defective,B\n")
    assert load(folder).labels.tolist() == [0, 1]


@pytest.mark.parametrize("text", ["path,label,group\n", "path,label,group\ndefective/0.png,defective,A\n"])
def test_manifest_without_a_class(folder, text):
    manifest(folder, text)
    assert "both classes are needed" in refusal(folder)


@pytest.mark.parametrize(
    "text,expected",
    [
        ("", "column 'path' is missing"),
        ("path,label\ndefective/0.png,defective\n", "column 'group' is missing"),
        ("path|label|group\n", "'path|label|group'"),
        (ROWS + "defective/1.png,bad,C\n", "line 4: label of 'defective/1.png' must be"),
        (ROWS + "defective/1.png,defective, \n", "line 4: group of 'defective/1.png' is empty"),
        (ROWS + "defective/1.png,defective\n", "line 4: group of 'defective/1.png' is empty"),
        (ROWS + "defective/1.png,defective,nan\n", "line 4: group of 'defective/1.png' is empty"),
        (ROWS + ",defective,C\n", "line 4: path is empty"),
        (ROWS + "..\\data\\defective\\1.png,defective,C\n", "leads out of the folder"),
        (ROWS + "defective\\9.png,defective,C\n", "defective/9.png does not exist"),
        (ROWS + "defective/0.png,defective,A\n", "defective/0.png is listed twice"),
        (ROWS + "defective/./0.png,defective,A\n", "defective/0.png is listed twice"),
        (ROWS + "defective/0.png,defective,C\n", "defective/0.png is listed in two groups"),
        (ROWS + "defective/0.png,non_defective,A\n", "defective/0.png is listed with two labels"),
        (ROWS + "defective/9.png,defective,C\n", "defective/9.png does not exist"),
        (ROWS + "defective,defective,C\n", "defective is not a file"),
        (ROWS + "../data/defective/1.png,defective,C\n", "leads out of the folder"),
        (ROWS + "/etc/passwd,defective,C\n", "/etc/passwd leads out of the folder"),
        (ROWS + '"defective/1.png\n",defective,"C', "is not CSV"),
        (ROWS + '"defective/a\nb.png",defective,C\n', "has a name that is not text"),
        (ROWS + "a\0b.png,defective,C\n", "manifest.csv"),
        (ROWS + f"{'a' * 5000}.png,defective,C\n", "a.png"),
    ],
)
def test_bad_manifest(folder, text, expected):
    manifest(folder, text)
    line = refusal(folder)
    assert expected in line or expected == "manifest.csv" and "cannot be read" in line


def test_manifest_in_another_encoding(folder):
    manifest(folder, ROWS.replace("A", "prøve"), encoding="latin-1")
    data = load(folder)
    assert data.groups.tolist() == ["prøve", "B"]
    assert data.remarks == ("manifest.csv is not UTF-8 text; read as Windows-1252 (Latin-1)",)


def test_unreadable_manifest_is_not_passed_over(folder):
    (folder / "manifest.csv").symlink_to("absent.csv")
    assert "manifest.csv" in refusal(folder)


def test_groups_are_known_from_a_manifest_only(folder):
    assert not load(folder).grouped
    manifest(folder, ROWS)
    assert load(folder).grouped


def test_skipping_bad_rows_of_a_manifest(folder):
    manifest(folder, ROWS + "defective/1.png,bad,C\ndefective/9.png,defective,C\ndefective/0.png,defective,A\n")
    data = skipping(folder)
    assert data.paths == ("defective/0.png", "non_defective/0.png")
    assert len(data.skipped) == 3


def test_a_cell_as_long_as_a_file_is_quoted_by_its_ends(folder):
    # An unclosed quote, or a text without line breaks, makes one of half the file.
    cell = f"A{'x' * 50_000}Z"
    for row in (f"defective/0.png,{cell},A", f"{cell},defective,A", f"defective/0.png,defective,A,{cell}"):
        manifest(folder, f"path,label,group,boxes\nnon_defective/0.png,non_defective,B,\n{row}\n")
        line = refusal(folder)
        assert "Axxx" in line and " … " in line and "xxxZ" in line and len(line) < 2500
    manifest(
        folder, f"path,label,group\ndefective/0.png,defective,{cell}\nnon_defective/0.png,non_defective,{cell[1:]}\n"
    )
    assert all(len(line) < 1000 for line in load(folder).remarks)


def test_a_file_listed_with_two_labels_is_not_trusted(folder):
    manifest(folder, ROWS + "defective/0.png,non_defective,A\ndefective/1.png,defective,C\n")
    assert skipping(folder).paths == ("defective/1.png", "non_defective/0.png")


def test_a_scan_shows_one_sample(folder):
    header, first, second = ROWS.splitlines()
    manifest(folder, "\n".join([f"{header},scan", f"{first},s0", f"{second},s0"]))
    assert "non_defective/0.png is of scan s0, as defective/0.png is, but of another group" in refusal(folder)


def test_what_programs_write_into_empty_cells_is_no_scan_and_no_defect(folder):
    header, first, second = ROWS.splitlines()
    manifest(folder, "\n".join([f"{header},defect,scan,boxes", f"{first},nan,NaN,nan", f"{second},None,NaN,"]))
    data = load(folder)
    assert data.scans.tolist() == data.defects.tolist() == ["", ""] and data.boxes == ((), ())


def test_images_that_the_manifest_does_not_name_are_counted(folder):
    assert load(folder).unlisted == 0
    manifest(folder, ROWS)
    assert load(folder).unlisted == 2
    shutil.copy(folder / "defective/0.png", folder / "copy.png")
    manifest(folder, ROWS + "copy.png,non_defective,A\ndefective/1.png,defective,A\n")
    assert skipping(folder).unlisted == 1


def test_defects_and_scans_of_a_manifest(folder):
    manifest(
        folder,
        "path,label,group,defect,scan\ndefective/0.png,defective,A,D1+D3,s0\nnon_defective/0.png,non_defective,A,,s1\n",
    )
    data = load(folder)
    assert data.defects.tolist() == ["D1+D3", ""] and data.scans.tolist() == ["s0", "s1"]
    assert data.grouped_by("sample").tolist() == ["A", "A"]
    assert data.grouped_by("scan").tolist() == ["s0", "s1"]
    assert data.grouped_by("image").tolist() == list(data.paths)


def test_grouping_needs_what_it_groups_by(folder):
    with pytest.raises(WoolError, match="group_by=scan.*column scan"):
        load(folder).grouped_by("scan")
    with pytest.raises(WoolError, match="group_by=slab: must be one of sample, scan, image"):
        load(folder).grouped_by("slab")
