"""Tables, plots, sentences and files of a protocol's report, against hand-written cells and as a browser reads them."""

import copy
import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from protocol_sample import CONTROLS, STAGES, inputs, sample
from test_page import HOSTILE, Reader, columns, markdown_tables

from wool_tf.report import (
    page,
    paper,
    protocol,
    protocol_export,
    protocol_findings,
    protocol_plots,
    protocol_tables,
    protocol_views,
    removal,
)

PAPER = Path(__file__).resolve().parents[3] / "shared" / "paper"
BUILDERS = [
    build for _, builders in page.PROTOCOL.sections[:4] for build in builders if build is not protocol_plots.changes
]
FLATTERED = (
    protocol_tables.table1,
    protocol_tables.table2,
    protocol_tables.by_defect,
    protocol_tables.operating,
    protocol_tables.quality,
    protocol_tables.further,
    protocol_tables.controls,
    protocol_tables.summary,
    removal.of_protocol,
)


@pytest.fixture(scope="module")
def whole() -> dict:
    return json.loads(json.dumps(sample(recipes=(("sgd", "imagenet"), ("adam", "none")))))


@pytest.fixture
def document(whole) -> dict:
    return copy.deepcopy(whole)


def stage(name: str, accuracy: float | None, spread: float | None = None, **changes) -> dict:
    found = {
        "stage": name,
        "title": (STAGES | CONTROLS)[name],
        "params": 1000,
        "macs": 2000,
        "params_share": 1.0,
        "macs_share": 1.0,
        "repeats": [None if accuracy is None else {"confusion": [[97, 3], [2, 98]]}] * 2,
        "mean": {"accuracy": accuracy, "recall": accuracy, "auc": accuracy},
        "std": {"accuracy": spread},
        "interval": {"accuracy": None if accuracy is None else [accuracy - 0.012, accuracy + 0.008]},
        "by_defect": {},
        "operating": [],
        "drop": None,
        "mask_difference": None,
        "missing": 0,
    }
    return found | changes


def written(*stages: dict, depth=18, optimizer="adam", weights="none", **changes) -> dict:
    """A document of one configuration."""
    one = {"name": "one", "depth": depth, "optimizer": optimizer, "weights": weights, "stages": list(stages)}
    return {"configurations": [one], "select": "last"} | changes


def of_the_paper() -> dict:
    """A document with the figures of the paper itself, in an order that is not the paper's."""
    found = {"configurations": [], "select": "last"}
    for (depth, optimizer, pretrained), (mean, spread) in reversed(paper.BASELINE.items()):
        pruned = paper.PRUNED[depth, optimizer, pretrained]
        stages = [stage("baseline", mean / 100, spread / 100)]
        stages += [
            stage(name, value / 100, drop=(value - mean) / 100)
            for name, value in zip(paper.PRUNED_STAGES, pruned, strict=True)
        ]
        weights = "imagenet" if pretrained else "none"
        found["configurations"] += written(*stages, depth=depth, optimizer=optimizer, weights=weights)["configurations"]
    return found


def test_table_1_by_hand():
    (row,) = protocol_tables.table1(written(stage("baseline", 0.98125, 0.0025))).rows
    assert row == ("18", "Adam", "no", "98.12", "0.25", "96.9–98.9", "2 of 2", "98.08", "0.24")
    (row,) = protocol_tables.table1(written(stage("baseline", None), weights="own.safetensors")).rows
    assert row == ("18", "Adam", "own.safetensors", "–", "–", "–", "0 of 2", "–", "–")


def test_table_2_by_hand():
    changed = stage("hard1", 0.9666, drop=-0.0134), stage("hard2", 0.98, drop=0.0), stage("asfp10", None)
    found = written(stage("baseline", 0.98), *changed)
    table = protocol_tables.table2(found)
    assert table.header == ("Network", "Baseline", "Round 1", "Round 2", "ASFP 10 %")
    assert table.rows == (
        ("ResNet-18, Adam, from scratch", "98.00", "96.66 (−1.34)", "98.00 (0.00)", "–"),
        ("– the paper", "98.08", "98.16 (+0.08)", "98.12 (+0.04)", "96.91 (−1.17)"),
    )
    assert protocol_tables.table2(written(stage("baseline", 0.98))) is None


