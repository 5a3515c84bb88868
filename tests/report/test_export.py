"""Tables I and II as files and in a terminal."""

import csv
import dataclasses
import io
from pathlib import Path

import pytest
from test_quality import of_the_paper

from study_sample import configuration, stage, written
from wool_tf.report import export, findings, plots

PAPER = Path(__file__).resolve().parents[3] / "shared" / "paper"


@pytest.mark.parametrize("name", ["table1.csv", "table2.csv"])
def test_the_files_have_the_form_of_the_papers(name, tmp_path):
    export.write(of_the_paper(), tmp_path, "prune")
    if not PAPER.exists():
        pytest.skip(f"the paper's tables are not here ({PAPER})")
    assert (tmp_path / f"prune-{name}").read_text().split() == (PAPER / name).read_text().split()


def test_files_leave_unknown_values_empty_and_add_other_stages():
    stages = stage("baseline", 0.981), stage("hard1", None), stage("asfp12.5", 0.5)
    found = export.to_csv(written(configuration(*stages, weights="a,b")))
    assert list(csv.reader(io.StringIO(found["table1.csv"])))[1] == ["18", "adam", "a,b", "98.10", "0.00"]
    header, row = csv.reader(io.StringIO(found["table2.csv"]))
    assert header[-2:] == ["asfp_0.3", "asfp_0.125"]
    assert row == ["18", "adam", "a,b", "98.10", "", "", "", "", "", "", "50.00"]
    assert list(export.to_csv(written(configuration(stage("baseline", 0.981))))) == ["table1.csv"]


def test_columns_of_another_framework_follow_with_the_differences():
    study = written(configuration(stage("baseline", 0.98, 0.001), stage("hard1", 0.97)))
    other = written(configuration(stage("baseline", 0.985)), command="python experiments/pytorch_kfold.py")
    found = {name: list(csv.DictReader(io.StringIO(text))) for name, text in export.to_csv(study, other).items()}
    (first,), (second,) = found["table1.csv"], found["table2.csv"]
    assert list(first.items())[3:] == [("accuracy_mean", "98.00"), ("accuracy_std", "0.10"),
                                       ("pytorch_baseline", "98.50"), ("baseline_above_pytorch", "-0.50")]  # fmt: skip
    assert (second["hard_round1"], second["pytorch_hard_round1"], second["hard_round1_above_pytorch"]) == (
        "97.00",
        "",
        "",
    )
    assert (second["pytorch_baseline"], second["baseline_above_pytorch"]) == ("98.50", "-0.50")
    assert export.to_csv(study, study) == export.to_csv(study)


def test_files_of_weights_are_named_where_they_tell_networks_apart():
    one = configuration(stage("baseline", 0.98), weights="imagenet")
    other = configuration(stage("baseline", 0.97), weights="/w/mine.pth", pretrained=True)
    rows = list(csv.reader(io.StringIO(export.to_csv(written(one, other))["table1.csv"])))
    assert [row[2] for row in rows[1:]] == ["1", "/w/mine.pth"]
    rows = list(csv.reader(io.StringIO(export.to_csv(written(other))["table1.csv"])))
    assert rows[1][2] == "1"


def test_tables_that_are_no_more_go_and_those_of_others_stay(compared, tmp_path):
    for name in ("report.html", "train-table2.csv", "table2.csv"):
        (tmp_path / name).write_text("of another run")
    export.write(compared, tmp_path, "prune")
    left = {"report.html", "train-table2.csv", "table2.csv", "prune-table1.csv", "prune-table2.csv"}
    assert {path.name for path in tmp_path.iterdir()} == left
    export.write(written(configuration(stage("baseline", 0.98))), tmp_path, "prune")
    assert {path.name for path in tmp_path.iterdir()} == left - {"prune-table2.csv"}


def test_the_best_epoch_is_called_optimistic_outside_of_the_page(compared):
    study = dataclasses.replace(compared, settings=dataclasses.replace(compared.settings, select="best"))
    assert "optimistic" in plots.changes(study).title
    written_ = export.to_csv(study)
    assert set(written_) == {"table1-optimistic.csv", "table2-optimistic.csv"}
    assert (
        written_["table1-optimistic.csv"].splitlines()[0].endswith("accuracy_mean_optimistic,accuracy_std_optimistic")
    )
    columns = written_["table2-optimistic.csv"].splitlines()[0].split(",")[3:]
    assert [name.endswith("_optimistic") for name in columns] == [not name.startswith("asfp") for name in columns]
    sentences = findings.sentences(study)
    assert all("optimistic" in sentence for sentence in sentences if not sentence.startswith("The paper reports"))
    text = export.to_text(study)
    for table in (build(study) for build in export.SHOWN):
        assert "optimistic" in table.title and table.title in text
    assert text.startswith("Note: Run with --select=best")


def test_console_tables_are_aligned(compared):
    lines = export.to_text(compared).splitlines()
    start = lines.index("Accuracy after pruning (Table II)")
    rows = lines[start + 1 : start + 8]
    assert rows[1].startswith("ResNet-18, Adam, from scratch")
    assert len({len(row) for row in rows}) == 1
