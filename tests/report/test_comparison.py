"""What changed from one run to another."""

import dataclasses

import numpy as np
import pytest

import scripts
import study_sample
from wool_tf.errors import WoolError
from wool_tf.networks import unit_records
from wool_tf.report import comparison, page, publication
from wool_tf.study import earlier_documents, results


@pytest.fixture
def study(delivered):
    return delivered


@pytest.fixture(scope="module")
def pair():
    """A study that delivers nothing, and one whose networks told less apart."""
    return [study_sample.sample(recipes=study_sample.RECIPES[:2], **changes) for changes in ({}, {"separation": 3.0})]


def rescored(study, places, scores):
    """The same run with other scores of some images, of stages by name."""
    stages = tuple(
        dataclasses.replace(
            stage, scores=tuple(scores[stage.name] if at in places else old for at, old in enumerate(stage.scores))
        )
        if stage.name in scores
        else stage
        for stage in study.delivered.configuration.stages
    )
    (one,) = study.configurations
    judged = tuple(
        dataclasses.replace(image, scores=image.scores | scores) if at in places else image
        for at, image in enumerate(study.delivery.judged)
    )
    delivery = dataclasses.replace(study.delivery, judged=judged)
    return dataclasses.replace(study, configurations=(dataclasses.replace(one, stages=stages),), delivery=delivery)


def worsened(study, number):
    """The same run before, when the final network missed some defective images more, at 0.5 and at its threshold."""
    found = [
        place
        for place, one in enumerate(study.delivery.judged)
        if one.label == 1 and one.scores["hard3"] >= 0.5 and one.called("hard3-int8")
    ]
    return dataclasses.replace(rescored(study, found[:number], {"hard3": 0.0, "hard3-int8": 0.0}), out="runs/before")


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
    images = list(study.held_out)
    images[3] = dataclasses.replace(images[3], label=1 - images[3].label)
    images[:3] = [dataclasses.replace(one, path=f"old/{one.path}") for one in images[:3]]
    found = comparison.changes(study, dataclasses.replace(study, held_out=tuple(images)))
    assert f"{len(images) - 4} images have the same name and label" in found.note
    scores = study.configurations[0].baseline.scores[4:]
    accuracy = np.mean([(score >= 0.5) == one.label for one, score in zip(study.held_out[4:], scores, strict=True)])
    assert found.rows[0][2] == f"{100 * accuracy:.1f}"


def test_mistakes_costs_and_the_change_from_its_own_unpruned_network_are_told_of_either_run(study):
    before = worsened(study, 12)
    found = comparison.networks(study, before)
    rows = {row[:2]: row[2:] for row in found.rows}
    truth = np.array([one.label == 1 for one in study.held_out])

    def called(run, name):
        return np.array(run.configurations[0].stage(name).scores) >= 0.5

    for run, told in ((before, comparison._made(before)), (study, comparison._made(study))):
        for stage in run.configurations[0].stages:
            cells, calls = rows[stage.title, told], called(run, stage.name)
            assert cells[0] == f"{(truth & ~calls).sum()} of {truth.sum()}"
            assert cells[1] == f"{(~truth & calls).sum()} of {(~truth).sum()}"
            change = 100 * ((calls == truth).mean() - (called(run, "baseline") == truth).mean())
            assert cells[4] == (
                "–" if stage.name == "baseline" else f"{change:+.2f}".replace("-", "−").replace("+0.00", "0.00")
            )
    now, then = (rows["Hard pruning, round 3", comparison._made(run)] for run in (study, before))
    assert int(then[0].split()[0]) - int(now[0].split()[0]) == 12
    assert now[2:4] == then[2:4]


def test_runs_without_an_image_in_common_are_refused(study):
    elsewhere = tuple(dataclasses.replace(one, path=f"old/{one.path}") for one in study.held_out)
    other = dataclasses.replace(study, out="runs/other", held_out=elsewhere)
    with pytest.raises(
        WoolError, match="^baseline=runs/other: has no image in common with .*; compare runs on the same"
    ):
        comparison.check(study, other)
    comparison.check(study, study)
    comparison.check(study, dataclasses.replace(other, held_out=()))


def test_a_document_whose_scores_are_not_one_for_each_image_is_damaged(study, tmp_path):
    (one,) = study.configurations
    cut = dataclasses.replace(one.baseline, scores=one.baseline.scores[:-1])
    damaged = dataclasses.replace(one, stages=(cut, *one.stages[1:]))
    results.write(tmp_path / "report.json", dataclasses.replace(study, configurations=(damaged,)))
    with pytest.raises(WoolError, match="report.json: is damaged, a stage has not one score for each image; run the"):
        results.read(tmp_path / "report.json")