def test_a_change_that_is_not_the_difference_of_its_columns_is_explained():
    found = written(stage("baseline", 0.98), stage("hard1", 0.96, drop=-0.01, missing=1))
    table = protocol_tables.table2(found)
    assert table.rows[0][2] == "96.00 (−1.00)"
    assert "the change is that of the repeats which both stages have" in table.note
    found["configurations"][0]["stages"][1]["missing"] = 0
    assert "both stages" not in protocol_tables.table2(found).note


def test_drops_are_those_that_the_paper_prints():
    rows = protocol_tables.table2(of_the_paper()).rows
    assert rows[::2] == tuple((ours[0], *papers[1:]) for ours, papers in zip(rows[::2], rows[1::2], strict=True))
    by_name = {row[0]: row[1:] for row in rows[::2]}
    assert by_name["ResNet-34, SGD, pretrained"][3] == "79.35 (−19.09)"
    assert by_name["ResNet-152, SGD, from scratch"][3] == "95.19 (+12.30)"
    assert by_name["ResNet-50, Adam, pretrained"][2] == "98.37 (0.00)"


@pytest.mark.parametrize("name", ["table1.csv", "table2.csv"])
def test_the_files_have_the_form_of_the_papers(name, tmp_path):
    protocol_export.write(of_the_paper(), tmp_path, "prune")
    if not PAPER.exists():
        pytest.skip(f"the paper's tables are not here ({PAPER})")
    assert (tmp_path / f"prune-{name}").read_text().split() == (PAPER / name).read_text().split()


def test_files_leave_unknown_values_empty_and_add_other_stages():
    asfp = stage("asfp10", 0.5) | {"stage": "asfp12.5"}
    found = protocol_export.to_csv(written(stage("baseline", 0.981), stage("hard1", None), asfp, weights="a,b"))
    assert list(csv.reader(io.StringIO(found["table1.csv"])))[1] == ["18", "adam", "a,b", "98.10", ""]
    header, row = csv.reader(io.StringIO(found["table2.csv"]))
    assert header[-2:] == ["asfp_0.3", "asfp_0.125"]
    assert row == ["18", "adam", "a,b", "98.10", "", "", "", "", "", "", "50.00"]
    assert list(protocol_export.to_csv(written(stage("baseline", 0.981)))) == ["table1.csv"]


def test_controls_by_hand():
    names = ("baseline", "hard1", "hard3", "random1", "random3", "scratch3")
    stages = [stage(name, 0.99 - 0.01 * number) for number, name in enumerate(names)]
    name = "ResNet-18, Adam, from scratch"
    assert protocol_tables.controls(written(*stages)).rows == (
        (name, "Hard pruning, round 1", "98.0", "96.0", "–"),
        (name, "Hard pruning, round 3", "97.0", "95.0", "94.0"),
    )
    assert protocol_tables.controls(written(*stages[:3])) is None


def test_defects_by_hand():
    kinds = {"D1": {"images": 30, "recall": 0.9}, "D2": {"images": 4, "recall": 0.25}}
    threshold = {"by_defect": {"D1": {"images": 30, "recall": 0.5}}}
    table = protocol_tables.by_defect(written(stage("baseline", 0.9, by_defect=kinds), threshold=threshold))
    assert table.header[2:] == ("D1 (30)", "D2 (4)")
    assert [row[2:] for row in table.rows] == [("50.0", "–"), ("90.0", "25.0")]
    assert table.rows[0][0].startswith("Thresholding")
    assert protocol_tables.by_defect(written(stage("baseline", 0.9))) is None


