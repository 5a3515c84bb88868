"""The quality report says what is in the store, and nothing that is in it becomes markup."""

import datetime
import html.parser
import re
import sqlite3
import time

import pytest

import fake_feed
import station_programs
import stores
from wool_station.report.alarms import alarms
from wool_station.report.period import period
from wool_station.store import corrections, shifts
from wool_station.store.corrections import Statement, Subject
from wool_station.store.pictures import PictureSampling
from wool_station.store.reader import StoreReader
from wool_station.store.recorder import Recorder

BEGAN = fake_feed.STARTED
ENDS = BEGAN + 8 * 3600
NAME = "2025-11-26T06:00"
EVIL = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    """`BEGAN` is at 6 o'clock."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def made(folder, *messages, start=None):
    """A store that has heard these messages in the shift that began at `BEGAN`."""
    recorder = Recorder(folder, 10**9, shifts.schedule("06:00,14:00,22:00"), PictureSampling(0, 1e12))
    for message in [(start or fake_feed.start(), b""), *messages]:
        recorder.take(*message)
    recorder.close()
    database = sqlite3.connect(folder / "station.sqlite")
    database.execute("DELETE FROM shifts")
    database.execute("INSERT INTO shifts VALUES (?, ?, ?)", (NAME, BEGAN, ENDS))
    database.commit()
    database.close()
    return folder


class _Page(html.parser.HTMLParser):
    """The text of a page: of each heading what follows it, and the cells of its tables."""

    def __init__(self):
        super().__init__()
        self.tags, self.sections, self.rows, self._at = [], {}, {}, ""
        self._stack = []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self._stack.append(tag)
        if tag == "h2":
            self._at = None
        if tag == "tr":
            self.rows.setdefault(self._at, []).append([])
        if tag in ("td", "th"):
            self.rows[self._at][-1].append("")

    def handle_endtag(self, tag):
        while self._stack and self._stack.pop() != tag:
            pass

    def handle_data(self, text):
        if self._at is None:
            self._at = text
        self.sections[self._at] = self.sections.get(self._at, "") + text
        if self._stack and self._stack[-1] in ("td", "th"):
            self.rows[self._at][-1][-1] += text


def report(store, tmp_path, shift=NAME) -> _Page:
    out = tmp_path / "report.html"
    finished = station_programs.run("report", f"--store={store}", f"--shift={shift}", out)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    page = _Page()
    page.feed(out.read_text(encoding="utf-8"))
    return page


def say(store, along, verdict, defect=""):
    ((number,),) = stores.rows(store, "SELECT id FROM tiles WHERE start_mm = ?", along)
    tile = StoreReader(store).tile(number)
    where = tile.inspection, tile.start_mm, tile.stop_mm, tile.left_mm, tile.right_mm
    about = Subject(tile.id, tile.time, *where, tile.score, tile.defective, StoreReader(store).picture(number))
    corrections.put(store, Statement("Anna", verdict, defect), about)


@pytest.fixture
def store(tmp_path):
    hour = 3600.0
    return made(
        tmp_path / "store",
        fake_feed.air(0, 1000, BEGAN + 10),
        *fake_feed.tile(50, True, along=1000.0, moment=BEGAN + 20),
        *fake_feed.tile(51, False, along=1020.0, moment=BEGAN + 21),
        *fake_feed.tile(52, True, along=1040.0, left=25.0, moment=BEGAN + hour + 5),
        fake_feed.unseen(1060, 1100, BEGAN + hour + 6),
        fake_feed.air(1600, 2000, BEGAN + hour + 7),
        fake_feed.reject(1, 1000, 1020, BEGAN + 22),
        fake_feed.reject(2, 1040, 1060, BEGAN + hour + 8),
        fake_feed.alarm("beam_drift", True, BEGAN + 100),
        fake_feed.alarm("beam_drift", False, BEGAN + 1000),
        fake_feed.alarm("late", None, BEGAN + 1100),
        fake_feed.alarm("stall", True, ENDS - 300),
        # Of the next shift.
        fake_feed.reject(3, 1040, 1060, ENDS + 8),
        *fake_feed.tile(60, True, along=2000.0, moment=ENDS + 5),
    )


def test_what_passed_and_what_did_not(store, tmp_path):
    page = report(store, tmp_path)
    assert page.rows["What was seen"][1:3] == [
        # 20 + 20 mm of product behind a metre of air; then 20 mm, 40 mm unseen, a gap of 500 mm, and 400 mm of air.
        ["06:00", "0.04", "1.00", "0.00", "0.00", "2", "1", "1"],
        ["07:00", "0.02", "0.40", "0.04", "0.50", "1", "1", "1"],
    ]
    assert ["too_slow", "1", "0.04", "the board was too slow for the belt"] in page.rows["What was seen"]
    assert page.rows["What ran"][1] == ["2025-11-26 06:00:00", "current.tflite", "ab" * 8, "int8", "0.6", "0 to 1"]
    assert "2025-11-26, 06:00" in page.sections[""]


def test_rejects_by_place_with_the_pictures_of_this_time_alone(store, tmp_path):
    page = report(store, tmp_path)
    # The belt is 50 mm wide, so that a lane is 6.25 mm; the middles of both rejects are at 10 mm.
    assert [row[1] for row in page.rows["Rejects by place"][1:]] == ["0", "2", "0", "0", "0", "0", "0", "0"]
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 2 and all(picture.startswith("data:image/png;base64,iVBOR") for picture in pictures)
    assert "2 of 2 defective tiles" in page.sections["Pictures of rejects"]


def test_alarms_with_how_long_they_stood(store, tmp_path):
    rows = report(store, tmp_path).rows["Alarms"][1:]
    assert [row[:3] for row in rows] == [["beam_drift", "1", "15.0"], ["late", "1", ""], ["stall", "1", "5.0"]]


def test_an_alarm_that_stood_before_is_one_of_this_shift(tmp_path):
    store = made(
        tmp_path / "store", fake_feed.alarm("no_air", True, BEGAN - 50), fake_feed.alarm("no_air", False, BEGAN + 60)
    )
    assert [row[:3] for row in report(store, tmp_path).rows["Alarms"][1:]] == [["no_air", "1", "1.0"]]


def test_alarms_of_an_inspection_end_with_it_and_those_of_the_recorder_do_not(tmp_path):
    own = fake_feed.alarm("challenge_failed", True, BEGAN + 100)[0] | {"source": "recorder"}
    store = made(
        tmp_path / "store",
        fake_feed.alarm("no_writer", True, BEGAN + 100),
        fake_feed.alarm("stall", True, BEGAN + 100),
        (own, b""),
        # Killed, it said no more of its alarms; the next one has one of them again.
        (fake_feed.start(BEGAN + 700), b""),
        fake_feed.alarm("stall", True, BEGAN + 1000),
        fake_feed.alarm("stall", False, BEGAN + 1300),
    )
    rows = report(store, tmp_path).rows["Alarms"][1:]
    assert [row[:3] for row in rows] == [
        ["challenge_failed", "1", f"{(8 * 3600 - 100) / 60:.1f}"], ["no_writer", "1", "10.0"], ["stall", "2", "15.0"]
    ]  # fmt: skip
    later = period(StoreReader(store), NAME)._replace(began=ENDS, ends=ENDS + 8 * 3600)
    assert [(row.name, row.times, row.minutes) for row in alarms(StoreReader(store), later)] == [
        ("challenge_failed", 1, 480.0)
    ]


def test_corrections_and_types(store, tmp_path):
    say(store, 1000.0, "defect", "pore")
    say(store, 1040.0, "wrongly_rejected")
    page = report(store, tmp_path)
    assert page.rows["Defects by type"][1:] == [["pore", "1"]]
    assert [row[1:3] for row in page.rows["Corrections by operators"][1:]] == [
        ["Anna", "defect of this type: pore"], ["Anna", "wrongly rejected"]
    ]  # fmt: skip
    assert "Saidtobewrong1" in re.sub(r"\s", "", page.sections[""])


def test_test_pieces_with_since_when_all_is_in_doubt_and_changes_of_the_model(store, tmp_path):
    database = sqlite3.connect(store / "station.sqlite")
    names = "time, operator, piece, until, outcome, told, start_mm, stop_mm, score"
    for after, piece, outcome, place in (
        (-3600, "ball", "found", 100.0), (60, "ball", "missed", None), (70, "pore", "found", 500.0),
        (80, "pore", None, None),
    ):  # fmt: skip
        values = BEGAN + after, EVIL, piece, BEGAN + after + 60, outcome, None, place, place, place and 0.875
        database.execute(f"INSERT INTO challenges ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    change = BEGAN + 90, "Bert", "use", "b.tflite", "cd" * 32, "ef" * 32, "finds pores"
    database.execute(
        "INSERT INTO models (time, operator, action, file, sha256, digest, note) VALUES (?, ?, ?, ?, ?, ?, ?)", change
    )
    database.commit()
    database.close()
    page = report(store, tmp_path)
    assert page.rows["Test pieces"][1:] == [
        ["2025-11-26 06:01:00", EVIL, "ball", "NOT FOUND", "", "2025-11-26 05:00:00"],
        ["2025-11-26 06:01:10", EVIL, "pore", "found", "0.50 m, score 0.875", "never"],
        ["2025-11-26 06:01:20", EVIL, "pore", "not known yet", "", "2025-11-26 06:01:10"],
    ]
    assert "Testpiecesnotfound1of3" in re.sub(r"\s", "", page.sections[""])
    changed = ["2025-11-26 06:01:30", "Bert", "use", "b.tflite", "cd" * 8, "finds pores"]
    assert page.rows["What ran"][-1] == changed


def test_what_others_wrote_is_text_and_the_page_needs_nothing_else(tmp_path):
    evil = fake_feed.alarm(EVIL, True, BEGAN + 5)
    store = made(
        tmp_path / "store", evil, *fake_feed.tile(1, True, moment=BEGAN + 6), start=fake_feed.start(model=f"m/{EVIL}")
    )
    page = report(store, tmp_path)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object")]
    assert EVIL in page.sections["Alarms"]
    (policy,) = [each["content"] for tag, each in page.tags if tag == "meta" and "http-equiv" in each]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    named = [value for _, each in page.tags for name, value in each.items() if name in ("src", "href")]
    assert all(value.startswith("data:image/png;base64,") for value in named)


def test_a_time_without_anything_is_a_report_too(tmp_path):
    page = report(made(tmp_path / "store"), tmp_path)
    assert "No inspection was heard of." in page.sections["What ran"]
    assert "Nothing was rejected." in page.sections["Pictures of rejects"]


@pytest.mark.parametrize(
    ("text", "began", "ends"),
    [
        (NAME, BEGAN, ENDS),
        ("last", BEGAN, ENDS),
        ("current", BEGAN, ENDS),
        ("2025-11-26", BEGAN - 6 * 3600, BEGAN + 18 * 3600),
    ],
)
def test_of_which_time_a_report_is(store, text, began, ends):
    assert datetime.datetime.fromtimestamp(BEGAN).hour == 6
    assert period(StoreReader(store), text)[1:] == (began, ends)


@pytest.mark.parametrize(
    ("shift", "rule"),
    [("yesterday", "--shift=yesterday: must be last, current, a day such as 2026-11-26, or the beginning of a shift; "
      f"the newest are {NAME}"),
     ("2025-11-27", "--shift=2025-11-27: nothing was recorded on this day"),
     ("2025-13-01", "--shift=2025-13-01: must be")],
)  # fmt: skip
def test_a_time_of_which_nothing_is_known_is_one_line(store, tmp_path, shift, rule):
    line = station_programs.refusal("report", f"--store={store}", f"--shift={shift}", tmp_path / "out.html")
    assert line.startswith(f"station.py: {rule}")
    assert not (tmp_path / "out.html").exists()


def test_files_that_are_wrong_are_one_line(store, tmp_path):
    line = station_programs.refusal("report", f"--store={tmp_path}", tmp_path / "out.html")
    assert line == f"station.py: --store={tmp_path}: holds no memory of a station; give the folder that record writes"
    line = station_programs.refusal("report", f"--store={store}", f"--shift={NAME}", tmp_path / "no" / "out.html")
    assert line == f"station.py: {tmp_path}/no/out.html: cannot be written (No such file or directory)"
