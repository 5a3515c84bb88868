"""wool_tf/data/spelling.py: what is one name, and what only looks like one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wool_tf.data import spelling

INVISIBLE = ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u200f", "\u202a", "\u202e", 
             "\u2066", "\u2069", "\u034f", "\ufe0f", "\u180e", "\u3164", "\x00", "\x7f", "\U000e0061"]  # fmt: skip
BLANKS = [" ", "\t", "\u00a0", "\u2003", "\u3000", "\u202f", "\r\n", "\u2028"]


@pytest.mark.parametrize("char", INVISIBLE, ids=ascii)
def test_what_has_no_shape_makes_no_difference(char):
    assert {spelling.cleaned(text) for text in (f"{char}S1", f"S{char}1", f"S1{char}", f" {char} S1")} == {"S1"}


@pytest.mark.parametrize("char", BLANKS, ids=ascii)
def test_white_space_is_a_blank_between_and_nothing_around(char):
    assert spelling.cleaned(f"{char}S{char}{char}1{char}") == "S 1"


def test_accents_are_one_letter():
    assert spelling.cleaned("Pru\u0308fling") == spelling.cleaned("Pr\u00fcfling") == "Pr\u00fcfling"
    # What was between them had no shape.
    assert spelling.cleaned("Pru\u200b\u0308fling") == "Pr\u00fcfling"


@pytest.mark.parametrize(
    ("one", "other"),
    [("S1", "s1"), ("S1", "S01"), ("S2", "S\u00b2"), ("1", "\u2460"), ("S", "\uff33"), ("A", "\u0391")],
)
def test_what_differs_visibly_stays_apart(one, other):
    assert spelling.cleaned(one) != spelling.cleaned(other)


@given(st.text())
def test_cleaning_is_done_at_once(text):
    once = spelling.cleaned(text)
    assert spelling.cleaned(once) == once == once.strip() and unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize(
    ("one", "other"),
    [("S1", "s1"), ("S1", "S01"), ("S1-2", "S001-02"), ("7", "7.0"), ("A1", "\u04101"), ("S-1", "S\u20131"),
     ("S1", "\uff331"), ("Stra\u00dfe", "STRASSE"), ("S-1", "S1"), ("S001", "S_001"), ("S 1 a", "s1-A"),
     ("1000", "1E+03"), ("1.5e3", "1500"), ("1E3", "1,00E+03"),
     ("S1", "\u04051"), ("S12", "S\u0661\u0662"), ("S1", "S\u0967"), ("SI1", "S\u01301"), ("sI1", "s\u01311"),
     ("M\u00fcller", "M\u00c3\u00bcller"), ("S1", "S1."), ("S1", "'S1'"), ("S1", "\u201eS1\u201c")],
)  # fmt: skip
def test_names_that_look_alike_are_told(one, other):
    assert spelling.alike([one, "another", other]) == [(one, other)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("S1", "S10"), ("S1", "S2"), ("S01", "S10"), ("S1_1", "S11"), ("1-1", "11"), ("S1.2", "S12"), ("0", "00x")],
)
def test_names_that_do_not_look_alike(one, other):
    assert spelling.alike([one, other]) == []


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN", "<NA>", "None", "NULL", "\u200bnan\u00a0"])
def test_what_programs_write_where_there_is_no_name_is_none(cell):
    assert spelling.is_missing(cell) and spelling.said(cell) == ""
    assert spelling.said("Nan1") == "Nan1" and not spelling.is_missing("0")


def spellings(*texts):
    found = spelling.Spellings("samples")
    return [found.read(text) for text in texts], found.remarks()


def test_spellings_say_nothing_of_names_that_are_written_alike():
    assert spellings("S1", " S1 ", "S2", "") == (["S1", "S1", "S2", ""], [])


def test_spellings_name_what_was_joined_in_a_line():
    read, remarks = spellings("S1", "S1\u200b", "S2", "Ä", "A\u0308")
    assert read == ["S1", "S1", "S2", "Ä", "Ä"]
    assert remarks == [r"3 samples, 2 of them written in several ways: 'S1' = 'S1\u200b'; '\xc4' = 'A\u0308'"]


CHANGED = [
    "1E+03",
    "2.00E+05",
    "1,00E+03",
    "01-Feb",
    "1. Feb",
    "Feb-01",
    "12-Mär",
    "#NAME?",
    "#N/A",
    "2024-02-01 00:00:00",
]


@pytest.mark.parametrize("name", CHANGED)
def test_names_that_a_spreadsheet_changed_are_told(name):
    _, remarks = spellings("S1", name)
    rule = "look as if a spreadsheet had made a number, a date or an error of them; compare them with the original"
    assert remarks == [f"warning: samples {rule}: {ascii(name)}"]


@pytest.mark.parametrize("name", ["1E3", "S1E+03", "1000", "2024-02-01", "Feb", "1-2", "#1"])
def test_names_that_a_spreadsheet_leaves_alone(name):
    assert spellings("S1", name)[1] == []


def test_spellings_name_a_few_and_count_the_others():
    _, remarks = spellings(*(f"{number}{end}" for number in range(1, 1006) for end in ("", "\u200b")), *"aAbBcCdDeE")
    joined, alike = remarks
    assert joined.startswith("1,015 samples, 1,005 of them written") and joined.endswith("; and 1,002 more")
    assert alike == (
        "warning: samples that look alike (case, zeros, separators, alphabets) count as different; if they are not, "
        "write them alike: 'a' and 'A', 'b' and 'B', 'c' and 'C' and 2 more pairs"
    )


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_files_are_found_in_either_form(tmp_path, form, written):
    path = "prøver/Prüfling é.png"
    file = tmp_path / unicodedata.normalize(form, path)
    file.parent.mkdir()
    file.touch()
    found = spelling.Folder(tmp_path).path(unicodedata.normalize(written, path))
    assert (tmp_path / found).samefile(file) and found == file.relative_to(tmp_path).as_posix()


def test_a_path_in_two_forms_at_once(tmp_path):
    (tmp_path / "e\u0301" / "\u00e9").mkdir(parents=True)
    assert spelling.Folder(tmp_path).path("\u00e9\\e\u0301\u200b") == "e\u0301/\u00e9"


def test_a_file_of_that_very_name_comes_first_and_no_other_is_guessed(tmp_path):
    for name in ("\u00e9", "e\u0301", "x\u200b"):
        (tmp_path / name).touch()
    folder = spelling.Folder(tmp_path)
    assert (folder.path("\u00e9"), folder.path("e\u0301")) == ("\u00e9", "e\u0301")
    assert folder.path("e\u200b\u0301") == "e\u200b\u0301"
    assert folder.path("x") == "x\u200b"


@pytest.mark.parametrize("path", ["../a", "/a", "a/../b", "a\0b", "nowhere/a", "x" * 5000])
def test_what_is_not_there_stays_as_it_was_written(tmp_path, path):
    assert spelling.Folder(tmp_path).path(path) == path


def test_slashes():
    assert spelling.Folder(spelling.Path("/nowhere")).path(r".\a\\b/c.png") == "a/b/c.png"