def test_operating_points_by_hand():
    point = {"rule": "recall ≥ 0.99", "recall": 0.985, "false_alarm_rate": 0.125, "precision": 0.8, "accuracy": 0.9,
             "threshold": 0.2345}  # fmt: skip
    rows = protocol_tables.operating(written(stage("baseline", 0.975, operating=[point]))).rows
    # The default threshold's false alarms are counted from the confusion: 3 of 100.
    assert rows[0][2:] == ("default", "0.500", "97.5", "3.0", "–", "97.5")
    assert rows[1][2:] == ("recall ≥ 0.99", "0.234", "98.5", "12.5", "80.0", "90.0")


@pytest.mark.parametrize("build", BUILDERS)
def test_tables_are_rectangular_and_explained(build, document):
    table = build(document)
    assert len(table.align) == len(table.header) > 1
    assert set(table.align) <= {"l", "r"}
    for row in table.rows:
        assert len(row) == len(table.header)
        assert all(isinstance(cell, str) and cell for cell in row)
    assert table.title
    assert table.text.endswith(".")


@pytest.mark.parametrize("build", FLATTERED)
def test_the_best_epoch_is_called_optimistic_wherever_it_flatters(build, document):
    assert "ptimistic" not in str(build(document))
    table = build(document | {"select": "best"})
    assert "optimistic" in table.title
    assert table.note.startswith("Optimistic")
    text = page.render(document | {"select": "best"}, page.PROTOCOL)["report.html"]
    assert table.title in text


def test_the_best_epoch_is_called_optimistic_outside_of_the_page(document):
    document["select"] = "best"
    assert "optimistic" in protocol_plots.changes(document).title
    assert "optimistic" in protocol_tables.summary(document).header[0]
    written = protocol_export.to_csv(document)
    assert set(written) == {"table1-optimistic.csv", "table2-optimistic.csv"}
    assert written["table1-optimistic.csv"].splitlines()[0].endswith("accuracy_mean_optimistic,accuracy_std_optimistic")
    columns = written["table2-optimistic.csv"].splitlines()[0].split(",")[3:]
    assert [name.endswith("_optimistic") for name in columns] == [not name.startswith("asfp") for name in columns]
    sentences = protocol_findings.sentences(document)
    assert all("optimistic" in sentence for sentence in sentences if not sentence.startswith("The paper reports"))
    text = protocol_export.to_text(document)
    for table in (build(document) for build in protocol_export.SHOWN):
        assert "optimistic" in table.title and table.title in text
    assert text.startswith("Note: Run with --select=best")


def test_that_thresholding_does_as_well_is_said_first(document):
    assert not any("Thresholding" in warning for warning in protocol_findings.warnings(document))
    best = max(one["stages"][0]["mean"]["accuracy"] for one in document["configurations"])
    document["threshold"]["accuracy"]["mean"] = best
    for select in ("last", "best"):
        first = protocol_findings.warnings(document | {"select": select})[0]
        assert first.startswith(f"Thresholding, without a network, judges {100 * best:.1f} % of the images correctly")
        assert first.endswith(" (optimistic: best epoch).") == (select == "best")


def test_networks_that_frozen_features_beat_are_said_first_to_be_not_worth_their_training(document):
    assert not any("frozen" in warning for warning in protocol_findings.warnings(document))
    pretrained = document["configurations"][0]["stages"]
    above = pretrained[0]["mean"]["accuracy"]
    better = [one["title"] for one in pretrained if one["stage"] in STAGES and one["mean"]["accuracy"] > above]
    document["frozen_features"]["resnet18-imagenet"]["accuracy"]["mean"] = above
    first, second = protocol_findings.warnings(document)[:2]
    assert first.startswith("Logistic regression on frozen features of ResNet-18, pretrained, judges ")
    assert second.startswith("Not worth their training, for logistic regression on frozen features of the weights ")
    assert "ResNet-18, SGD, pretrained: Baseline" in second and "from scratch" not in second
    assert second.endswith(f"and {len(STAGES) - len(better) - 3} more.")


