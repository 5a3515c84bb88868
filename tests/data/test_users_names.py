"""Names of classes and samples as users write them, and names that look alike."""

import os

import pytest
from class_folders import ROWS, SIDE, grey, load, manifest, refusal

from wool_tf.data import dataset
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.naming import CropNaming
from wool_tf.errors import WoolError


def brought(folder, **naming):
    return dataset.load(folder, SIDE, folder.parent / "cache", reading=CropReading(naming=CropNaming(**naming)))


def test_names_that_look_alike_are_one_group_label_scan_and_type(folder):
    rows = ["path,label,group,defect,scan"]
    rows += ["defective/0.png,defective,S1,D1,a/s0", "defective/1.png,def\u00adective\u00a0,S1\u200b, D1\ufeff,a\\s0"]
    rows += ["non_defective/0.png,non_defective,Pr\u00fcf,,", "non_defective/1.png,non_defective,Pru\u0308f,,"]
    manifest(folder, "\n".join(rows), encoding="utf-8")
    data = load(folder)
    assert data.labels.tolist() == [1, 1, 0, 0]
    assert data.groups.tolist() == ["S1", "S1", "Pr\u00fcf", "Pr\u00fcf"]
    assert data.defects.tolist() == ["D1", "D1", "", ""] and data.scans.tolist() == ["a/s0", "a/s0", "", ""]
    assert (
        data.remarks[0] == r"2 groups, 2 of them written in several ways: 'S1' = 'S1\u200b'; 'Pr\xfcf' = 'Pru\u0308f'"
    )


def test_groups_that_may_be_one_are_told_and_stay_apart(folder):
    manifest(folder, ROWS.replace(",A", ",S1").replace(",B", ",s01"))
    data = load(folder)
    assert data.groups.tolist() == ["S1", "s01"]
    assert len(data.remarks) == 1 and data.remarks[0].endswith("write them alike: 'S1' and 's01'")


def test_names_of_files_that_look_alike_are_none_of_samples(folder):
    os.rename(folder / "defective/1.png", folder / "defective/00.png")
    assert load(folder).remarks == ()


def test_the_fingerprint_is_that_of_either_form_of_names(folder):
    os.rename(folder / "defective/0.png", folder / "defective/\u00e9.png")
    os.rename(folder / "defective/1.png", folder / "defective/f.png")
    composed, rows = load(folder), ROWS.replace("0.png,d", "\u00e9.png,d")
    manifest(folder, rows, encoding="utf-8")
    listed = load(folder)
    os.rename(folder / "defective/\u00e9.png", folder / "defective/e\u0301.png")
    assert load(folder).fingerprint == listed.fingerprint
    assert load(folder).paths[0] == "defective/e\u0301.png" and load(folder).unlisted == listed.unlisted
    (folder / "manifest.csv").unlink()
    # In the order of characters e would come before f, and é after it.
    assert load(folder).fingerprint == composed.fingerprint
    assert load(folder).paths[:2] == ("defective/f.png", "defective/e\u0301.png")


def test_class_names_of_the_user(folder):
    (folder / "defective").rename(folder / "Fehlerhaft")
    (folder / "non_defective").rename(folder / "Gut")
    (folder / "Riss").mkdir()
    grey(7).save(folder / "Riss/0.png")
    line = refusal(folder)
    assert (
        "has neither a manifest.csv nor the folders defective/ and non_defective/; found Fehlerhaft/, Gut/, Riss/"
        in line
    )
    assert line.endswith("; map them with `defective_label` and `non_defective_label`")
    with pytest.raises(
        WoolError, match="no folder non_defective/; .*; found Gut/, Riss/; map one with `non_defective_label`"
    ):
        brought(folder, defective_label=("Fehlerhaft",))
    both = brought(folder, defective_label=("Fehlerhaft", "Riss"), non_defective_label=("Gut",))
    assert both.paths == ("Fehlerhaft/0.png", "Fehlerhaft/1.png", "Gut/0.png", "Gut/1.png", "Riss/0.png")
    assert both.labels.tolist() == [1, 1, 0, 0, 1] and both.remarks == ()
    one = brought(folder, defective_label=("Fehlerhaft",), non_defective_label=("Gut",))
    assert one.remarks == ("folders with images that are of neither class, and are not used: Riss/",)
    assert one.labels.tolist() == [1, 1, 0, 0] and one.fingerprint != both.fingerprint


def test_labels_of_the_user_in_a_table_of_excel(folder):
    text = 'Path;Label;Group;Boxes\r\ndefective\\0.png;Fehlerhaft;Prüf 1;"0 0 4,5 4;5 5 6 6"\r\n'
    text += "non_defective\\0.png;Gut;Prüf 2;\r\n"
    manifest(folder, text, encoding="cp1252")
    with pytest.raises(WoolError) as caught:
        load(folder)
    assert str(caught.value).endswith(
        "manifest.csv: labels must be non_defective or defective; found Fehlerhaft, Gut; map them with "
        "`defective_label` and `non_defective_label`"
    )
    data = brought(folder, defective_label=("Fehlerhaft",), non_defective_label=("Gut",))
    assert data.groups.tolist() == ["Prüf 1", "Prüf 2"] and data.labels.tolist() == [1, 0]
    assert data.paths == ("defective/0.png", "non_defective/0.png")
    assert data.boxes == (((0, 0, 4.5 / SIDE, 4 / SIDE), (5 / SIDE, 5 / SIDE, 6 / SIDE, 6 / SIDE)), ())


def test_boxes_are_shares_of_each_files_own_size(folder):
    large = 3 * SIDE
    grey(7, large).save(folder / "defective/0.png")
    rows = [
        f"defective/{name}.png,defective,{name},0 0 {side / 2} {side / 4}" for name, side in ((0, large), (1, SIDE))
    ]
    rows += [f"non_defective/{number}.png,non_defective,S{number}," for number in range(2)]
    manifest(folder, "\n".join(["path,label,group,boxes", *rows]))
    assert load(folder).boxes[:2] == (((0, 0, 0.5, 0.25),), ((0, 0, 0.5, 0.25),))


def test_the_sample_in_the_names_of_files(folder):
    for name in dataset.CLASSES:
        for number in range(2):
            os.rename(folder / name / f"{number}.png", folder / name / f"S{number}_{name}.png")
    data = brought(folder, sample_from=r"^(S\d)_")
    assert data.groups.tolist() == ["S0", "S1", "S0", "S1"] and data.grouped
    assert data.fingerprint != load(folder).fingerprint
    os.rename(folder / "defective/S0_defective.png", folder / "defective/x.png")
    with pytest.raises(WoolError, match="defective/x.png has a name in which `sample_from` finds no sample"):
        brought(folder, sample_from=r"^(S\d)_")


def test_the_sample_in_the_names_where_a_manifest_names_none(folder):
    manifest(folder, "path,label\ndefective/0.png,defective\nnon_defective/0.png,non_defective\n")
    assert "column 'group' is missing" in refusal(folder)
    assert brought(folder, sample_from=r"(\d)").groups.tolist() == ["0", "0"]
    manifest(folder, ROWS.replace(",B", ","))
    assert brought(folder, sample_from=r"(\d)").groups.tolist() == ["A", "0"]
    manifest(folder, ROWS)
    data = brought(folder, sample_from=r"(\d)")
    assert data.groups.tolist() == ["A", "B"]
    assert data.remarks == ("`sample_from` is not used: manifest.csv names the group of every image",)
