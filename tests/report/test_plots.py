"""The plots: what they show, that they are whole SVG images, and that the same results give the same bytes."""

import copy
import threading
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from report_sample import sample
from sklearn.metrics import roc_auc_score

from wool_tf.report import plots

BUILDERS = (plots.accuracy, plots.roc, plots.scores, plots.training, plots.latency)


@pytest.fixture(scope="module")
def results() -> dict:
    return sample()


@pytest.mark.parametrize("build", BUILDERS)
def test_plots_are_svg_with_words_beside_them(build, results):
    plot = build(results)
    assert ElementTree.fromstring(plot.svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert plot.title and plot.text and plot.alt
    assert 300 < plot.width <= 44 * 16
    assert plot.uri.startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize("build", BUILDERS)
def test_the_same_results_give_the_same_bytes_under_any_style(build, results):
    first = build(results).svg
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "other", "axes.grid": True}):
        assert build(copy.deepcopy(results)).svg == first


def test_threads_get_the_same_bytes_and_leave_no_style_behind(results):
    expected, before, found = plots.roc(results).svg, dict(matplotlib.rcParams), []
    workers = [threading.Thread(target=lambda: found.append(plots.roc(results).svg)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 4
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("build", BUILDERS)
def test_nothing_known_makes_no_plot(build, results):
    assert build({}) is None
    assert build(dict.fromkeys(results)) is None


@pytest.mark.parametrize("build", (plots.accuracy, plots.roc, plots.scores, plots.training))
@pytest.mark.parametrize("stages", [("baseline",), ("baseline", "asfp30"), ("hard1", "hard2")])
def test_few_stages_and_one_fold(build, stages):
    assert build(sample(stages=stages, folds=1)).svg


def test_the_area_in_words_is_that_of_the_scores():
    document = sample(separation=1.0)
    truth = [row["label"] for row in document["scores"]]
    for stage in ("baseline", "hard3", "hard3-int8"):
        area = roc_auc_score(truth, [row[stage] for row in document["scores"]])
        assert f"area under the curve {area:.3f}" in plots.roc(document).alt


def test_images_without_a_score_are_left_out():
    document = sample(stages=("baseline",))
    for row in document["scores"][:100]:
        row["baseline"] = None
    truth = [row["label"] for row in document["scores"][100:]]
    area = roc_auc_score(truth, [row["baseline"] for row in document["scores"][100:]])
    assert f"{area:.3f}" in plots.roc(document).alt
    assert f"of {sum(truth)} missed" in plots.scores(document).alt


def test_one_class_has_scores_but_no_roc():
    document = sample(stages=("baseline",))
    document["scores"] = [row for row in document["scores"] if row["label"] == 0]
    assert plots.roc(document) is None
    assert "0 of 0 missed" in plots.scores(document).alt


def test_loss_curves_of_different_length_with_gaps(results):
    document = {"histories": {"baseline": [{"loss": [0.8, None, 0.2]}, {"loss": [0.4, 0.0]}, {"loss": []}]}}
    # The mean of 0.8 and 0.4 in the first epoch, none in the second, 0.2 in the last.
    assert "baseline from 0.600 to 0.200 in 2 epochs" in plots.training(document).alt
    assert plots.training({"histories": {"baseline": [{"loss": [None]}], "hard1": []}}) is None
    assert plots.training({"histories": {"baseline": [{"loss": [0.5]}]}}).svg


def test_aligned_masks_what_a_logarithm_cannot_show():
    aligned = plots._aligned([[1.0, 0.0, float("inf")], [None, 2.0]])
    assert np.array_equal(aligned.mask, [[False, True, True], [True, False, True]])


def test_rows_without_a_time_are_left_out(results):
    document = {"latency": [*results["latency"], {"model": "broken", "bytes": 1, "p50_ms": None}]}
    assert "broken" not in plots.latency(document).alt


def test_threads_are_named_where_they_differ(results):
    document = {"latency": results["latency"] + [results["latency"][2] | {"threads": 2}]}
    assert "compact int8, 2 threads" in plots.latency(document).alt
