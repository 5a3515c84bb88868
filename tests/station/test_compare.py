"""Two models on the pictures of a store: what each finds, who is right, and what cannot be compared."""

import json
import re
import sqlite3
import zipfile

import numpy as np
import pytest

import card_sample
import fake_feed
import station_programs
import stores
from wool_board.errors import WoolError
from wool_board.model.card import CardInput
from wool_board.model.recognizer import Recognition
from wool_station.models import samples as sampling
from wool_station.models.comparison import ModelComparison
from wool_station.models.samples import CORRECTED, PASSED, REJECTED, samples
from wool_station.store import corrections, shifts, volumes
from wool_station.store.corrections import Statement, Subject
from wool_station.store.pictures import PictureSampling
from wool_station.store.reader import StoreReader
from wool_station.store.recorder import Recorder


class Model:
    """Calls the tiles of some numbers defective, by their very pixels."""

    def __init__(self, *defective, side=fake_feed.SIDE, window=(0.0, 1.0), threshold=0.5):
        self.side, self.threshold = side, threshold
        self.card = card_sample.card(input=CardInput(side=side, margin=0.0, pixels="", window=window))
        self._defective = [fake_feed.pixels(number) for number in defective]

    def recognize(self, pixels):
        found = any(np.array_equal(pixels, each) for each in self._defective)
        return Recognition(0.9 if found else 0.1, found, None)


