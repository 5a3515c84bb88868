import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from exposed_scans import DEAD, DROP, LINES, SETTINGS, SIDE, WIDTH, WOOL, product, write_scans
from PIL import Image

from wool_board.image.scan_files import LineFormat
from wool_tf.data import crops, dataset
from wool_tf.errors import WoolError
from wool_tf.files import sha256


@pytest.fixture
def folder(tmp_path):
    write_scans(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """(folder of crops, attenuation by scan, result)."""
    folder = tmp_path_factory.mktemp("scans") / "set"
    truth = write_scans(folder)
    out = folder.parent / "crops"
    return out, truth, crops.write(folder, out, SETTINGS)


def rows_of(out):
    with open(out / "manifest.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(out):
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def largest_error(out, row, truth, window):
    """Grey levels by which a crop is off."""
    # Between its neighbours' transmission at either end of a gap of one and of two.
    through = np.exp(-truth[row["scan"]])
    through[:, 17] = (through[:, 16] + through[:, 18]) / 2
    left, right = through[:, 59].copy(), through[:, 62].copy()
    through[:, 60], through[:, 61] = (2 * left + right) / 3, (left + 2 * right) / 3
    x, y, (low, high) = int(row["x"]), int(row["y"]), window
    expected = np.clip(255 * (high + np.log(through[y : y + SIDE, x : x + SIDE])) / (high - low), 0, 255)
    with Image.open(out / row["path"]) as image:
        assert image.mode == "L"
        return np.abs(np.asarray(image) - expected).max()


def test_crops_show_the_attenuation_that_is_there(cut):
    out, truth, result = cut
    # Half a level of rounding, and as much as rounded counts amount to.
    assert max(largest_error(out, row, truth, result.window) for row in rows_of(out)) < 0.51 + 0.05


def test_dead_elements_are_told(cut):
    (elements,) = cut[2].repaired.values()
    assert elements == DEAD


def test_manifest_says_what_the_crops_are(cut):
    out, truth, result = cut
    rows = rows_of(out)
    assert list(rows[0]) == ["path", "label", "group", "defect", "scan", "x", "y", "boxes"]
    assert sorted(row["path"] for row in rows) == sorted(f"{f.parent.name}/{f.name}" for f in out.glob("*/*.png"))
    for row in rows:
        scan, frame = row["scan"][len("scans/") : -len(".png")], int(row["y"]) // LINES
        assert row["path"] == f"{row['label']}/{scan}_{frame}.png"
        assert row["group"] == f"S{int(scan[1:]) // 2}"
        x, y = int(row["x"]), int(row["y"])
        dense = truth[row["scan"]][y : y + SIDE, x : x + SIDE] > DROP
        # The boxes are those of the drops: 4 × 6 pixels, fewer where a frame cuts them.
        assert (row["label"] == "defective") == bool(dense.sum() >= 12) == (row["defect"] == "D1")
        assert dense.any() == (row["label"] == "defective")
    # The third drop lies on a border of frames.
    assert sum(row["label"] == "defective" for row in rows) == 2
    assert len(rows) == len(result.choice.crops)


def test_loads_as_a_dataset(cut, tmp_path):
    data = dataset.load(cut[0], SIDE, tmp_path)
    assert set(data.groups) == {"S0", "S1", "S2"} and data.grouped


def test_imaging_can_be_repeated(cut):
    out, _, result = cut
    imaging, folder = json.loads((out / "imaging.json").read_text()), out.parent / "set"
    assert imaging["window"] == list(result.window) and imaging["window"][0] == 0
    # A thousandth of the wool's pixels is less than a drop's share of it.
    assert WOOL < imaging["window"][1] < WOOL + DROP + 0.01
    assert (imaging["crop"], imaging["pixel_mm"]) == (SIDE, 0.8)
    assert imaging["references"] == [{"dark": sha256(folder / "dark.png"), "bright": sha256(folder / "bright.png")}]


def test_same_scans_give_the_same_crops_wherever_and_in_whatever_order(cut, folder, tmp_path):
    document = json.loads((folder / "annotations.json").read_text())
    for part in document.values():
        part.reverse()
    (folder / "annotations.json").write_text(json.dumps(document))
    crops.write(folder, tmp_path / "again", SETTINGS)
    assert contents(tmp_path / "again") == contents(cut[0])


def test_another_seed_gives_other_places(cut, folder, tmp_path):
    crops.write(folder, tmp_path / "other", dataclasses.replace(SETTINGS, seed=1))
    assert [(r["x"], r["y"]) for r in rows_of(tmp_path / "other")] != [(r["x"], r["y"]) for r in rows_of(cut[0])]


def test_finished_crops_are_not_cut_again_and_nothing_else_is_touched(folder, tmp_path):
    out = tmp_path / "crops"
    out.mkdir()
    crops.write(folder, out, SETTINGS)
    before = contents(out)
    assert crops.write(folder, out, SETTINGS) is None
    others = [dataclasses.replace(SETTINGS, window=(0.0, 1.0)), dataclasses.replace(SETTINGS, seed=1)]
    for settings in others:
        with pytest.raises(WoolError, match="holds something other than these crops"):
            crops.write(folder, out, settings)
    shutil.copy(folder / "scans" / "S0.png", folder / "scans" / "S1.png")
    document = json.loads((folder / "annotations.json").read_text())
    document["images"][1]["height"] = 130
    (folder / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(WoolError, match="scans/S1.png is the same scan as scans/S0.png"):
        crops.write(folder, out, SETTINGS)
    assert contents(out) == before


def test_an_empty_folder_may_be_a_link_but_not_the_present_one(folder, tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "crops").symlink_to(tmp_path / "disk")
    crops.write(folder, tmp_path / "crops", SETTINGS)
    assert (tmp_path / "crops").is_symlink() and (tmp_path / "disk/manifest.csv").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(crops, "survey", None)
    with pytest.raises(WoolError, match=r"^\.: is the folder in which this runs; give another one$"):
        crops.write(folder, Path("."), SETTINGS)


def test_interrupted_cutting_leaves_nothing(folder, tmp_path, monkeypatch):
    original, calls = crops.grey, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(crops, "grey", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crops.write(folder, tmp_path / "crops", SETTINGS)
    assert [file.name for file in tmp_path.iterdir()] == ["set"]


def test_window_and_numbers_as_asked(cut, folder, tmp_path):
    settings = dataclasses.replace(SETTINGS, window=(0.4, 0.8), defective=2, non_defective=3)
    result = crops.write(folder, tmp_path / "crops", settings)
    assert result.window == (0.4, 0.8)
    rows = rows_of(tmp_path / "crops")
    assert sorted(row["label"] for row in rows) == ["defective"] * 2 + ["non_defective"] * 3
    assert max(largest_error(tmp_path / "crops", row, cut[1], (0.4, 0.8)) for row in rows) < 0.51 + 0.1


def without_references(folder):
    document = json.loads((folder / "annotations.json").read_text())
    for image in document["images"]:
        del image["dark"], image["bright"]
    (folder / "annotations.json").write_text(json.dumps(document))


def test_references_by_flag_are_those_of_the_annotations(cut, folder, tmp_path):
    without_references(folder)
    settings = dataclasses.replace(SETTINGS, dark=folder / "dark.png", bright=folder / "bright.png")
    crops.write(folder, tmp_path / "crops", settings)
    ours, theirs = contents(tmp_path / "crops"), contents(cut[0])
    assert {name: ours[name] for name in ours if name != "imaging.json"} == {
        name: theirs[name] for name in theirs if name != "imaging.json"
    }


def test_corrected_raw_scans_with_an_open_beam(folder, tmp_path):
    truth, rows = {}, ["scan,sample,x,y,width,height,defect"]
    for number in range(4):
        path, drop = f"day-{number // 2}/{number}.raw", (30, 40) if number % 2 else None
        truth[path] = product(140 + number, drop)
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / path).write_bytes(np.rint(10_000 * np.exp(-truth[path])).astype(">u2").tobytes())
        rows.append(f"{path},S{number},{'30,40,4,6,D1' if drop else ',,,,'}")
    (tmp_path / "raw" / "annotations.csv").write_text("\n".join(rows))
    settings = dataclasses.replace(SETTINGS, open_beam=10_000, raw=LineFormat(WIDTH, "uint16be"), window=(0, 2))
    crops.write(tmp_path / "raw", tmp_path / "crops", settings)
    found = rows_of(tmp_path / "crops")
    expected = {"defective/day-0-1_0.png", "defective/day-1-3_0.png"}
    assert {row["path"] for row in found if row["label"] == "defective"} == expected
    for row in found:
        x, y = int(row["x"]), int(row["y"])
        expected = 255 * (1 - truth[row["scan"]][y : y + SIDE, x : x + SIDE] / 2)
        assert np.abs(np.asarray(Image.open(tmp_path / "crops" / row["path"])) - expected).max() < 0.55


def test_boxes_in_last_lines_are_counted(folder, tmp_path):
    document = json.loads((folder / "annotations.json").read_text())
    # Of 130 lines the last 30 are no frame of 40; the middle of a box at 98 to 103 is on line 100.
    document["annotations"] += [
        {"id": 90, "image_id": 0, "category_id": 1, "bbox": [40, 97, 4, 6]},
        {"id": 91, "image_id": 0, "category_id": 1, "bbox": [40, 96, 4, 6]},
        {"id": 92, "image_id": 0, "category_id": 5, "bbox": [40, 120, 4, 6]},
    ]
    for annotation in document["annotations"]:
        if annotation["id"] < 90:
            annotation["bbox"][1] = 30
    (folder / "annotations.json").write_text(json.dumps(document))
    settings = dataclasses.replace(SETTINGS, frame_lines=100)
    assert crops.write(folder, tmp_path / "crops", settings).lost_boxes == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"side": 31}, "^side=31: must be at least 32$"),
        ({"frame_lines": 39}, "^frame_lines=39: must be at least the crop's side, 40$"),
        ({"defects": ()}, "^defects=: name one or more"),
        ({"defects": ("D5",)}, "^defects=D5: D5 is one of the invisible as well"),
        ({"window": (1.0, 1.0)}, "^window=1,1: must be LOW,HIGH in attenuation, LOW < HIGH$"),
        ({"window": (0.0, float("inf"))}, "^window=0,inf: must be LOW,HIGH"),
        ({"dark": "dark.png"}, "^bright: is missing"),
        ({"open_beam": 100.0}, "open_beam=100: the references in .* tell it"),
        ({"open_beam": 0.0}, "^open_beam=0: must be above 0 and finite$"),
        ({"pixel_mm": float("nan")}, "^pixel_mm=nan: must be at least 0.001 and at most 100$"),
        ({"defective": 4}, "defective: 4 crops wanted, but only 2 frames give one"),
        ({"defects": ("D2",)}, "defect 'D1' is none of D2, D4, D5"),
        ({"side": 200, "frame_lines": 300}, "scans/S0.png is 100 pixels wide; crops of 200 do not fit"),
    ],
)
def test_settings_that_cannot_be(folder, tmp_path, values, said):
    with pytest.raises(WoolError, match=said):
        crops.write(folder, tmp_path / "crops", dataclasses.replace(SETTINGS, **values))
    assert not (tmp_path / "crops").exists()


