"""The model in use changes in one step and can be taken back, and the book says who did it."""

import hashlib
import os
import sqlite3
import threading
import time

import pytest

import card_sample
import fake_feed
import stores
from wool_board.errors import WoolError
from wool_board.mcnemar import p_value
from wool_station.models import active_model
from wool_station.models.active_model import Models
from wool_station.store import shifts
from wool_station.store.pictures import PictureSampling
from wool_station.store.recorder import Recorder


def model(path, name, threshold=0.5):
    """A file that has a whole card and is a network for nobody."""
    decision = card_sample.DOCUMENT["decision"] | {"threshold": threshold}
    path.write_bytes(card_sample.attached(b"\0\0\0\0TFL3" + name.encode(), decision=decision))
    return path


class Place:
    """A folder of models and a store; the models lie elsewhere."""

    def __init__(self, folder):
        self.models, self.store, self.elsewhere = (folder / name for name in ("models", "store", "elsewhere"))
        self.models.mkdir()
        self.elsewhere.mkdir()
        recorder = Recorder(self.store, 10**9, shifts.schedule("06:00"), PictureSampling(0, 1e9))
        recorder.take(fake_feed.start(), b"")
        recorder.close()
        self.files = {name: model(self.elsewhere / f"{name}.tflite", name) for name in "abc"}

    def use(self, name, who="Anna", note=""):
        return Models(self.models, self.store).use(self.files[name], who, note)

    def back(self, who="Bert", note=""):
        return Models(self.models, self.store).rollback(who, note)

    @property
    def current(self):
        """Which of the files the link leads to."""
        content = (self.models / "current.tflite").read_bytes()
        return next(name for name, file in self.files.items() if file.read_bytes() == content)

    @property
    def book(self):
        rows = stores.rows(self.store, "SELECT operator, action, file, note FROM models ORDER BY id")
        return [(who, action, file[0], note) for who, action, file, note in rows]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_the_way_back_leads_over_all_models_that_were_in_use(place):
    began = time.time()
    for name in "abc":
        place.use(name, note=f"why {name}")
    assert place.current == "c"
    place.back()
    assert place.current == "b"
    place.back()
    assert place.current == "a"
    with pytest.raises(WoolError, match="no model was in use before this one"):
        place.back()
    place.use("c")
    place.back()
    assert place.current == "a"
    assert place.book == [
        ("Anna", "use", "a", "why a"), ("Anna", "use", "b", "why b"), ("Anna", "use", "c", "why c"),
        ("Bert", "rollback", "b", ""), ("Bert", "rollback", "a", ""), ("Anna", "use", "c", ""),
        ("Bert", "rollback", "a", ""),
    ]  # fmt: skip
    times = [row[0] for row in stores.rows(place.store, "SELECT time FROM models")]
    assert began - 1 < min(times) and max(times) < time.time() + 1


def test_a_model_from_elsewhere_is_copied_and_its_network_is_named_in_the_book(place):
    place.use("a")
    (file,) = [entry for entry in place.models.iterdir() if not entry.is_symlink()]
    assert file.read_bytes() == place.files["a"].read_bytes() and file.stat().st_mode & 0o777 == 0o644
    ((sha256,),) = stores.rows(place.store, "SELECT sha256 FROM models")
    assert sha256 == hashlib.sha256(b"\0\0\0\0TFL3a").hexdigest()
    assert os.readlink(place.models / "current.tflite") == file.name


def test_one_of_the_folder_is_used_where_it_is(place):
    own = model(place.models / "own.tflite", "own")
    Models(place.models, place.store).use(own, "Anna", "")
    assert os.readlink(place.models / "current.tflite") == "own.tflite"
    assert len(list(place.models.iterdir())) == 2


def test_another_threshold_is_another_model(place):
    place.use("a")
    place.files["b"] = model(place.elsewhere / "a2.tflite", "a", threshold=0.25)
    place.use("b")
    assert place.current == "b"
    with pytest.raises(WoolError, match="is in use already"):
        place.use("b")


def test_what_was_changed_by_other_means_is_entered_as_such(place):
    place.use("a")
    model(place.models / "b.tflite", "b")
    (place.models / "current.tflite").unlink()
    (place.models / "current.tflite").symlink_to("b.tflite")
    place.use("c")
    assert place.book[1:] == [("", "found", "b", "was put there by other means"), ("Anna", "use", "c", "")]
    place.back()
    assert place.current == "b"


