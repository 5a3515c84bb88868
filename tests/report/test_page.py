"""The two files of the report as a browser and a Markdown reader take them."""

import base64
import copy
import html.parser
import json
import os
import re

import pytest
from report_sample import TITLES, sample

from wool_tf.errors import WoolError
from wool_tf.report import page

VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "<script>alert(1)</script> | \"' **x** `y` [z](javascript:1)\nnext & last"


class Reader(html.parser.HTMLParser):
    """Collects what a page holds; fails where its elements are not properly nested."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


@pytest.fixture(scope="module")
def results() -> dict:
    return json.loads(json.dumps(sample(stages=("baseline", "hard3", "hard3-int8"))))


@pytest.fixture(scope="module")
def pages(results) -> dict:
    return page.render(results)


def markdown_tables(text: str) -> list[list[str]]:
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            found.append(rows)
            rows = []
    return found


def columns(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row)) - 1


def test_the_page_stands_alone(pages, results):
    reader = Reader(pages["report.html"])
    assert not {"script", "link", "iframe", "object", "base"} & set(reader.tags)
    assert reader.tags.count("img") == 5 + len(results["sheets"]) + len(results["examples"])
    assert all(source.startswith("data:image/") for source in reader.values("src"))
    assert all(target.startswith("#") for target in reader.values("href"))
    assert not re.search(r"https?:|url\(|@import", pages["report.html"])
    for source in reader.values("src"):
        base64.b64decode(source.partition("base64,")[2], validate=True)


def test_links_reach_their_sections_and_names_are_unique(pages):
    reader = Reader(pages["report.html"])
    names = reader.values("id")
    assert len(names) == len(set(names))
    assert {target[1:] for target in reader.values("href")} == set(names)


def test_every_picture_is_described(pages):
    assert all(len(text) > 10 for text in Reader(pages["report.html"]).values("alt"))


def test_both_files_show_every_stage_setting_and_the_command():
    results = sample()
    pages = page.render(results)
    words = "".join(Reader(pages["report.html"]).words)
    for title in TITLES.values():
        assert title in words
        assert title in pages["report.md"]
    for name in results["settings"]:
        assert name in words
        assert f"| {name} |" in pages["report.md"]
    assert results["command"] in words
    assert results["command"] in pages["report.md"]


def test_tables_of_the_page_are_those_of_the_markdown(pages):
    tables = markdown_tables(pages["report.md"])
    assert Reader(pages["report.html"]).tags.count("table") == len(tables) == 14
    for rows in tables:
        assert len({columns(row) for row in rows}) == 1
        assert re.fullmatch(r"\|( (:---|---:) \|)+", rows[1])
        assert len(rows) > 2


def test_warnings_stand_before_all_figures(results):
    document = results | {"latency_warnings": ["the CPU reached 85 °C"]}
    for text in page.render(document).values():
        assert text.index("the CPU reached 85 °C") < text.index("Before pruning")
    assert "Please note" not in page.render(results)["report.html"]


def test_hostile_strings_stay_text(results):
    document = copy.deepcopy(results)
    document |= {"title": HOSTILE, "command": HOSTILE, "latency_machine": HOSTILE, "latency_warnings": [HOSTILE]}
    document["settings"][HOSTILE] = HOSTILE
    document["environment"]["machine"] = document["data"]["folder"] = HOSTILE
    document["stages"][0]["title"] = document["latency"][0]["model"] = HOSTILE
    document["final"]["files"][0]["name"] = HOSTILE
    document["examples"][0] |= {"caption": HOSTILE, "kind": HOSTILE, "png": '"><script>alert(1)</script>'}
    pages = page.render(document)
    reader = Reader(pages["report.html"])
    assert "script" not in reader.tags
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert HOSTILE in reader.words
    assert "<script" not in pages["report.md"]
    assert not re.search(r"(?<!\\)(\*\*x|`y`|\[z\])", pages["report.md"])
    for rows in markdown_tables(pages["report.md"]):
        assert len({columns(row) for row in rows}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("back\\slash|", r"back\\slash\|"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("file_name __init__", r"file_name \__init_\_"),
        ("two\nlines", "two lines"),
        ("1.2e-6 – 98.1\u00a0%", "1.2e-6 – 98.1 %"),
    ],
)
def test_markdown_escapes(text, expected):
    assert page.markdown(text) == expected


def test_written_twice_the_files_are_the_same(results, tmp_path):
    out = tmp_path / "new" / "folder"
    page.write(results, out)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    page.write(copy.deepcopy(results), out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    assert set(first) == {"report.html", "report.md"}
    assert first["report.md"].endswith(b"\n")


def test_without_optional_parts(results):
    gone = ("histories", "final", "latency", "latency_machine", "latency_warnings", "examples", "environment")
    text = page.render(results | dict.fromkeys(gone))["report.html"]
    Reader(text)
    assert "Delivered model" not in text
    assert "Examples" not in text


@pytest.mark.parametrize("name", list(sample()))
def test_any_part_may_be_unknown(name):
    # Drawing takes longest, and the tests of the plots leave out their parts.
    undrawn = {"histories": None, "scores": None}
    for text in page.render(sample(stages=("baseline",)) | undrawn | {name: None}).values():
        assert "None" not in text
        assert "nan" not in text.lower().split()


def test_nothing_known_is_still_a_page(results):
    for document in ({}, dict.fromkeys(results)):
        pages = page.render(document)
        Reader(pages["report.html"])
        assert pages["report.md"].startswith("# Report")


def test_one_fold_has_no_spread():
    pages = page.render(sample(folds=1))
    assert not re.search(r"\d\s±\s\d", pages["report.md"])
    assert "There is only one fold" in pages["report.html"]


def test_a_folder_that_cannot_be_made_is_named(results, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(WoolError, match=re.escape(os.fspath(blocker))):
        page.write(results, blocker)