def test_no_scan_is_as_long_as_a_crop(folder, tmp_path):
    for file in folder.glob("scans/*.png"):
        Image.open(file).crop((0, 0, WIDTH, 35)).save(file)
    (folder / "annotations.json").unlink()
    for number in range(2):
        file = folder / "scans" / f"S{number}.png"
        pixels = np.asarray(Image.open(file)).copy()
        pixels[0, 0] = number
        Image.fromarray(pixels).save(file)
    rows = [f"scans/S{number}.png,S{number},,,,," for number in range(2)]
    (folder / "annotations.csv").write_text("\n".join(["scan,sample,x,y,width,height,defect", *rows]))
    with pytest.raises(WoolError, match="no scan has the 40 lines of a crop"):
        crops.write(folder, tmp_path / "crops", SETTINGS)


@pytest.mark.parametrize(
    ("counts", "said"),
    [(lambda p: p * 0 + 60_000, "is brighter than the open beam"), (lambda p: p * 0 + 3, "is black in more than half")],
)
def test_scans_that_do_not_fit_their_references(folder, tmp_path, counts, said):
    file = folder / "scans" / "S2.png"
    Image.fromarray(counts(np.asarray(Image.open(file)))).save(file)
    with pytest.raises(WoolError, match=f"scans/S2.png {said}"):
        crops.write(folder, tmp_path / "crops", SETTINGS)


def test_a_truncated_scan_is_named(folder, tmp_path):
    file = folder / "scans" / "S2.png"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(WoolError, match="scans/S2.png cannot be decoded"):
        crops.write(folder, tmp_path / "crops", SETTINGS)


def test_scans_of_one_name_are_refused(folder, tmp_path):
    shutil.copy(folder / "scans" / "S2.png", folder / "scans" / "s0.png")
    document = json.loads((folder / "annotations.json").read_text())
    document["images"][2]["file_name"] = "scans/s0.png"
    (folder / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(WoolError, match="scans/s0.png and scans/S0.png would both be called s0; rename one"):
        crops.write(folder, tmp_path / "crops", SETTINGS)


def test_unwritable_folder(folder, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WoolError, match="cannot be"):
        crops.write(folder, tmp_path / "file" / "crops", SETTINGS)