def test_frozen_features_stand_beside_thresholding(document):
    titles = ["Thresholding, without a network", "Logistic regression on frozen features of ResNet-18, pretrained"]
    assert [row[0] for row in protocol_tables.summary(document).rows][-2:] == titles
    assert [row[0] for row in protocol_tables.by_defect(document).rows][:2] == titles
    assert titles[1] in protocol_export.to_text(document)
    # Once for both optimizers, and told apart where the weights are others.
    document["configurations"].append(document["configurations"][0] | {"optimizer": "adam"})
    assert list(protocol_views.frozen(document)) == ["resnet18-imagenet"]
    other = {"weights": "/w/mine.pth", "pretrained": True, "file": "mine.pth", "frozen_features": "resnet18-mine"}
    document["configurations"].append(document["configurations"][0] | other)
    document["frozen_features"]["resnet18-mine"] = document["frozen_features"]["resnet18-imagenet"]
    assert [each.title for each in protocol_views.frozen(document).values()] == [
        titles[1], f"{titles[1]} (mine.pth)"
    ]  # fmt: skip


def test_the_page_stands_alone_and_is_the_markdown(document):
    pages = page.render(document, page.PROTOCOL)
    reader = Reader(pages["report.html"])
    assert not {"script", "link", "iframe", "object", "base"} & set(reader.tags)
    assert all(source.startswith("data:image/") for source in reader.values("src"))
    names = reader.values("id")
    assert {target[1:] for target in reader.values("href")} == set(names)
    assert len(names) == len(set(names))
    tables = markdown_tables(pages["report.md"])
    assert reader.tags.count("table") == len(tables) == 13
    for rows in tables:
        assert len({columns(row) for row in rows}) == 1
    for title in (STAGES | CONTROLS).values():
        assert title in "".join(reader.words)
        assert title in pages["report.md"]
    assert document["command"] in "".join(reader.words)


def test_hostile_strings_stay_text(document):
    failures = [{"unit": HOSTILE, "reason": HOSTILE, "attempts": 2}]
    document |= {"title": HOSTILE, "command": HOSTILE, "failures": failures}
    document["configurations"][0]["weights"] = HOSTILE
    document["data"]["folder"] = HOSTILE
    document["data"]["skipped"] = [HOSTILE]
    for one in document["configurations"]:
        for found in one["stages"]:
            found["title"] = HOSTILE
            found["by_defect"] = {HOSTILE: {"images": 1, "recall": 1.0}}
    document["environment"][HOSTILE] = HOSTILE
    pages = page.render(document, page.PROTOCOL)
    reader = Reader(pages["report.html"])
    assert "script" not in reader.tags
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert "<script" not in pages["report.md"]
    for rows in markdown_tables(pages["report.md"]):
        assert len({columns(row) for row in rows}) == 1


def test_written_twice_the_files_are_the_same(document, tmp_path):
    page.write_protocol(document, tmp_path, "train")
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    page.write_protocol(copy.deepcopy(document), tmp_path, "train")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert set(first) == {"train.html", "train.md"}


def test_tables_that_are_no_more_go_and_those_of_others_stay(document, tmp_path):
    for name in ("report.html", "train-table2.csv", "table2.csv"):
        (tmp_path / name).write_text("of another run")
    protocol_export.write(document, tmp_path, "prune")
    left = {"report.html", "train-table2.csv", "table2.csv", "prune-table1.csv", "prune-table2.csv"}
    assert {path.name for path in tmp_path.iterdir()} == left
    protocol_export.write(written(stage("baseline", 0.98)), tmp_path, "prune")
    assert {path.name for path in tmp_path.iterdir()} == left - {"prune-table2.csv"}


