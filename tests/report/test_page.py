"""The two files of the report as a browser and a Markdown reader take them."""

import base64
import copy
import dataclasses
import hashlib
import html.parser
import json
import os
import re
import shlex
import shutil
import subprocess

import numpy as np
import pytest

import browser
import study_sample
from study_sample import configuration, stage, written
from wool_tf.errors import WoolError
from wool_tf.evaluation import calibration
from wool_tf.evaluation.bootstrap import DefectRecall
from wool_tf.report import export, page, pictures, quality, tables
from wool_tf.study.board_results import PointingGame
from wool_tf.study.results import Failure

VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "<script>alert(1)</script> | \"' **x** `y` [z](javascript:1)\nnext & last"


class Reader(html.parser.HTMLParser):
    """Collects what a page holds; fails where its elements are not properly nested."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.attributes, self.words, self.scripts = [], [], [], [], []
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
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


@pytest.fixture(scope="module")
def pages(delivered) -> dict:
    return page.render(delivered)


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


def test_the_page_stands_alone(pages, delivered):
    reader = Reader(pages[".html"])
    assert not {"link", "iframe", "object", "base"} & set(reader.tags)
    shown = len(delivered.sheets) + len(delivered.delivery.pictures)
    assert reader.tags.count("img") == 11 + shown
    assert all(source.startswith("data:image/") for source in reader.values("src"))
    assert all(target.startswith("#") for target in reader.values("href"))
    assert not re.search(r"https?:|url\(|@import", pages[".html"])
    for source in reader.values("src"):
        base64.b64decode(source.partition("base64,")[2], validate=True)


def test_nothing_but_the_slider_may_run(pages):
    reader = Reader(pages[".html"])
    data, script = reader.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(value for value in reader.values("content") if value.startswith("default-src"))
    assert policy.startswith("default-src 'none';") and policy.endswith(f"script-src 'sha256-{digest}'")
    assert json.loads(data)["images"]
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]


def test_the_slider_has_every_held_out_score(pages, delivered):
    data = json.loads(Reader(pages[".html"]).scripts[0])
    name = delivered.delivered.int8_stage.name
    assert [row[1:] for row in data["images"]] == [
        [one.label, one.defects, one.path, number] for number, one in enumerate(delivered.delivery.judged)
    ]
    for row, one in zip(data["images"], delivered.delivery.judged, strict=True):
        assert row[0] == one.scores[name]
    assert "--threshold=THRESHOLD" in data["command"]


def test_the_slider_counts_as_the_scores_do(delivered, tmp_path):
    """In a browser: at the delivered threshold."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium")
    page.write(delivered, tmp_path, "report")
    probe = (tmp_path / "report.html").read_text()
    found = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{tmp_path}/report.html"],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    assert probe.count('id="missed"') == 1
    scores = [(one.scores[delivered.delivered.int8_stage.name], one.label) for one in delivered.delivery.judged]
    at = delivered.delivery.threshold
    missed = sum(label == 1 and score < at for score, label in scores)
    alarms = sum(label == 0 and score >= at for score, label in scores)
    assert f'id="missed">{missed} of 90<' in found
    assert f'id="alarms">{alarms} of 150<' in found
    # Of 100 tiles on a square metre.
    assert f'id="area">{100 * alarms / 150:.1f}<' in found


def saturated(study):
    """The same delivery with scores as far out as int8 files give them, and hostile names."""
    stage, judged = study.delivered.int8_stage.name, []
    for number, one in enumerate(study.delivery.judged):
        odds = np.log(one.scores[stage] / (1 - one.scores[stage]))
        name = f"{'<script>alert(1)</script>' if number % 2 else 'a b'}'\"$&😀{number}.png"
        scores = one.scores | {stage: float(1 / (1 + np.exp(-3 * odds - 12)))}
        judged.append(dataclasses.replace(one, path=name, scores=scores))
    delivery = dataclasses.replace(study.delivery, judged=tuple(judged), threshold=0.9999938558253978)
    return dataclasses.replace(study, delivery=delivery, out="runs/it's $& a run")


