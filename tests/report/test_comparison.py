"""What changed from one run to another."""

import dataclasses

import numpy as np
import pytest

import scripts
import study_sample
from wool_tf.report import comparison, page, publish
from wool_tf.study import results


@pytest.fixture(scope="module")
def study():
    return study_sample.delivered()


def worsened(study, number):
    """The same run before, when the final network missed some defective images more, at 0.5 and at its threshold."""
    judged = list(study.delivery.judged)
    found = [
        place
        for place, one in enumerate(judged)
        if one.label == 1 and one.scores["hard3"] >= 0.5 and one.called("hard3-int8")
    ]
    for place in found[:number]:
        scores = judged[place].scores | {"hard3": 0.0, "hard3-int8": 0.0}
        judged[place] = dataclasses.replace(judged[place], scores=scores)
    delivery = dataclasses.replace(study.delivery, judged=tuple(judged))
    return dataclasses.replace(study, delivery=delivery, out="runs/before")


def test_images_that_change_sides_are_counted(study):
    found = comparison.changes(study, worsened(study, 12))
    row = next(row for row in found.rows if "round 3" in row[0] and "int8" not in row[0])
    number = len(study.delivery.judged)
    assert row[3] == f"+{100 * 12 / number:.2f}" and row[5:7] == ("12", "0")
    # All of twelve fair coins fall alike: 2 / 2^12.
    assert row[7] == f"{2 / 2**12:.3f}"
    last = found.rows[-1]
    assert "at the thresholds by each run's rule" in last[0] and last[5:7] == ("12", "0")
    unchanged = next(row for row in found.rows if "round 1" in row[0])
    assert unchanged[3:] == ("0.00", "0.00 to 0.00", "0", "0", "1.000")


def test_a_run_beside_itself_has_not_changed(study):
    for row in comparison.changes(study, study).rows:
        assert row[1] == row[2] and row[5:7] == ("0", "0")


def test_only_images_of_the_same_name_and_label_are_compared(study):
    before = worsened(study, 0)
    judged = list(before.delivery.judged)[10:]
    judged[0] = dataclasses.replace(judged[0], label=1 - judged[0].label)
    before = dataclasses.replace(before, delivery=dataclasses.replace(before.delivery, judged=tuple(judged)))
    number = len(study.delivery.judged) - 11
    assert f"{number} images have the same name and label" in comparison.changes(study, before).note


def test_studies_that_deliver_nothing_are_compared_by_their_means():
    recipes = study_sample.RECIPES[:2]
    study = study_sample.sample(recipes=recipes)
    before = study_sample.sample(recipes=recipes, separation=3.0)
    found = comparison.changes(study, before)
    names = [one.name for one in study.configurations]
    assert len(found.rows) == len(names) * len(study.configurations[0].stages)
    one, other = study.configurations[0].baseline.figures, before.configurations[0].baseline.figures
    change = 100 * (np.mean([each.accuracy for each in one.complete]) - np.mean([e.accuracy for e in other.complete]))
    assert float(found.rows[0][3].replace("−", "-")) == pytest.approx(change, abs=0.006)


def test_the_page_begins_its_tables_with_it(study):
    for text in page.render(study, worsened(study, 12)).values():
        assert text.index("What changed") < text.index("Beside the paper")


def test_pages_are_made_again_from_documents(study, tmp_path):
    for name, one in (("new", study), ("old", worsened(study, 12))):
        (tmp_path / name).mkdir()
        results.write(tmp_path / name / "report.json", one)
    assert publish.again([tmp_path / "new"], tmp_path / "old") == [tmp_path / "new" / "report.html"]
    assert "What changed" in (tmp_path / "new" / "report.html").read_text()
    assert (tmp_path / "new" / "report-table1.csv").exists()

    finished = scripts.check("report.py", f"--runs={tmp_path / 'new' / 'report.json'}")
    assert (finished.returncode, finished.stdout) == (0, f"{tmp_path / 'new' / 'report.html'}\n")
    assert "What changed" not in (tmp_path / "new" / "report.html").read_text()


@pytest.mark.parametrize(
    "flags,told",
    [
        ((), "--runs: is required"),
        (("--runs=",), "--runs=: is empty"),
        (("--runs={}/none",), "--runs={}/none: no such file or folder"),
        (("--runs={}/empty",), "--runs={}/empty: holds none of report.json, prune_kfold.json, train_kfold.json"),
        (("--runs={}/x.json",), "{}/x.json: is damaged"),
    ],
)
def test_mistakes_are_one_line(flags, told, tmp_path):
    (tmp_path / "x.json").write_text("{")
    (tmp_path / "empty").mkdir()
    finished = scripts.check("report.py", *(flag.format(tmp_path) for flag in flags))
    (line,) = finished.stderr.splitlines()
    assert finished.returncode == 1 and line.startswith(f"error: {told.format(tmp_path)}")
