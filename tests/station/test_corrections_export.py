"""Corrections as crops: what training reads of the folder is what the network saw and what operators said."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import fake_feed
import station_programs
import stores
from wool_board.errors import WoolError
from wool_station.store import corrections, shifts
from wool_station.store.corrections import Statement, Subject
from wool_station.store.pictures import PictureSampling
from wool_station.store.reader import StoreReader
from wool_station.store.recorder import Recorder
from wool_tf.data import dataset, folds, imaging

INSPECTION = round(1e3 * fake_feed.STARTED)


@pytest.fixture
def store(tmp_path):
    """Three products of four defective tiles each, at 0, 100 and 200 mm, and two tiles that passed."""
    folder = tmp_path / "store"
    recorder = Recorder(folder, 10**9, shifts.schedule("06:00"), PictureSampling(0, 1e12))
    messages = [(fake_feed.start(), b"")]
    for product in range(3):
        messages += [fake_feed.air(100.0 * product - 20, 100.0 * product)] if product else []
        for number in range(5 * product, 5 * product + 4):
            messages += fake_feed.tile(number, defective=True)
    for message in messages:
        recorder.take(*message)
    recorder.close()
    return folder


def say(store, along, verdict, defect="", operator="Anna", **subject) -> int:
    """What an operator says of the tile that begins there."""
    ((number,),) = stores.rows(store, "SELECT id FROM tiles WHERE start_mm = ?", along)
    reader = StoreReader(store)
    tile, png = reader.tile(number), reader.picture(number)
    where = tile.inspection, tile.start_mm, tile.stop_mm, tile.left_mm, tile.right_mm
    about = Subject(tile.id, tile.time, *where, tile.score, tile.defective, subject.get("png", png))
    return corrections.put(store, Statement(operator, verdict, defect), about)


def missed(store, along, number, defect="") -> int:
    """What an operator says of a tile that passed and is not in the store."""
    stream = io.BytesIO()
    Image.fromarray(fake_feed.pixels(number)).save(stream, "PNG")
    about = Subject(None, 5.0, INSPECTION, along, along + 20, 0.0, 20.0, 0.2, False, stream.getvalue())
    return corrections.put(store, Statement("Bert", "missed", defect), about)


def exported(store, out) -> str:
    finished = station_programs.run("export", f"--store={store}", out)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def table(file) -> list[dict]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_training_reads_the_very_pixels_with_what_was_said(store, tmp_path):
    say(store, 0.0, "wrongly_rejected")
    say(store, 100.0, "defect", "pore")
    say(store, 220.0, "wrongly_rejected")
    missed(store, 205.0, 77, "crack")
    out = tmp_path / "crops"
    assert exported(store, out) == f"{out}: 2 defective, 2 non_defective, of 3 products\n"
    found = dataset.load(out, fake_feed.SIDE, tmp_path / "cache")
    shown = {label + defect: np.asarray(image) for image, label, defect in
             zip(found.images, (f"{label}" for label in found.labels), found.defects, strict=True)}  # fmt: skip
    assert sorted(shown) == ["0", "1crack", "1pore"]
    assert np.array_equal(shown["1pore"], fake_feed.pixels(5)) and np.array_equal(shown["1crack"], fake_feed.pixels(77))
    sound = [image for image, label in zip(found.images, found.labels, strict=True) if label == 0]
    assert {image.tobytes() for image in map(np.asarray, sound)} == {
        fake_feed.pixels(number).tobytes() for number in (0, 11)
    }
    assert imaging.read(out) == imaging.Imaging(fake_feed.SIDE, (0.0, 1.0), fake_feed.PIXEL_MM, None)


def test_crops_of_one_product_are_of_one_group_and_of_others_of_others(store, tmp_path):
    for along in (0.0, 20.0, 40.0, 100.0, 120.0, 200.0):
        say(
            store,
            along,
            "wrongly_rejected" if along in (0.0, 100.0) else "defect",
            "" if along in (0.0, 100.0) else "a",
        )
    missed(store, 130.0, 78)
    exported(store, tmp_path / "crops")
    found = dataset.load(tmp_path / "crops", fake_feed.SIDE, tmp_path / "cache")
    assert found.grouped
    paths = {name: group for name, group in zip(found.paths, found.groups, strict=True)}
    by_correction = [paths[name] for name in sorted(paths)]
    first, second, third = by_correction[0], by_correction[3], by_correction[5]
    assert len({first, second, third}) == 3
    assert by_correction == [first] * 3 + [second] * 2 + [third] + [second]


def test_what_was_said_last_counts_and_all_of_it_is_listed(store, tmp_path):
    say(store, 0.0, "wrongly_rejected")
    say(store, 0.0, "defect", "pore", operator="Chris")
    say(store, 20.0, "wrongly_rejected")
    say(store, 20.0, "withdrawn")
    say(store, 40.0, "wrongly_rejected", png=None)
    say(store, 60.0, "wrongly_rejected")
    assert exported(store, tmp_path / "crops").endswith("; 4 corrections are left out, changes.csv says why\n")
    rows = table(tmp_path / "crops" / "manifest.csv")
    assert [(row["label"], row["defect"]) for row in rows] == [("defective", "pore"), ("non_defective", "")]
    changes = table(tmp_path / "crops" / "changes.csv")
    assert [row["left_out"] for row in changes] == [
        "something else was said of it later", "", "something else was said of it later", "said by mistake",
        "its picture had been removed when this was said", "",
    ]  # fmt: skip
    assert [(row["operator"], row["said"], row["network"]) for row in changes[:2]] == [
        ("Anna", "wrongly rejected", "defective"), ("Chris", "defect of this type", "defective")
    ]  # fmt: skip
    assert {row["path"] for row in changes} - {""} == {row["path"] for row in rows}


def test_crops_that_another_model_saw_otherwise_are_left_out(store, tmp_path):
    say(store, 0.0, "wrongly_rejected")
    recorder = Recorder(store, 10**9, shifts.schedule("06:00"), PictureSampling(0, 1e12))
    recorder.take(fake_feed.start(fake_feed.STARTED + 100, window=[0.0, 2.0]), b"")
    for message in [fake_feed.air(0, 500), *fake_feed.tile(30, defective=True)]:
        recorder.take(*message)
    recorder.close()
    say(store, 600.0, "defect", "pore")
    exported(store, tmp_path / "crops")
    assert [row["defect"] for row in table(tmp_path / "crops" / "manifest.csv")] == ["pore"]
    changes = table(tmp_path / "crops" / "changes.csv")
    assert changes[0]["left_out"] == "was imaged otherwise (48 pixels, window 0,1, 0.5 mm)"
    assert json.loads((tmp_path / "crops" / "imaging.json").read_text())["window"] == [0.0, 2.0]


def test_a_picture_that_was_corrected_twice_at_two_places_has_one_label(store, tmp_path):
    # A detector that hangs shows the same over and over.
    missed(store, 205.0, 77, "crack")
    missed(store, 225.0, 77, "pore")
    exported(store, tmp_path / "crops")
    assert [row["defect"] for row in table(tmp_path / "crops" / "manifest.csv")] == ["pore"]
    assert "shows the same as" in table(tmp_path / "crops" / "changes.csv")[0]["left_out"]


def test_a_product_that_is_not_known_is_no_group(store, tmp_path):
    missed(store, 5000.0, 77)
    line = station_programs.refusal("export", f"--store={store}", tmp_path / "crops")
    assert "none of its 1 corrections is a crop (most often: the product that it shows is not known)" in line
    assert not (tmp_path / "crops").exists()


def test_folds_of_the_crops_share_no_product(store, tmp_path):
    for along in (0.0, 20.0, 40.0, 100.0, 120.0, 200.0, 220.0):
        say(store, along, *(("wrongly_rejected",) if along % 40 else ("defect", "pore")))
    exported(store, tmp_path / "crops")
    found = dataset.load(tmp_path / "crops", fake_feed.SIDE, tmp_path / "cache")
    held_out = folds.split(found.labels, found.groups, 3, seed=0)
    # Products begin at 0, 100 and 200 mm.
    places = {
        row["path"]: int(row["along_mm"].split("-")[0]) // 100 for row in table(tmp_path / "crops" / "changes.csv")
    }
    products = [{places[found.paths[number]] for number in fold} for fold in held_out]
    assert sorted(map(len, products)) == [1, 1, 1] and set.union(*products) == {0, 1, 2}


@pytest.mark.parametrize(
    ("prepare", "rule"),
    [(lambda store, out: None, "nobody has corrected anything; say on the page what was wrong"),
     (lambda store, out: (out.mkdir(), (out / "file").touch()), "is there already; give another folder"),
     (lambda store, out: (store / "station.sqlite").unlink(), "holds no memory of a station")],
)  # fmt: skip
def test_what_cannot_be_exported_is_one_line(store, tmp_path, prepare, rule):
    out = tmp_path / "crops"
    prepare(store, out)
    assert rule in station_programs.refusal("export", f"--store={store}", out)


def test_the_folder_in_which_this_runs_is_refused_and_a_path_without_a_name_is_one(store, tmp_path, monkeypatch):
    say(store, 0.0, "wrongly_rejected")
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    line = station_programs.refusal("export", f"--store={store}", ".")
    assert line == "station.py: .: is the folder in which this runs; give another one"
    assert "is there already" in station_programs.refusal("export", f"--store={store}", "..")
    exported(store, "../other/../crops")
    assert (tmp_path / "here" / "crops" / "manifest.csv").is_file()


@pytest.mark.parametrize(
    ("operator", "verdict", "defect"),
    [("", "missed", ""), ("Anna\n", "missed", ""), ("=1+1", "missed", ""), ("A" * 41, "missed", ""),
     ("Anna", "", ""), ("Anna", "defect", ""), ("Anna", "defect", "a+b"), ("Anna", "defect", "<b>"),
     ("Anna", "wrongly_rejected", "pore")],
)  # fmt: skip
def test_what_cannot_be_said(operator, verdict, defect):
    with pytest.raises(WoolError):
        Statement(operator, verdict, defect)


@pytest.mark.parametrize("operator", ["Anna", "Jörg O'Neill-Müller", "7", "佐藤 健"])
def test_names_of_people_are_names(operator):
    assert Statement(operator, "missed").operator == operator