@pytest.mark.skipif(browser.PROGRAM is None, reason="needs Chromium")
@pytest.mark.parametrize("change", [lambda study: study, saturated])
def test_what_the_slider_delivers_is_what_it_counts(change, delivered, tmp_path):
    study = change(delivered)
    stage = study.delivered.int8_stage.name
    labels = np.array([one.label for one in study.delivery.judged])
    scores = np.array([one.scores[stage] for one in study.delivery.judged])
    page.write(study, tmp_path, "report")

    def counted(window):
        words = shlex.split(window.run("document.getElementById('deliver').textContent"))
        assert f"--network={study.out}/model/compact.safetensors" in words
        (at,) = (float(word.removeprefix("--threshold=")) for word in words if word.startswith("--threshold="))
        texts = [window.run(f"document.getElementById('{name}').textContent") for name in ("missed", "alarms")]
        missed, alarms = ((labels == 1) & (scores < at)).sum(), ((labels == 0) & (scores >= at)).sum()
        assert texts == [f"{missed} of {(labels == 1).sum()}", f"{alarms} of {(labels == 0).sum()}"]
        assert float(window.run("document.getElementById('metre').textContent")) == pytest.approx(
            2 * 100 * alarms / (labels == 0).sum(), abs=0.051
        )
        return at, missed, alarms

    with browser.browser() as window:
        window.show(f"file://{tmp_path}/report.html")
        window.run("document.getElementById('width').value = 2")
        window.run("document.getElementById('width').dispatchEvent(new Event('input'))")
        assert counted(window)[0] == study.delivery.threshold
        odds = np.log(study.delivery.threshold / (1 - study.delivery.threshold))
        found = calibration.fit(labels, scores)
        told = float(window.run("document.getElementById('ratio').value"))
        assert told == pytest.approx(np.exp(-found.slope * odds - found.offset), rel=0.01)
        for cost in (0.01, 1, 3, 10, 1000):
            window.run(f"document.getElementById('ratio').value = {cost}")
            window.run("document.getElementById('ratio').dispatchEvent(new Event('input'))")
            at, *_ = counted(window)
            assert at == pytest.approx(calibration.fit(labels, scores).threshold(cost))
        for odds in (-12, -3.33, 0, 7.77, 11.99, 12):
            window.run(f"document.getElementById('threshold').value = {odds}")
            window.run("document.getElementById('threshold').dispatchEvent(new Event('input'))")
            at, missed, _ = counted(window)
            assert at == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-4)
            assert window.run("document.querySelectorAll('#missed-images li').length") == missed
        assert not window.messages


def test_images_missed_are_listed_with_their_pictures(delivered, tmp_path):
    if browser.PROGRAM is None:
        pytest.skip("needs Chromium")
    page.write(delivered, tmp_path, "report")
    with browser.browser() as window:
        window.show(f"file://{tmp_path}/report.html")
        stage, delivery = delivered.delivered.int8_stage.name, delivered.delivery
        missed = {
            number for number, one in enumerate(delivery.judged) if one.label and one.scores[stage] < delivery.threshold
        }
        assert missed & {picture.image for picture in delivery.pictures}
        assert window.run("document.querySelectorAll('#missed-images img').length") == len(missed)
        window.run("document.getElementById('threshold').value = 12")
        window.run("document.getElementById('threshold').dispatchEvent(new Event('input'))")
        # All are missed, those that the delivered threshold finds among them.
        pictures = "[...document.querySelectorAll('#missed-images img')]"
        assert window.run(f"{pictures}.length") == sum(one.label for one in delivery.judged) > len(missed)
        assert window.run(f"Promise.all({pictures}.map((each) => each.decode())).then((all) => all.length)") == 90
        assert "D1 melt drops: " in window.run("document.getElementById('types').textContent")


@pytest.mark.skipif(browser.PROGRAM is None, reason="needs Chromium")
def test_no_column_is_lost_on_paper(delivered, compared, tmp_path):
    with browser.browser() as window:
        window.call("Emulation.setEmulatedMedia", media="print")
        for number, study in enumerate((delivered, compared)):
            page.write(study, tmp_path, f"report{number}")
            # An A4 sheet at 96 dots an inch less margins of a centimetre.
            window.show(f"file://{tmp_path}/report{number}.html", 718, 1000)
            assert window.run("document.documentElement.scrollWidth") <= 718


def test_it_is_said_where_pictures_are_left_out(delivered):
    shown = delivered.delivery.pictures
    delivery = dataclasses.replace(delivered.delivery, pictures=shown[1:])
    for text in page.render(dataclasses.replace(delivered, delivery=delivery)).values():
        assert re.search(r"Of (\d+) images judged wrongly \d+ are shown", text)
    assert "are shown; the table" not in page.render(delivered)[".html"]


def test_links_reach_their_sections_and_names_are_unique(pages):
    reader = Reader(pages[".html"])
    names = reader.values("id")
    assert len(names) == len(set(names))
    assert {target[1:] for target in reader.values("href")} <= set(names)


def test_heatmaps_are_drawn_where_a_defect_is_or_was_seen(delivered):
    stage, judged = delivered.delivered.int8_stage.name, delivered.delivery.judged
    for given, one in zip(delivered.delivery.pictures, pictures.pictures(delivered), strict=True):
        image = judged[given.image]
        passed = image.label == 0 and not image.wrong(stage)
        assert bool(one.cells) == (not passed and max(map(max, given.heatmap)) > 0)


def test_it_is_said_what_heatmaps_can_show(delivered):
    def told(pointing):
        delivery = dataclasses.replace(delivered.delivery, pointing=pointing)
        return pictures.heatmaps(dataclasses.replace(delivered, delivery=delivery))

    assert "No defects are marked in these images" in told(None) and "Pink" not in told(None)
    assert told(PointingGame(200, 116, 13.0)).endswith(
        "Over all 200 defective images whose defects are marked, the heatmap is highest inside a mark in 58.0 % (by "
        "chance 6.5 %)."
    )
    for text in page.render(delivered).values():
        assert "neither the outline of a defect nor whether there is one" in text