def test_weights_of_a_file_that_are_imagenets_stand_beside_the_papers():
    one, other = stage("baseline", 0.98), stage("hard1", 0.97, drop=-0.01)
    found = written(one, other, weights="/weights/mine.pth") | {"threshold": None}
    found["configurations"][0]["pretrained"] = True
    (row,) = protocol_tables.table1(found).rows
    assert row[:3] == ("18", "Adam", "yes") and row[-2:] == ("98.33", "0.27")
    assert protocol_tables.table2(found).rows[1] == ("– the paper", "98.33", "98.58 (+0.25)")
    for build in (protocol_tables.table1, protocol_tables.table2):
        assert "Pretrained by a file: mine.pth, which has a head of 1000 classes" in build(found).note
    assert protocol_tables.table2(found).rows[0][0] == "ResNet-18, Adam, pretrained"
    for text in protocol_export.to_csv(found).values():
        assert text.splitlines()[1].startswith("18,adam,1,98.00")
    assert "98.33" in protocol_findings.sentences(found)[-1]
    assert "Pretrained by a file" not in protocol_tables.table1(written(one, weights="imagenet")).note
    # Of another file nobody knows what it is.
    found["configurations"][0]["pretrained"] = None
    (row,) = protocol_tables.table1(found).rows
    assert row[2] == "mine.pth" and row[-2:] == ("–", "–")


def test_two_pretrained_networks_are_told_apart():
    found = written(stage("baseline", 0.98), weights="imagenet")
    found["configurations"] += written(stage("baseline", 0.97), weights="/w/mine.pth")["configurations"]
    found["configurations"][1] |= {"pretrained": True, "file": "mine.pth"}
    assert [row[2] for row in protocol_tables.table1(found).rows] == ["yes", "yes (mine.pth)"]
    assert [protocol_views.label(one) for one in found["configurations"]] == [
        "ResNet-18, Adam, pretrained", "ResNet-18, Adam, pretrained (mine.pth)"
    ]  # fmt: skip
    rows = list(csv.reader(io.StringIO(protocol_export.to_csv(found)["table1.csv"])))
    assert [row[2] for row in rows[1:]] == ["1", "/w/mine.pth"]


def test_the_key_stages_do_not_depend_on_the_order_of_the_rates():
    names = ("asfp5", "asfp30", "asfp12.5", "asfp10")
    stages = [stage("asfp10", 0.9) | {"stage": name} for name in names]
    found = written(stage("baseline", 0.98), stage("hard1", 0.97), stage("hard2", 0.96), *stages)
    assert [one["stage"] for _, one in protocol_views.key_stages(found)] == ["baseline", "hard2", "asfp30"]


PARTS = ("threshold", "frozen_features", "failures", "data", "environment", "settings", "seconds", "command")


@pytest.mark.parametrize("name", PARTS)
def test_any_part_may_be_unknown(name, document):
    for text in page.render(document | {name: None}, page.PROTOCOL).values():
        assert "None" not in text
        assert "nan" not in text.lower().split()


def test_nothing_complete_is_a_page_of_dashes():
    empty = protocol.assemble(**inputs(recipes=(("adam", "none"),)) | {"records": {}, "threshold": None})
    pages = page.render(empty, page.PROTOCOL)
    Reader(pages["report.html"])
    assert "None" not in pages["report.md"]
    assert "No network has a complete repeat yet" in pages["report.md"]
    assert "Folds without a result: 110" in pages["report.md"]
    assert protocol_plots.changes(empty) is None
    assert set(protocol_tables.quality(empty).rows[0][2:]) == {"–"}
    assert "ResNet-18, Adam, from scratch" in protocol_export.to_text(empty)
    assert page.render({}, page.PROTOCOL)["report.md"].startswith("# Report")