def test_costs_are_told_where_images_are_not_known(pair):
    found = comparison.networks(pair[0], dataclasses.replace(pair[1], held_out=()))
    assert {(row[2], row[6]) for row in found.rows} == {("–", "–")}
    assert all(row[4].endswith(("k", "M")) for row in found.rows)


def test_images_in_another_order_are_compared_with_themselves(study):
    turned = {stage.name: stage.scores[::-1] for stage in study.configurations[0].stages}
    stages = tuple(dataclasses.replace(stage, scores=turned[stage.name]) for stage in study.configurations[0].stages)
    one = dataclasses.replace(study.configurations[0], stages=stages)
    delivery = dataclasses.replace(study.delivery, judged=study.delivery.judged[::-1])
    before = dataclasses.replace(study, configurations=(one,), held_out=study.held_out[::-1], delivery=delivery)
    assert comparison.changes(study, before).rows == comparison.changes(study, study).rows


def test_studies_that_deliver_nothing_are_compared_image_by_image(pair):
    study, before = pair
    found = comparison.changes(study, before)
    assert len(found.rows) == len(study.configurations) * len(study.configurations[0].stages)
    one, other = study.configurations[0].baseline, before.configurations[0].baseline
    truth = np.array([image.label == 1 for image in study.held_out])
    now, then = (np.equal(np.array(stage.scores) >= 0.5, truth) for stage in (one, other))
    assert found.rows[0][1:4] == (
        f"{100 * then.mean():.1f}",
        f"{100 * now.mean():.1f}",
        f"{100 * (now.mean() - then.mean()):+.2f}".replace("-", "−"),
    )
    assert found.rows[0][5:7] == (str((now & ~then).sum()), str((then & ~now).sum()))
    # A first repeat that all images went through is what the metrics of it are of.
    assert now.mean() == pytest.approx(one.figures.repeats[0].accuracy)


def test_documents_that_name_no_image_are_compared_by_their_means(pair):
    study, before = pair[0], dataclasses.replace(pair[1], held_out=())
    found = comparison.changes(study, before)
    one, other = study.configurations[0].baseline.figures, before.configurations[0].baseline.figures
    change = 100 * (np.mean([each.accuracy for each in one.complete]) - np.mean([e.accuracy for e in other.complete]))
    assert float(found.rows[0][3].replace("−", "-")) == pytest.approx(change, abs=0.006)
    assert found.rows[0][5:] == ("–", "–", "–")


def stored(given, folder, **changes):
    """The records of a run's units, and its document as earlier versions wrote it: without names and scores."""
    for unit, record in given.evidence.records.items():
        unit_records.write(folder / "units" / f"{unit}.json", record)
    study = given.study(**changes)
    bare = tuple(
        dataclasses.replace(one, stages=tuple(dataclasses.replace(stage, scores=()) for stage in one.stages))
        for one in study.configurations
    )
    results.write(folder / "report.json", dataclasses.replace(study, configurations=bare, held_out=()))
    return study


def compared(new, old):
    """The comparison in the page that is made again, as Markdown."""
    publication.again([new], old)
    text = (new / "report.md").read_text()
    return text[text.index("## What changed") : text.index("## Beside the paper")]


def test_an_older_document_of_a_delivery_is_completed_from_records(tmp_path):
    given = study_sample.made(recipes=(("adam", "imagenet"),), rules=(study_sample.DELIVERED,), int8=True,
                              repeats=1, controls=(), asfp_rates=(0.3,))  # fmt: skip
    study = stored(given, tmp_path / "old", delivery=study_sample.delivery(given))
    read = results.read(tmp_path / "old" / "report.json")
    assert not read.held_out and earlier_documents.completed(read, tmp_path / "old") == study


def test_older_documents_are_compared_image_by_image_with_a_run_that_names_the_images(pair, tmp_path):
    given = study_sample.made(recipes=study_sample.RECIPES[:2], separation=3.0)
    before = stored(given, tmp_path / "old")
    (tmp_path / "new").mkdir()
    results.write(tmp_path / "new" / "report.json", pair[0])
    text = compared(tmp_path / "new", tmp_path / "old")
    lines = [line for line in text.splitlines() if line.startswith("| ResNet")]
    rows = [row for build in (comparison.changes, comparison.networks) for row in build(pair[0], before).rows]
    assert [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in lines] == rows
    # The other way about, too.
    assert "by their means" not in compared(tmp_path / "old", tmp_path / "new")

    # A record that is not what the document's figures are of counts as none.
    path = next((tmp_path / "old" / "units").glob("*/repeat0/fold0/baseline.json"))
    record = unit_records.read(path)
    unit_records.write(path, dataclasses.replace(record, scores=tuple(1 - score for score in record.scores)))
    assert "a fold has no record" in compared(tmp_path / "new", tmp_path / "old")