def test_every_picture_is_described(pages):
    assert all(len(text) > 10 for text in Reader(pages[".html"]).values("alt"))


def test_the_verdict_comes_first(pages, compared):
    for text in (*pages.values(), *page.render(compared).values()):
        verdict = re.search("Fit for use|Compared, not delivered", text).start()
        assert verdict < text.index("Please note")
        assert text.index("Next:") < text.index("Please note")
        assert verdict < text.index("Key figures") if "Key figures" in text else True


def test_both_files_show_every_stage_setting_and_the_command(pages, delivered):
    words = "".join(Reader(pages[".html"]).words)
    for stage_ in delivered.configurations[0].stages:
        assert stage_.title in words
        assert stage_.title in pages[".md"]
    for name in vars(delivered.settings):
        assert name in words
        assert f"| {name} |" in pages[".md"]
    assert delivered.command in words
    assert delivered.command in pages[".md"]


@pytest.mark.parametrize("kind", ["delivered", "compared"])
def test_tables_of_the_page_are_those_of_the_markdown(kind, request):
    texts = page.render(request.getfixturevalue(kind))
    tables = markdown_tables(texts[".md"])
    assert Reader(texts[".html"]).tags.count("table") == len(tables) > 10
    for rows in tables:
        assert len({columns(row) for row in rows}) == 1
        assert re.fullmatch(r"\|( (:---|---:) \|)+", rows[1])
        assert len(rows) > 2


def hostile(study):
    """The study with markup wherever a user's words can be."""
    one = study.configurations[0]
    stages = tuple(
        dataclasses.replace(
            each, figures=dataclasses.replace(each.figures, by_defect={HOSTILE: DefectRecall(1, 1.0)}), title=HOSTILE
        )
        for each in one.stages
    )
    delivery = study.delivery and dataclasses.replace(
        study.delivery,
        latency_machine=HOSTILE,
        latency_warnings=(HOSTILE,),
        told=HOSTILE,
        files=(dataclasses.replace(study.delivery.files[0], name=HOSTILE), *study.delivery.files[1:]),
        judged=tuple(dataclasses.replace(each, path=HOSTILE, defects=HOSTILE) for each in study.delivery.judged),
        pictures=(dataclasses.replace(study.delivery.pictures[0], png='"><script>alert(1)</script>'),),
    )
    return dataclasses.replace(
        study,
        title=HOSTILE,
        command=HOSTILE,
        out=HOSTILE,
        settings=dataclasses.replace(study.settings, latency_table=HOSTILE),
        environment={HOSTILE: HOSTILE},
        data=dataclasses.replace(study.data, folder=HOSTILE, skipped=(HOSTILE,)),
        failures=(Failure(HOSTILE, 2, HOSTILE),),
        configurations=(dataclasses.replace(one, stages=stages), *study.configurations[1:]),
        delivery=delivery,
    )


@pytest.mark.parametrize("kind", ["delivered", "compared"])
def test_hostile_strings_stay_text(kind, request):
    study = request.getfixturevalue(kind)
    pages = page.render(hostile(study))
    reader = Reader(pages[".html"])
    assert reader.tags.count("script") == (2 if study.delivery else 0)
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert HOSTILE in reader.words
    # Indented lines are code, in which nothing is markup.
    prose = re.sub(r"(?m)^ {4}.*$", "", pages[".md"])
    assert "<script" not in prose
    assert not re.search(r"(?<!\\)(\*\*x|`y`|\[z\])", prose)
    for rows in markdown_tables(pages[".md"]):
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
    assert tables.markdown(text) == expected


def test_written_twice_the_files_are_the_same(compared, tmp_path):
    out = tmp_path / "new" / "folder"
    page.write(compared, out, "train")
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    page.write(copy.deepcopy(compared), out, "train")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    assert set(first) == {"train.html", "train.md"}
    assert first["train.md"].endswith(b"\n")


def test_nothing_complete_is_a_page_of_dashes():
    given = study_sample.made(recipes=(("adam", "none"),))
    empty = dataclasses.replace(given, evidence=dataclasses.replace(given.evidence, records={}), compared={}).study()
    pages = page.render(empty)
    Reader(pages[".html"])
    for text in pages.values():
        assert "None" not in text
        assert "nan" not in text.lower().split()
    assert "No network has a complete repeat yet" in pages[".md"]
    assert "Folds without a result: 110" in pages[".md"]
    assert set(quality.quality(empty).rows[0][1:-2]) == {"–"}
    assert "ResNet-18, Adam, from scratch" in export.to_text(empty)


def test_a_study_without_a_delivery_has_no_slider_and_no_pictures():
    text = page.render(written(configuration(stage("baseline", 0.98))))[".html"]
    Reader(text)
    assert "Delivered model" not in text
    assert "<script" not in text


def test_a_folder_that_cannot_be_made_is_named(compared, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(WoolError, match=re.escape(os.fspath(blocker))):
        page.write(compared, blocker, "report")