def test_a_record_that_fails_leaves_the_model_or_is_made_up_for(place, monkeypatch):
    place.use("a")

    def fails(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(active_model.os, "replace", fails)
        place.models.joinpath("b.tflite").write_bytes(place.files["b"].read_bytes())
        with pytest.raises(OSError, match="No space"):
            Models(place.models, place.store).use(place.models / "b.tflite", "Anna", "")
    assert place.current == "a" and len(place.book) == 1
    assert sorted(entry.name for entry in place.models.iterdir() if entry.name.startswith(".")) == []
    # The power fails between the change of the link and the record.
    with monkeypatch.context() as patched:
        patched.setattr(active_model, "_sync", lambda path: fails() if path == place.models else None)
        with pytest.raises(OSError, match="No space"):
            place.use("b")
    assert place.current == "b" and len(place.book) == 1
    place.back()
    assert place.current == "a"
    assert [entry[1] for entry in place.book] == ["use", "found", "rollback"]


def test_at_every_moment_there_is_a_whole_model(place):
    place.use("a")
    place.use("b")
    seen, ended, faults = set(), threading.Event(), []

    def look():
        while not ended.is_set():
            try:
                seen.add(place.current)
            except (OSError, StopIteration) as error:
                faults.append(error)

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(15):
        place.back()
        place.use("b")
    ended.set()
    watcher.join()
    assert faults == [] and seen == {"a", "b"}


@pytest.mark.parametrize(
    ("who", "note", "rule"), [("", "", "`operator`: give"), ("<i>", "", "`operator`: give"), ("Anna", "a\nb", "`note`")]
)
def test_nobody_changes_anything_without_a_name(place, who, note, rule):
    with pytest.raises(WoolError, match=rule):
        place.use("a", who, note)
    assert list(place.models.iterdir()) == [] and place.book == []


def test_what_is_no_model_is_refused(place):
    place.use("a")
    damaged = place.elsewhere / "damaged.tflite"
    damaged.write_bytes(place.files["b"].read_bytes().replace(b"TFL3b", b"TFL3x"))
    with pytest.raises(WoolError, match="is not the model that its card describes"):
        Models(place.models, place.store).use(damaged, "Anna", "")
    place.use("b")
    (file,) = place.models.glob("a-*.tflite")
    file.write_bytes(place.files["c"].read_bytes())
    with pytest.raises(WoolError, match="is another model than the one that was in use"):
        place.back()
    assert place.current == "b"


def test_a_link_that_leads_nowhere_can_be_replaced(place):
    (place.models / "current.tflite").symlink_to("gone.tflite")
    place.use("a")
    assert place.current == "a" and [entry[1] for entry in place.book] == ["use"]


def test_folders_that_are_wrong_are_one_line(place, tmp_path):
    with pytest.raises(WoolError, match="^models=.*: no such folder"):
        Models(tmp_path / "no", place.store)
    with pytest.raises(WoolError, match="^store=.*: holds no memory"):
        Models(place.models, tmp_path)
    (place.models / "current.tflite").write_bytes(b"")
    with pytest.raises(WoolError, match="is a file, but must be a link"):
        Models(place.models, place.store)


def test_a_store_that_is_being_written_is_waited_for(place, monkeypatch):
    monkeypatch.setattr(active_model.schema, "WAIT_SECONDS", 0.2)
    other = sqlite3.connect(place.store / "station.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        place.use("a")
    assert not (place.models / "current.tflite").exists()
    other.close()


@pytest.mark.parametrize("one", [0, 1, 3, 10, 40])
@pytest.mark.parametrize("other", [0, 1, 7, 12, 400])
def test_mcnemars_p_is_that_of_scipys_binomial_test(one, other):
    from scipy.stats import binomtest

    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert p_value(one, other) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("one", "other"), [(500, 620), (20_000, 20_050), (20_000, 20_700), (20_500, 20_000)])
def test_mcnemars_p_of_many_changes_takes_no_second(one, other):
    from scipy.stats import binomtest

    started = time.process_time()
    found = p_value(one, other)
    assert time.process_time() - started < 1
    assert found == pytest.approx(binomtest(one, one + other).pvalue, rel=1e-12)


def test_mcnemars_p_is_exact():
    """Of whole numbers: all changes to one side, and one of a thousand to the other."""
    assert p_value(0, 1000) == pytest.approx(2 / 2**1000, rel=1e-12)
    assert p_value(999, 1) == pytest.approx(2 * 1001 / 2**1000, rel=1e-12)
    assert p_value(0, 100_000) == 0