def test_the_plot_shows_changes_beside_the_papers(document):
    plot = protocol_plots.changes(document)
    assert ElementTree.fromstring(plot.svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert protocol_plots.changes(copy.deepcopy(document)).svg == plot.svg
    drop = document["configurations"][1]["stages"][1]["drop"]
    assert f"ResNet-18, Adam, from scratch: H1 {protocol_views.points(drop)}" in plot.alt
    # Drops as large as the paper's 19 points need a scale that keeps the small ones apart.
    everything = of_the_paper()
    for one in everything["configurations"]:
        for found in one["stages"][1:]:
            found["drop"] = found["mean"]["accuracy"] - one["stages"][0]["mean"]["accuracy"]
    plot = protocol_plots.changes(everything)
    assert "logarithmic" in plot.text
    assert "ResNet-34, SGD, pretrained: H1 −0.81, H2 −3.59, H3 −19.09, A10 +0.43" in plot.alt


def test_console_tables_are_aligned(document):
    lines = protocol_export.to_text(document).splitlines()
    start = lines.index("Accuracy after pruning (Table II)")
    rows = lines[start + 1 : start + 6]
    assert rows[1].startswith("ResNet-18, Adam, from scratch")
    assert len({len(row) for row in rows}) == 1


def test_sentences_name_the_best_network_and_what_pruning_costs(document):
    best, others, hard, asfp, spread, operating, thresholding, frozen, papers = protocol_findings.sentences(document)
    assert best.startswith("The best of 2 unpruned networks, ResNet-18, SGD, pretrained, judges ")
    assert "other networks" in others
    whole, *_, last = document["configurations"][0]["stages"][:4]
    assert hard.startswith("Hard pruning, round 3, leaves it 11.9\u00a0% of its parameters")
    change = 100 * (last["mean"]["accuracy"] - whole["mean"]["accuracy"])
    assert f"by −{-change:.2f} percentage points" in hard
    assert asfp.startswith("ASFP, 30 %, leaves it 49.3")
    assert spread.startswith("Over all networks")
    assert "recall ≥ 0.99, Hard pruning, round 3 finds" in operating
    gain = 100 * (whole["mean"]["recall"] - document["threshold"]["recall"]["mean"])
    assert f"{gain:.1f} percentage points better in recall" in thresholding
    assert frozen.startswith("Logistic regression on frozen features of ResNet-18, pretrained, judges ")
    assert papers.startswith("The paper reports 98.92")


def test_equals_of_the_best_are_told():
    found = written(stage("baseline", 0.98))
    for accuracy in (0.975, 0.90):
        found["configurations"] += written(stage("baseline", accuracy))["configurations"]
    others = protocol_findings.sentences(found)[1]
    assert others.startswith("The accuracy of 1 of the 2 other networks lies within that interval")
    found["configurations"][1] = found["configurations"][2]
    assert "lie below that interval" in protocol_findings.sentences(found)[1]


def test_what_speaks_against_the_figures(document):
    assert [warning[:24] for warning in protocol_findings.warnings(document)][0] == "There are only 2 repeats"
    data = {"images": 100, "defective": 30, "groups": 12, "grouped": False, "group_by": "scan", "skipped": ["a", "b"]}
    stages = stage("baseline", 0.7, missing=3), stage("hard1", 0.85), stage("random1", 0.1)
    for one in stages:
        one["repeats"] = one["repeats"][:1]
    failures = [{"unit": f"u{number}", "reason": "", "attempts": 2} for number in range(5)]
    found = protocol_findings.warnings(written(*stages, data=data, failures=failures, select="best"))
    begins = (
        "Run with --select=best",
        "No manifest says",
        "The folds keep only each scan together (--group_by=scan)",
        "There are only 12 physical samples",
        "Bad images that were left out: 2 (a; b)",
        "There is only one repeat",
        "Folds without a result: 3",
        "Failed trainings: 5 (u0; u1; u2 and 2 more)",
        "No better than always giving the more frequent answer, right for 70.0 % of the images: "
        "ResNet-18, Adam, from scratch: Baseline (optimistic: best epoch).",
        "More than 10 % of the defective images are missed by ResNet-18, Adam, from scratch: Hard pruning, round 1",
    )
    assert len(found) == len(begins)
    for warning, begin in zip(found, begins, strict=True):
        assert warning.startswith(begin)


def test_a_sound_run_has_no_warnings():
    data = {"images": 100, "defective": 50, "groups": 50, "grouped": True, "group_by": "sample", "skipped": []}
    good = stage("baseline", 0.98)
    good["repeats"] *= 5
    assert protocol_findings.warnings(written(good, data=data, failures=[])) == []