def test_it_is_said_why_images_are_not_compared(tmp_path):
    for name, separation in (("new", 4.0), ("old", 3.0)):
        stored(study_sample.made(recipes=study_sample.RECIPES[:1], separation=separation), tmp_path / name)
    text = compared(tmp_path / "new", tmp_path / "old")
    assert "Rows with – are compared by their means only" in text and "of a version that named no images" in text


def test_settings_that_the_earlier_run_had_otherwise_are_told(study):
    otherwise = dataclasses.replace(study.settings, importance="l1", epochs=study.settings.epochs + 1, threads=7)
    note = comparison.changes(study, dataclasses.replace(study, settings=otherwise)).note
    epochs = f"epochs {study.settings.epochs + 1} instead of {study.settings.epochs}"
    assert note == f"Trained otherwise before: {epochs}, importance l1 instead of taylor."
    assert comparison.changes(study, study).note == ""


def test_the_page_has_tables_of_two_frameworks(study, tmp_path):
    torch = dataclasses.replace(study, out="runs/torch", command="python experiments/pytorch_kfold.py")
    for name, one in (("new", study), ("old", torch)):
        (tmp_path / name).mkdir()
        results.write(tmp_path / name / "report.json", one)
    publication.again([tmp_path / "new"], tmp_path / "old")
    for suffix in (".html", ".md"):
        # In tables I and II, and for both counts of table III.
        assert (tmp_path / "new" / f"report{suffix}").read_text().count("– PyTorch") == 4
    assert "pytorch_baseline" in (tmp_path / "new" / "report-table2.csv").read_text()
    publication.again([tmp_path / "new"], None)
    assert "pytorch" not in (tmp_path / "new" / "report-table2.csv").read_text()


def test_the_page_begins_its_tables_with_it(study):
    for text in page.render(study, worsened(study, 12)).values():
        assert text.index("What changed") < text.index("Beside the paper")


def test_pages_are_made_again_from_documents(study, tmp_path):
    for name, one in (("new", study), ("old", worsened(study, 12))):
        (tmp_path / name).mkdir()
        results.write(tmp_path / name / "report.json", one)
    assert publication.again([tmp_path / "new"], tmp_path / "old") == [tmp_path / "new" / "report.html"]
    assert "What changed" in (tmp_path / "new" / "report.html").read_text()
    assert (tmp_path / "new" / "report-table1.csv").exists()

    finished = scripts.check("report.py", tmp_path / "new" / "report.json")
    assert (finished.returncode, finished.stdout) == (0, f"{tmp_path / 'new' / 'report.html'}\n")
    assert "What changed" not in (tmp_path / "new" / "report.html").read_text()


@pytest.mark.parametrize(
    "flags,told",
    [
        ((), "RUN: is required"),
        (("",), ".: holds none of report.json, "),
        (("{}/none",), "{}/none: no such run"),
        (("{}/old.json", "--baseline={}/none"), "--baseline={}/none: no such file or folder"),
        (
            ("{}/empty",),
            "{}/empty: holds none of report.json, prune_kfold.json, train_kfold.json, pytorch_kfold.json",
        ),
        (("{}/x.json",), "{}/x.json: is damaged"),
        (
            ("{}/other.json",),
            "{}/other.json: is no document of wool_tf; expected is the folder of a run, or one of its documents "
            "(report.json, ",
        ),
        (("{}/old.json",), "{}/old.json: is of version 2, not 3; run the study again with this wool_tf"),
    ],
)
def test_mistakes_are_one_line(flags, told, tmp_path):
    (tmp_path / "x.json").write_text("{")
    (tmp_path / "other.json").write_text('{"name": "leaflet", "version": "1.9"}')
    (tmp_path / "old.json").write_text('{"configurations": [], "version": 2}')
    (tmp_path / "empty").mkdir()
    finished = scripts.check("report.py", *(flag.format(tmp_path) for flag in flags))
    (line,) = finished.stderr.splitlines()
    assert finished.returncode == 1 and line.startswith(f"error: {told.format(tmp_path)}")


def test_the_text_tells_which_script_made_which_run(study):
    torch = dataclasses.replace(study, out="runs/torch", command="python experiments/pytorch_kfold.py --data=crops")
    ours = dataclasses.replace(study, command="python experiments/reproduce.py --data=crops")
    text = comparison.changes(ours, torch).text
    assert '"Now" is runs/x (reproduce.py), "before" is runs/torch (pytorch_kfold.py)' in text