def place(number):
    """Where a tile of `store` begins."""
    return 80.0 * (number // 3) + 20.0 * (number % 3)


@pytest.fixture
def store(tmp_path):
    """Products 1 to 4 of three tiles each, in the middle of which the model in use called the tiles 1, 4, 5 and 10
    defective."""
    folder = tmp_path / "store"
    recorder = Recorder(folder, 10**9, shifts.schedule("06:00"), PictureSampling(1, 1e12))
    recorder.take(fake_feed.start(), b"")
    for number in range(12):
        along = place(number)
        for message in fake_feed.tile(number, number in (1, 4, 5, 10), along=along):
            recorder.take(*message)
        if number % 3 == 2:
            recorder.take(*fake_feed.air(along + 20, along + 40))
    recorder.close()
    products = stores.rows(folder, "SELECT product, count(*) FROM tiles GROUP BY product")
    assert products == [(1, 3), (2, 3), (3, 3), (4, 3)]
    return folder


def say(store, number, verdict, defect=""):
    ((tile,),) = stores.rows(store, "SELECT id FROM tiles WHERE start_mm = ?", place(number))
    tile = StoreReader(store).tile(tile)
    where = tile.inspection, tile.start_mm, tile.stop_mm, tile.left_mm, tile.right_mm
    about = Subject(tile.id, tile.time, *where, tile.score, tile.defective, StoreReader(store).picture(tile.id))
    corrections.put(store, Statement("Anna", verdict, defect), about)


def compared(store, first, second):
    comparison = ModelComparison((first, second), StoreReader(store).inspections())
    comparison.add(samples(StoreReader(store)))
    return comparison


def test_what_each_finds_by_kind_and_truth(store):
    say(store, 1, "defect", "pore")
    say(store, 4, "wrongly_rejected")
    say(store, 7, "missed")
    found = compared(store, Model(1, 4, 5, 10), Model(1, 5, 7, 8))
    counts = {order: (group.images, group.called, group.only) for order, group in found.groups.items()}
    assert counts == {
        (CORRECTED, True): (2, (1, 2), (0, 1)),
        (CORRECTED, False): (1, (1, 0), (1, 0)),
        (REJECTED, None): (2, (2, 1), (1, 0)),
        (PASSED, None): (7, (0, 1), (0, 1)),
    }
    # Of the corrected ones B alone is right about 4 (no defect) and 7 (a defect); one each of products 2 and 3.
    test = found.corrected()
    assert (test.changed, test.p, test.products, test.p_products) == ((0, 2), 0.5, (0, 2), 0.5)
    # Of the others A alone calls 10 of product 4, B alone calls 8 of product 3.
    test = found.uncorrected()
    assert (test.changed, test.p, test.products, test.p_products) == ((1, 1), 1.0, (1, 1), 1.0)
    (difference,) = found.groups[REJECTED, None].differences
    assert (difference.scores, difference.called) == ((0.9, 0.1), (True, False))


def test_many_tiles_of_one_product_are_one_product(store):
    test = compared(store, Model(), Model(0, 1, 2, 9)).uncorrected()
    assert (test.changed, test.p) == ((0, 4), 0.125)
    assert (test.products, test.p_products) == ((0, 2), 0.5)


def test_what_was_said_last_counts_and_what_was_withdrawn_does_not(store):
    say(store, 1, "wrongly_rejected")
    say(store, 1, "defect", "pore")
    say(store, 4, "wrongly_rejected")
    say(store, 4, "withdrawn")
    found = {one.start_mm: one for one in samples(StoreReader(store))}
    assert len(found) == 12
    assert (found[20.0].truth, found[20.0].said) == (True, "pore")
    assert (found[100.0].kind, found[100.0].truth) == (REJECTED, None)


def test_the_newest_of_each_kind(store, monkeypatch):
    monkeypatch.setattr(sampling, "MOST", 2)
    found = [(one.kind, one.start_mm) for one in samples(StoreReader(store))]
    assert found == [(REJECTED, 260.0), (REJECTED, 120.0), (PASSED, 280.0), (PASSED, 240.0)]


def test_pictures_of_other_crops_are_left_out_and_models_of_different_crops_refused(store):
    assert compared(store, Model(window=(0.0, 2.0)), Model(window=(0.0, 2.0))).left_out == 12
    assert compared(store, Model(side=40), Model(side=40)).left_out == 12
    assert compared(store, Model(window=None), Model(window=None)).left_out == 0
    with pytest.raises(WoolError, match="the models read different crops"):
        ModelComparison((Model(), Model(side=40)), {})
    with pytest.raises(WoolError, match="the models read different crops"):
        ModelComparison((Model(), Model(window=(0.0, 2.0))), {})


@pytest.mark.parametrize("damage", [lambda png: b"", lambda png: b"x" * len(png), lambda png: png[: len(png) // 2]])
def test_a_picture_that_the_disk_has_damaged_is_left_out(store, damage, monkeypatch):
    read = volumes.read

    def damaged(folder, volume, place, count):
        png = read(folder, volume, place, count)
        return damage(png) if place == 0 else png

    monkeypatch.setattr(volumes, "read", damaged)
    found = compared(store, Model(), Model())
    assert (found.images, found.damaged, found.left_out) == (11, 1, 0)


@pytest.fixture(scope="module")
def real_models(tmp_path_factory):
    """Two files of one network with random weights, A with a threshold below all its scores of the tiles of `store` but
    three, B with one above all but three."""
    from wool_tf.data.imaging import Imaging
    from wool_tf.deploy import card, tflite_file, tflite_scores
    from wool_tf.networks import resnet, weights
    from wool_tf.networks.spec import ResNetSpec

    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    spec = spec.resized({group: 3 for group in spec.by_group()})
    arrays = weights.initial(spec, seed=0)
    arrays["fc.weight"] = np.random.default_rng(1).normal(0, 30, arrays["fc.weight"].shape).astype(np.float32)
    side = fake_feed.SIDE
    tflite = tflite_file.convert(resnet.restored(spec, arrays), "fp32", side=side)
    scores = tflite_scores.predict(tflite, np.stack([fake_feed.pixels(number) for number in range(12)]))
    ordered = np.sort(scores)
    assert ordered[2] < ordered[3] and ordered[8] < ordered[9]
    folder, files = tmp_path_factory.mktemp("models"), []
    for name, at in (("a", 2), ("b", 8)):
        threshold = float(ordered[at : at + 2].mean())
        made = card.make(
            tflite, "fp32", spec, arrays, threshold=threshold, rule="", float_threshold=threshold,
            imaging=Imaging(side, (0.0, 1.0), 0.5), fingerprint="0" * 64, images=1,
        )  # fmt: skip
        files.append(folder / f"{name}.tflite")
        files[-1].write_bytes(card.attach(tflite, made))
    return files


def test_through_the_programs(store, real_models, tmp_path):
    first, second = real_models
    say(store, 1, "defect", "pore")
    out, models = tmp_path / "out.html", tmp_path / "models"
    finished = station_programs.run("compare", f"--store={store}", first, second, out)
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = finished.stdout.splitlines()
    counts = [list(map(int, re.findall(r"(?<![\w.])\d+", line))) for line in lines[:4]]
    # Images; called by A, by B; by A alone, by B alone. A calls 9 of the 12 pictures, B 3, each of which A calls too.
    assert np.sum(counts, axis=0).tolist() == [12, 9, 3, 6, 0]
    same = station_programs.run("compare", f"--store={store}", first, first, tmp_path / "same.html")
    assert [line.rpartition(": ")[2] for line in same.stdout.splitlines()[-2:]] == ["nothing to test"] * 2
    assert (tmp_path / "same.html").read_text(encoding="utf-8").count('<td class="r">–</td>') == 4
    page = out.read_text(encoding="utf-8")
    assert page.count("<figure>") == 6 and page.count("data:image/png;base64,iVBOR") == 6
    assert "default-src 'none'" in page and "<script" not in page

    models.mkdir()
    change = "model", f"--models={models}", f"--store={store}"
    for file in (first, second):
        finished = station_programs.run(*change, "use", file, "--operator=Anna", "--note=better")
        assert (finished.returncode, finished.stderr) == (0, "")
        assert finished.stdout.splitlines()[1].endswith("systemctl restart wool-inspect")
    assert station_programs.run(*change, "rollback", "--operator=Bert").returncode == 0
    assert (models / "current.tflite").read_bytes() == first.read_bytes()
    listed = station_programs.run(*change, "list").stdout.splitlines()
    assert [line.split()[2] for line in listed[:3]] == ["use", "use", "rollback"] and listed[3].startswith("in use: a-")
    line = station_programs.refusal(*change, "use", "--operator=Anna", status=64)
    assert line == "station.py: use: needs a FILE"
    assert station_programs.refusal(*change, "rollback", status=64) == "station.py: rollback: needs --operator=NAME"
    bad = broken(first, tmp_path / "broken.tflite")
    assert "broken.tflite: cannot be run" in station_programs.refusal(*change, "use", bad, "--operator=Anna")
    line = station_programs.refusal("compare", f"--store={tmp_path}", first, second, out)
    assert line.startswith(f"station.py: --store={tmp_path}: holds no memory")


def broken(model, path):
    """A model whose card is right and whose network does not run."""
    with zipfile.ZipFile(model) as archive:
        card = json.loads(archive.read("card.json"))
    del card["model"]
    path.write_bytes(card_sample.attached(b"\0\0\0\0TFL3" + bytes(200), **card))
    return path


def test_a_store_without_pictures_is_one_line(real_models, tmp_path):
    recorder = Recorder(tmp_path / "store", 10**9, shifts.schedule("06:00"), PictureSampling(0, 1e9))
    recorder.take(fake_feed.start(), b"")
    recorder.close()
    assert sqlite3.connect(tmp_path / "store/station.sqlite").execute("SELECT count(*) FROM tiles").fetchone() == (0,)
    line = station_programs.refusal("compare", f"--store={tmp_path / 'store'}", *real_models, tmp_path / "out.html")
    assert line == f"station.py: --store={tmp_path / 'store'}: has no pictures to compare on"
